"""A server in a local sandbox, for its tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg

from pytest_pgrestore.restore.quarantine.settings import server_settings
from pytest_pgrestore.sandboxes.confinement import NONE, Confinement
from pytest_pgrestore.sandboxes.local.run import LocalRun
from pytest_pgrestore.sandboxes.local.sandbox import LocalSandbox
from pytest_pgrestore.system import landlock
from pytest_pgrestore.system.waiting import wait_until

DEADLINE = 60.0


def empty_server(
    run: LocalRun, major: int, key: str = "shop@latest", reads: Sequence[Path] = ()
) -> LocalSandbox:
    """Return a sandbox with a running, empty server."""
    sandbox = run.sandbox(key, run.find_programs(major, reads=reads))
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


WALLS = ("bubblewrap", "landlock", "none")
"""What may confine a server on this machine."""


def confined_by(wall: str, run: LocalRun) -> LocalRun:
    """Return `run` as on a machine that has this wall and no better one."""
    assert run.confinement.bwrap is not None, "tests/bootstrap/system installs bubblewrap"
    if wall == "landlock":
        run.__dict__["confinement"] = Confinement(landlock=landlock.version(), words=wall)
    elif wall == "none":
        run.__dict__["confinement"] = NONE
    return run
