"""Asking the restored server what goes into the evidence: quarantine, versions, data loss, backup age."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.checks import environment
from pytest_pgrestore.checks.isolation import NetworkState, isolation
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.evidence import DataLossFigures, ServerFacts
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.restore import logical
from pytest_pgrestore.restore.judgement import objectives
from pytest_pgrestore.restore.quarantine.files import ATTIC
from pytest_pgrestore.restore.quarantine.settings import ASKED, server_settings
from pytest_pgrestore.sources.protocol import is_logical

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.restore.instance import ConnectionInfo

_PREPARED = "select gid from pg_prepared_xacts order by prepared, gid"
_UNLOGGED = "select count(*) from pg_class where relpersistence = 'u' and relkind in ('r', 'm')"
_NAMED = 5
_SPEED = (
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "shared_buffers",
    "maintenance_work_mem",
    "max_wal_size",
)


def measure(attempt: Attempt) -> None:
    """Fill in what only the running server knows.

    Raises:
        HarnessError: The quarantine does not hold; the instance must not be used.
    """
    access, sandbox = attempt.access, attempt.sandbox
    if access is None or sandbox is None:
        return
    with access.open() as connection:
        _quarantine(attempt, connection)
        _facts(attempt, connection, access)
        attempt.data_loss = _data_loss(attempt, connection)
        _what_is_not_there(attempt, connection)
        if not is_logical(attempt.source):
            _fit(attempt, connection, access)
    chosen = attempt.chosen
    age = objectives.backup_age(
        attempt.drill, chosen.backup.stopped_at if chosen else None, attempt.started_at
    )
    attempt.checks.extend([age] if age else [])
    if not sandbox.network.startswith("cut"):
        attempt.not_checked.append(
            "Whether the copy could have reached the network: it was not cut off."
        )
    if sockets := sandbox.open_sockets():
        attempt.not_checked.append(
            "Whether SQL of the copy could have reached other PostgreSQL servers of this machine by their Unix sockets,"
            f" which its user may connect to: {', '.join(sockets)}."
        )
    if attempt.drill.objectives.rpo is not None and not isinstance(attempt.drill.target, Latest):
        attempt.not_checked.append("The RPO: it is measured on drills to latest.")


def _quarantine(attempt: Attempt, connection: psycopg.Connection[Any]) -> None:
    sandbox = attempt.sandbox
    if sandbox is None:
        return
    ours = {**server_settings(sandbox.programs.major, ""), **sandbox.own_settings()}
    wanted = {name: ours[name] for name in ASKED if name in ours}
    state = NetworkState(
        sandbox.network, sandbox.network.startswith("cut"), sandbox.network_interfaces()
    )
    check, settings = isolation(connection, wanted, state)
    attempt.checks.append(check)
    speed = dict(
        connection.execute(
            "select name, current_setting(name) from pg_settings where name = any(%s)",
            [list(_SPEED)],
        ).fetchall()
    )
    sped = logical.SPEEDUPS if is_logical(attempt.source) else ()
    attempt.server = ServerFacts(
        version="",
        binaries=sandbox.programs.origin,
        sandbox=sandbox.kind,
        network=sandbox.network,
        settings={**settings, **speed},
        speedups=("autovacuum=off", *(f"{name}={speed[name]}" for name in sped)),
    )
    if check.verdict is not Verdict.PASSED:
        raise HarnessError(
            check.message, hint="this must not happen: please report it with the saved logs."
        )


def _facts(attempt: Attempt, connection: psycopg.Connection[Any], access: ConnectionInfo) -> None:
    row = connection.execute("select version()").fetchone()
    if attempt.server is not None and row is not None:
        attempt.server = replace(
            attempt.server, version=str(row[0]), system_identifier=access.system_identifier
        )


def _data_loss(attempt: Attempt, connection: psycopg.Connection[Any]) -> DataLossFigures:
    """Return every figure that can be had; the verdict picks one."""
    import psycopg

    chosen, settings = attempt.chosen, attempt.settings
    backup = chosen.backup if chosen else None
    as_of = _as_of(attempt)
    last_commit = _since(attempt, as_of)
    freshness = live = None
    if settings.freshness is not None:
        try:
            freshness = _since(attempt, objectives.freshest(connection, settings.freshness))
        except psycopg.Error as exc:
            attempt.not_checked.append(
                f"Freshness: the query failed ({exc.sqlstate}): {exc.diag.message_primary}."
            )
    if settings.live_conninfo is not None and isinstance(attempt.drill.target, Latest):
        try:
            live = objectives.seconds_behind_live(
                settings.live_conninfo, settings.freshness, connection, last_commit
            )
        except psycopg.Error as exc:
            attempt.not_checked.append(
                f"The live server: it could not be asked ({exc.sqlstate or type(exc).__name__})."
            )
    return DataLossFigures(
        last_commit_seconds=last_commit,
        freshness_seconds=freshness,
        live_seconds=live,
        backup_age_seconds=_since(attempt, backup.stopped_at if backup else None),
    )


def _as_of(attempt: Attempt) -> datetime | None:
    """Return the moment the copy's data is of: the last commit replayed, the start of a dump, the end of a backup."""
    backup = attempt.chosen.backup if attempt.chosen else None
    if attempt.recovered_to is not None and not attempt.one_moment:
        return attempt.recovered_to.last_commit_at
    if backup is None:
        return None
    return (
        backup.started_at or backup.stopped_at if is_logical(attempt.source) else backup.stopped_at
    )


def _since(attempt: Attempt, moment: datetime | None) -> float | None:
    return None if moment is None else max(0.0, (attempt.started_at - moment).total_seconds())


def _what_is_not_there(attempt: Attempt, connection: psycopg.Connection[Any]) -> None:
    """Name what a restore loses or carries by nature, so that nobody takes it for damage."""
    prepared = [str(row[0]) for row in connection.execute(_PREPARED).fetchall()]
    unlogged = connection.execute(_UNLOGGED).fetchone()
    if prepared:
        names = ", ".join(prepared[:_NAMED]) + (" ..." if len(prepared) > _NAMED else "")
        attempt.notes.append(
            f"{len(prepared)} prepared transactions came back and hold their locks: {names}"
        )
    if unlogged and unlogged[0]:
        attempt.notes.append(
            f"{unlogged[0]} unlogged tables are empty: recovery never brings them back"
        )


def _fit(attempt: Attempt, connection: psycopg.Connection[Any], access: ConnectionInfo) -> None:
    """Name what differs between this place and the one the copy came from; a dump is sorted anew, and always fits."""
    import psycopg

    found = [
        environment.fit_of_databases(connection),
        environment.preloads_left_out(_carried(attempt)),
    ]
    for (name,) in connection.execute(environment.DATABASES).fetchall():
        try:
            with access.open(name) as inside:
                found.append(environment.fit_of_database(inside))
        except psycopg.OperationalError as exc:
            words = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
            attempt.not_checked.append(
                f"Database {name}: it cannot be opened on this system ({words})."
            )
    for part in found:
        attempt.not_checked.extend(part.not_checked)
        attempt.notes.extend(part.notes)


def _carried(attempt: Attempt) -> list[str]:
    """Return the texts of the configuration files the copy brought along, in the order a server reads them."""
    if attempt.sandbox is None:
        return []
    paths = [
        attempt.sandbox.root / ATTIC / name for name in ("postgresql.conf", "postgresql.auto.conf")
    ]
    return [path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file()]
