"""A server in a container, for the tests of the docker sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from pytest_pgrestore.sandboxes.docker.daemon import removal
from pytest_pgrestore.sandboxes.docker.daemon.client import Engine
from pytest_pgrestore.sandboxes.docker.run import DockerRun
from pytest_pgrestore.sandboxes.docker.sandbox import DockerSandbox
from pytest_pgrestore.system.waiting import wait_until

MAJOR = 17
DEADLINE = 60.0


def left_of(engine: Engine, run_id: str) -> list[str]:
    """Return containers and volumes of a run, whatever state they are in."""
    label = {"label": f"{removal.RUN}={run_id}"}
    containers = [entry["Id"] for entry in engine.client.api.containers(all=True, filters=label)]
    volumes = engine.client.api.volumes(filters=label)["Volumes"] or []
    return containers + [volume["Name"] for volume in volumes]


def empty_server(
    run: DockerRun, key: str = "shop@latest", reads: tuple[Path, ...] = ()
) -> DockerSandbox:
    """Start a server on an empty cluster, in a container that sees `reads`."""
    sandbox = run.sandbox(key, run.find_programs(MAJOR), reads=reads)
    sandbox.programs.run(
        "initdb", "-D", str(sandbox.data), "-U", "boss", "-A", "trust", "--no-sync"
    )
    sandbox.start({})
    return sandbox


def connect_to(sandbox: DockerSandbox) -> psycopg.Connection[Any]:
    """Connect as the superuser."""
    return psycopg.connect(make_conninfo(**sandbox.client_address, user="boss", dbname="postgres"))


def ask(sandbox: DockerSandbox, query: str) -> Any:
    """Answer a query, waiting for the server."""
    found: list[Any] = []

    def answered() -> bool:
        try:
            with connect_to(sandbox) as connection:
                row = connection.execute(query.encode()).fetchone()
        except psycopg.OperationalError:
            assert sandbox.exit_status() is None, sandbox.server_log().read_text()
            return False
        found.append(None if row is None else row[0])
        return True

    wait_until(answered, what="the server", timeout_seconds=DEADLINE)
    return found[0]


def inspect(sandbox: DockerSandbox) -> Any:
    """Return what the daemon says of the container."""
    return sandbox.container.engine.client.api.inspect_container(sandbox.container.identity)
