"""A server in a local sandbox, for its tests."""

from __future__ import annotations

import psycopg

from pytest_pgrestore.restore.quarantine.settings import server_settings
from pytest_pgrestore.sandboxes.local.run import LocalRun
from pytest_pgrestore.sandboxes.local.sandbox import LocalSandbox
from pytest_pgrestore.system.waiting import wait_until

DEADLINE = 60.0


def empty_server(run: LocalRun, major: int, key: str = "shop@latest") -> LocalSandbox:
    """Return a sandbox with a running, empty server."""
    sandbox = run.sandbox(key, run.find_programs(major))
    sandbox.programs.run(
        "initdb",
        "-D",
        str(sandbox.data),
        "-U",
        "boot",
        "-A",
        "trust",
        "--no-sync",
        "--locale=C.UTF-8",
    )
    sandbox.start(server_settings(major, "nonce"))
    wait_until(
        lambda: "ready to accept" in sandbox.server_log().read_text(),
        what="start",
        timeout_seconds=DEADLINE,
    )
    return sandbox


def connect(sandbox: LocalSandbox) -> psycopg.Connection[tuple[object, ...]]:
    """Return a connection to the server in `sandbox`."""
    return psycopg.connect(
        host=str(sandbox.socket_directory),
        port=sandbox.port,
        user="boot",
        dbname="postgres",
        autocommit=True,
    )
