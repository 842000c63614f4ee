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
from pytest_pgrestore.restore.quarantine import preloading
from pytest_pgrestore.restore.quarantine.recovery_settings import PREPARED_FLOOR
from pytest_pgrestore.restore.quarantine.settings import question_options, server_settings
from pytest_pgrestore.restore.server.start import wait_until_open
from pytest_pgrestore.sources.connection import Connection
from pytest_pgrestore.sources.protocol import Loaded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.protocol import ChosenBackup, LogicalSource

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

_PRELOADED = (
    "{} was in shared_preload_libraries while the dump was loaded, and is not any more: its"
    " extension cannot be created otherwise"
)


def restore_dump(attempt: Attempt, source: LogicalSource) -> None:
    """Load the dump chosen for the drill into a cluster of its own.

    Raises:
        PgRestoreError: The first cause. `attempt` holds what was found out before it.
    """
    watch = attempt.watch
    with watch.phase("locate"):
        chosen = attempt.locate()
    if chosen.prepared_seconds:
        watch.add("fetch", chosen.prepared_seconds, detail="decrypted, while locating")
    with watch.phase("provision"):
        sandbox = attempt.provision(chosen)
        # A name no dump carries: CREATE ROLE postgres of a pg_dumpall must neither collide nor
        # change the role we log in as.
        user = f"pgr_{attempt.nonce[:8]}"
        _make_cluster(sandbox, user)
    with watch.phase("start"):
        connection = _start(attempt, sandbox, user, {})
        preload = _preload(chosen, connection)
        if preload:
            connection = _start(attempt, sandbox, user, preload)
            attempt.notes.append(_PRELOADED.format(preload["shared_preload_libraries"]))
    with watch.phase("fetch") as lap:
        loaded = Loaded(*source.load(chosen, sandbox, connection))
        lap.detail = loaded.how
        if preload:
            connection = _start(attempt, sandbox, user, {})
    attempt.notes += loaded.notes
    attempt.not_checked += loaded.not_checked
    attempt.settings = replace(attempt.settings, database=loaded.database)
    with watch.phase("ready"):
        attempt.access = wait_and_log_in(attempt, sandbox, user)
    attempt.checks.append(
        source.contents(chosen, sandbox, replace(connection, database=loaded.database))
    )


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


def _start(attempt: Attempt, sandbox: Sandbox, user: str, preload: Mapping[str, str]) -> Connection:
    """Start the server, again if it runs; return how to connect to it."""
    sandbox.stop()
    settings = server_settings(sandbox.programs.major, attempt.nonce)
    sandbox.start({**settings, **LOADING, **preload})
    wait_until_open(sandbox, "the empty server", attempt.settings.timeout_seconds)
    return _connection(sandbox, user, attempt.settings.timeout_seconds)


def _preload(chosen: ChosenBackup, connection: Connection) -> dict[str, str]:
    """Return the settings that preload what the dump's extensions need, where it is installed."""
    wanted = preloading.known(chosen.extensions)
    if not wanted:
        return {}
    with connection.ask() as session:
        rows = session.execute(
            "select name from pg_available_extensions where name = any(%s)", [wanted]
        ).fetchall()
    return preloading.preload_settings([str(row[0]) for row in rows], chosen.loaded_into)


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
