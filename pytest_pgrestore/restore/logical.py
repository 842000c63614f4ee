"""Loading a dump: an empty cluster, then SQL. There is no recovery."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.restore.login import (
    LoginNotReadyError,
    allow_login,
    login_options,
    wait_and_log_in,
)
from pytest_pgrestore.restore.quarantine.recovery_settings import PREPARED_FLOOR
from pytest_pgrestore.restore.quarantine.settings import question_options, server_settings
from pytest_pgrestore.restore.server.start import wait_until_open
from pytest_pgrestore.sources.connection import Connection

if TYPE_CHECKING:
    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.protocol import LogicalSource

LOADING = {
    "max_wal_size": "4GB",
    "max_prepared_transactions": str(PREPARED_FLOOR),
    "max_wal_senders": "4",
    "wal_level": "replica",
}
"""Settings of the server a dump is loaded into.

A larger max_wal_size is advised by the PostgreSQL docs, "Populating a Database".
"""

SPEEDUPS = ("max_wal_size",)
"""Those of them that the evidence names as a speed-up."""


def restore_dump(attempt: Attempt, source: LogicalSource) -> None:
    """Load the dump chosen for the drill into a cluster of its own.

    Raises:
        PgRestoreError: The first cause. `attempt` holds what was found out before it.
    """
    watch = attempt.watch
    with watch.phase("locate"):
        chosen = attempt.locate()
    with watch.phase("provision"):
        sandbox = attempt.provision(chosen)
        # A name no dump carries: CREATE ROLE postgres of a pg_dumpall must neither collide nor
        # change the role we log in as.
        user = f"pgr_{attempt.nonce[:8]}"
        _make_cluster(sandbox, user)
    with watch.phase("start"):
        sandbox.start({**server_settings(sandbox.programs.major, attempt.nonce), **LOADING})
        wait_until_open(sandbox, "the empty server", attempt.settings.timeout_seconds)
    connection = _connection(sandbox, user, attempt.settings.timeout_seconds)
    with watch.phase("fetch") as lap:
        database, lap.detail = source.load(chosen, sandbox, connection)
    attempt.settings = replace(attempt.settings, database=database)
    with watch.phase("ready"):
        attempt.access = wait_and_log_in(attempt, sandbox, user)
    attempt.checks.append(source.contents(chosen, sandbox, replace(connection, database=database)))


def _make_cluster(sandbox: Sandbox, user: str) -> None:
    # --no-sync: nothing of value is in the cluster before the dump is loaded.
    sandbox.programs.run(
        "initdb",
        *("--pgdata", str(sandbox.data)),
        *("--username", user),
        *("--auth", "trust"),
        *("--encoding", "UTF8"),
        *("--locale", "C.UTF-8"),
        "--data-checksums",
        "--no-sync",
    )


def _connection(sandbox: Sandbox, user: str, timeout_seconds: float) -> Connection:
    try:
        allow_login(sandbox, user)
    except LoginNotReadyError as exc:
        raise HarnessError(
            f"the empty server accepts no login: {exc}", hint="read the saved server log."
        ) from exc
    return Connection(
        sandbox.socket_directory,
        sandbox.port,
        user,
        "postgres",
        login_options(sandbox),
        sandbox.client_address,
        question_options(sandbox.programs.major),
        timeout_seconds,
        sandbox.server_process(),
    )
