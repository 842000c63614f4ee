"""The moment that the user's freshness query answers, and moments that lie in the future."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.system.spelling import spell_for_us

if TYPE_CHECKING:
    import psycopg

SKEW = timedelta(minutes=1)
"""How far a moment may be ahead of this machine's clock: clocks of two machines differ a little."""

_ONE = "select one timestamp with time zone, for example select max(created_at) from orders."


class UnusableError(Exception):
    """A figure that should decide cannot be had or believed.

    Args:
        problem: In one sentence, without a full stop.
        hint: What to do.
    """

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


def freshest(connection: psycopg.Connection[Any], query: str, server: str) -> datetime:
    """Return the moment that the user's freshness query answers.

    Args:
        connection: The user's; the query is the user's SQL.
        query: It must answer one row with one timestamp.
        server: Which server it is, for messages.

    Raises:
        UnusableError: It failed, or answers anything else.
    """
    import psycopg

    asked = f"the freshness query on the {server} server"
    try:
        spell_for_us(connection)
        cursor = connection.execute(query.encode())
        rows = [] if cursor.description is None else cursor.fetchmany(2)
    except psycopg.Error as exc:
        if exc.sqlstate is None and isinstance(exc, psycopg.DataError):
            # psycopg (3.2) cannot make such a datetime: types/datetime.py.
            raise UnusableError(
                f"{asked} answers infinity, or a year that is no date of Python",
                "bound the query, for example with where created_at <= now().",
            ) from None
        raise UnusableError(f"{asked} failed ({_words(exc)})", "mend the query.") from None
    return _moment(rows, asked)


def _moment(rows: list[Any], asked: str) -> datetime:
    if len(rows) != 1 or len(rows[0]) != 1:
        found = "no row" if not rows else "several rows" if len(rows) > 1 else "several columns"
        raise UnusableError(f"{asked} answers {found} instead of one time", _ONE)
    value = rows[0][0]
    if value is None:
        raise UnusableError(
            f"{asked} answers NULL: there is no row that has a time",
            f"look whether the table may be empty, or name another one: {_ONE}",
        )
    if isinstance(value, datetime):
        # The server runs in UTC, so a timestamp without zone is read as the server would.
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        raise UnusableError(
            f"{asked} answers a date, and a day is no moment",
            "say which moment of the day it means, for example"
            " select max(day)::timestamp at time zone 'Europe/Berlin' from orders.",
        )
    raise UnusableError(f"{asked} answers {type(value).__name__}, not a timestamp", _ONE)


def require_past(moment: datetime, now: datetime, what: str, hint: str) -> None:
    """Refuse a moment that is ahead of the clock: it would count as no loss at all.

    Raises:
        UnusableError: It is, by more than `SKEW`.
    """
    ahead = moment - now
    if ahead > SKEW:
        raise UnusableError(f"{what} lies {rounded(ahead)} in the future of {clock(now)}", hint)


def clock(now: datetime) -> str:
    """Return the clock of this machine, in words."""
    return f"this machine's clock ({now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)"


def rounded(duration: timedelta) -> timedelta:
    """Return a duration in whole seconds."""
    return timedelta(seconds=round(duration.total_seconds()))


def _words(error: psycopg.Error) -> str:
    """Return what may be shown of an error of the user's query: data errors quote values."""
    from pytest_pgrestore.privacy.exceptions import message_without_values

    return message_without_values(error)
