"""The figures behind the RPO, queried from the restored server and from the live one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import DataLossFigures
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.restore.freshness import SKEW, UnusableError, freshest, require_past
from pytest_pgrestore.sources.protocol import is_logical

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.model.secret import Secret
    from pytest_pgrestore.restore.attempt import Attempt
    from pytest_pgrestore.restore.instance import ConnectionInfo

# The next transaction number to be given out (PostgreSQL docs, "System Information Functions").
_NEXT_XID = "select pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())"

BOUND = (
    "bound the query, for example with where created_at <= now(); if the row is right, set this"
    " machine's clock."
)
CLOCKS = "compare the clock of this machine with that of the server that was backed up: date -u."
"""What to do about a moment in the future: a mistyped row, or a clock."""


def data_loss(attempt: Attempt, access: ConnectionInfo) -> DataLossFigures:
    """Return every figure that can be had; `judgement.objectives` chooses the one that counts.

    The figure that should count is the one of the live server, else the freshest row, else the last
    commit. If it cannot be had or believed, no other one stands in for it: `problem` has the
    reason. A moment that lies in the future has a negative figure.
    """
    now = datetime.now(UTC)
    backup = attempt.chosen.backup if attempt.chosen else None
    moment = _data_moment(attempt)
    last_commit = _seconds_since(attempt, moment, now)
    freshness, freshness_problem = _freshness(attempt, access)
    live, live_problem = _live(attempt, access, last_commit)
    problem = live_problem or freshness_problem
    if problem is None and live is None and freshness is None:
        problem = _problem_of_the_commit(attempt, moment, now)
    if problem is not None:
        attempt.not_checked.append(f"Data loss: {problem.problem}.")
    return DataLossFigures(
        last_commit_seconds=last_commit,
        freshness_seconds=freshness,
        live_seconds=live,
        backup_age_seconds=_seconds_since(attempt, backup.stopped_at if backup else None, now),
        problem="" if problem is None else problem.problem,
        hint="" if problem is None else problem.hint,
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


def _seconds_since(attempt: Attempt, moment: datetime | None, now: datetime) -> float | None:
    """Return the seconds from a moment to the start of the drill.

    A commit of the live source may have come while the drill ran: that is no loss. A moment in the
    future keeps its figure, which is negative.
    """
    if moment is None:
        return None
    seconds = (attempt.started_at - moment).total_seconds()
    return seconds if moment - now > SKEW else max(0.0, seconds)


def _problem_of_the_commit(
    attempt: Attempt, moment: datetime | None, now: datetime
) -> UnusableError | None:
    if moment is None or attempt.drill.objectives.rpo is None:
        return None
    what = "the moment of the backup's data" if attempt.one_moment else "the last commit"
    try:
        require_past(moment, now, what, CLOCKS)
    except UnusableError as exc:
        return exc
    return None


def _freshness(
    attempt: Attempt, access: ConnectionInfo
) -> tuple[float | None, UnusableError | None]:
    """Return the figure of the freshest row, and why it is of no use."""
    query = attempt.settings.freshness
    if query is None:
        return None, None
    seconds = None
    try:
        with access.open() as restored:
            moment = freshest(restored, query, "restored")
        now = datetime.now(UTC)  # a row of the heartbeat may have come while a slow query ran
        seconds = _seconds_since(attempt, moment, now)
        require_past(moment, now, "the freshest row", BOUND)
    except UnusableError as exc:
        return seconds, exc
    except _psycopg_error() as exc:
        words = f"the freshness query could not be asked ({type(exc).__name__})"
        return None, UnusableError(words, "look into the server's log.")
    return seconds, None


def _live(
    attempt: Attempt, access: ConnectionInfo, last_commit: float | None
) -> tuple[float | None, UnusableError | None]:
    """Return how far the live server is ahead, and why that is not known."""
    settings = attempt.settings
    if settings.live_conninfo is None or not isinstance(attempt.drill.target, Latest):
        return None, None
    try:
        figure = _seconds_behind_live(
            settings.live_conninfo, settings.freshness, access, last_commit
        )
    except UnusableError as exc:
        return None, exc
    except _psycopg_error() as exc:
        return None, UnusableError(
            f"the live server could not be asked ({exc.sqlstate or type(exc).__name__})",
            "look whether live_conninfo reaches it from here, or take live_conninfo out.",
        )
    if figure is not None and -figure > SKEW.total_seconds():
        return figure, UnusableError(
            f"the restored server is {timedelta(seconds=round(-figure))} ahead of the live one",
            "look whether live_conninfo names the server that the backup is of, and no replica"
            " that lags behind.",
        )
    return figure, None


def _seconds_behind_live(
    live: Secret,
    query: str | None,
    access: ConnectionInfo,
    fallback_seconds: float | None,
) -> float | None:
    """Return by how much the live server is ahead of the restored one, reading both.

    With a freshness query it is the difference of its two answers. Without one it is zero when the
    live server has given out no transaction number since, else `fallback_seconds`.

    Args:
        live: Connection string of the live server.
        query: The freshness query.
        access: Of the restored server.
        fallback_seconds: Age of the last commit recovered.

    Raises:
        UnusableError: An answer of the freshness query is of no use.
    """
    from pytest_pgrestore.system.bounded_connection import connect

    with (
        connect(live.reveal(), timeout_seconds=access.timeout_seconds) as production,
        access.open() as restored,
    ):
        production.read_only = True
        if query is not None:
            ahead = freshest(production, query, "live")
            here = freshest(restored, query, "restored")
            now = datetime.now(UTC)
            # One mistyped row on both would make them equal.
            require_past(here, now, "the freshest row of the restored server", BOUND)
            require_past(ahead, now, "the freshest row of the live server", BOUND)
            seconds = (ahead - here).total_seconds()
            return seconds if -seconds > SKEW.total_seconds() else max(0.0, seconds)
        next_there = production.execute(_NEXT_XID).fetchone()
        next_here = restored.execute(_NEXT_XID).fetchone()
    if next_there == next_here:
        return 0.0
    if fallback_seconds is not None and fallback_seconds < 0:
        raise UnusableError("the last commit lies in the future of this machine's clock", CLOCKS)
    return fallback_seconds


def _psycopg_error() -> type[psycopg.Error]:
    """Return the class of psycopg's errors, imported late."""
    import psycopg

    return psycopg.Error
