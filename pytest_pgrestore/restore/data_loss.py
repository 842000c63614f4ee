"""The figures behind the RPO, queried from the restored server and from the live one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.model.evidence import DataLossFigures
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.sources.protocol import is_logical

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.model.secret import Secret
    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.restore.instance import ConnectionInfo

# The next transaction number to be given out (PostgreSQL docs, "System Information Functions").
_NEXT_XID = "select pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())"


def data_loss(attempt: Attempt, access: ConnectionInfo) -> DataLossFigures:
    """Return every figure that can be had; `judgement.objectives` chooses the one that counts.

    A query that fails is noted in `attempt.not_checked`, and its figure is None.
    """
    backup = attempt.chosen.backup if attempt.chosen else None
    last_commit = _seconds_since(attempt, _data_moment(attempt))
    return DataLossFigures(
        last_commit_seconds=last_commit,
        freshness_seconds=_freshness(attempt, access),
        live_seconds=_live(attempt, access, last_commit),
        backup_age_seconds=_seconds_since(attempt, backup.stopped_at if backup else None),
    )


def _data_moment(attempt: Attempt) -> datetime | None:
    """Return the moment of the copy's data.

    It is the last commit replayed, the start of a dump, or the end of a backup.
    """
    if attempt.recovered_to is not None and not attempt.one_moment:
        return attempt.recovered_to.last_commit_at
    if attempt.chosen is None:
        return None
    backup = attempt.chosen.backup
    if is_logical(attempt.source):
        return backup.started_at or backup.stopped_at
    return backup.stopped_at


def _seconds_since(attempt: Attempt, moment: datetime | None) -> float | None:
    return None if moment is None else max(0.0, (attempt.started_at - moment).total_seconds())


def _freshness(attempt: Attempt, access: ConnectionInfo) -> float | None:
    import psycopg

    if attempt.settings.freshness is None:
        return None
    try:
        with access.open() as restored:
            return _seconds_since(attempt, _freshest(restored, attempt.settings.freshness))
    except HarnessError:
        raise
    except psycopg.Error as exc:
        attempt.not_checked.append(
            f"Freshness: the query failed ({exc.sqlstate}): {exc.diag.message_primary}."
        )
    return None


def _live(attempt: Attempt, access: ConnectionInfo, last_commit: float | None) -> float | None:
    import psycopg

    settings = attempt.settings
    if settings.live_conninfo is None or not isinstance(attempt.drill.target, Latest):
        return None
    try:
        return _seconds_behind_live(settings.live_conninfo, settings.freshness, access, last_commit)
    except psycopg.Error as exc:
        attempt.not_checked.append(
            f"The live server: it could not be asked ({exc.sqlstate or type(exc).__name__})."
        )
    return None


def _freshest(connection: psycopg.Connection[Any], query: str) -> datetime | None:
    """Return the moment the user's freshness query answers; None when it is NULL or no row.

    Raises:
        ConfigError: It answers something else than one time.
    """
    from pytest_pgrestore.system.bounded_connection import spell_for_us

    spell_for_us(connection)
    row = connection.execute(query.encode()).fetchone()
    value = row[0] if row else None
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise ConfigError(
            f"the freshness query answers {type(value).__name__}, not a timestamp",
            hint="select one timestamp with time zone, for example select max(created_at) from"
            " orders.",
        )
    # The server runs in UTC, so a timestamp without zone is read as the server would.
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _seconds_behind_live(
    live: Secret, query: str | None, access: ConnectionInfo, fallback_seconds: float | None
) -> float | None:
    """Return by how much the live server is ahead of the restored one, reading both.

    With a freshness query it is the difference of its two answers. Without one it is zero when the
    live server has given out no transaction number since, else `fallback_seconds`.

    Args:
        live: Connection string of the live server.
        query: The freshness query.
        access: Of the restored server.
        fallback_seconds: Age of the last commit recovered.
    """
    from pytest_pgrestore.system.bounded_connection import connect

    with (
        connect(live.reveal(), timeout_seconds=access.timeout_seconds) as production,
        access.open() as restored,
    ):
        production.read_only = True
        if query is not None:
            ahead, here = _freshest(production, query), _freshest(restored, query)
            if ahead is None or here is None:
                return None
            return max(0.0, (ahead - here).total_seconds())
        next_there = production.execute(_NEXT_XID).fetchone()
        next_here = restored.execute(_NEXT_XID).fetchone()
    return 0.0 if next_there == next_here else fallback_seconds
