"""Loading a dump: an empty cluster, then SQL. No recovery."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.checks import repository
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.restore.login import wait_and_log_in
from pytest_pgrestore.restore.quarantine.recovery_settings import PREPARED_FLOOR
from pytest_pgrestore.restore.quarantine.settings import connection_options, server_settings
from pytest_pgrestore.restore.server.log import ServerLog
from pytest_pgrestore.sources.protocol import Connection
from pytest_pgrestore.system.waiting import wait_until

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
"""Settings of the server a dump is loaded into. The larger max_wal_size is named in the evidence as a speed-up."""

SPEEDUPS = ("max_wal_size",)


def restore_dump(attempt: Attempt, source: LogicalSource, nonce: str) -> None:
    """Load the dump chosen for the drill into a cluster of its own.

    Raises:
        PgRestoreError: The first cause; what is known by then stands in `attempt`.
    """
    watch = attempt.watch
    with watch.phase("locate"):
        attempt.chosen = chosen = source.locate(attempt.request())
        attempt.checks.extend(chosen.checks)
    with watch.phase("provision"):
        sandbox = attempt.enter_sandbox(chosen)
        repository.remember(
            chosen.backup_paths,
            chosen.wal_archive_paths,
            attempt.run.root / "state" / attempt.run.drill_root(attempt.drill.key).name,
        )
        # A name no dump carries: CREATE ROLE postgres in a pg_dumpall must not collide, nor change who we are.
        user = f"pgr_{nonce[:8]}"
        _make_cluster(sandbox, user)
    with watch.phase("start"):
        sandbox.start({**server_settings(sandbox.programs.major, nonce), **LOADING})
        _wait_until_open(attempt, sandbox)
    options = _load_options(sandbox.programs.major)
    connection = Connection(
        sandbox.socket_directory, sandbox.port, user, "postgres", options, _way_in(sandbox, user)
    )
    with watch.phase("fetch") as lap:
        database, lap.detail = source.load(chosen, sandbox, connection)
    attempt.settings = replace(attempt.settings, database=database)
    with watch.phase("ready"):
        attempt.access = wait_and_log_in(attempt, sandbox, user, nonce)
    attempt.checks.append(source.contents(chosen, sandbox, replace(connection, database=database)))


def _way_in(sandbox: Sandbox, user: str) -> dict[str, str]:
    complaint = sandbox.allow_login(user, _load_options(sandbox.programs.major))
    if complaint:
        raise HarnessError(
            f"the empty server lets nobody in: {complaint}", hint="read the saved server log."
        )
    return sandbox.client_address


def _make_cluster(sandbox: Sandbox, user: str) -> None:
    # initdb wants the directory empty, which it is; --no-sync because the cluster is a throwaway until it is loaded.
    sandbox.programs.run(
        "initdb",
        "--pgdata",
        str(sandbox.data),
        "--username",
        user,
        "--auth",
        "trust",
        "--encoding",
        "UTF8",
        "--locale",
        "C.UTF-8",
        "--data-checksums",
        "--no-sync",
        "--no-instructions",
    )


def _wait_until_open(attempt: Attempt, sandbox: Sandbox) -> None:
    log = ServerLog(sandbox.server_log())

    def is_open() -> bool:
        ended = sandbox.exit_status()
        log.refresh()
        if ended is not None:
            raise HarnessError(
                f"the empty server did not start: {sandbox.why_ended() or log.fatal() or 'no reason given'}",
                hint="run `pgrestore doctor`, and read the saved server log.",
            )
        return log.says_ready()

    wait_until(
        is_open,
        what="the start of an empty server",
        timeout_seconds=attempt.settings.timeout_seconds,
    )


def _load_options(major: int) -> str:
    return connection_options(major, read_only=False)
