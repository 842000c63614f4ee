"""The other side of a comparison: another drill, or the live server."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.privacy.exceptions import message_without_values
from pytest_pgrestore.session.drill_request import DrillRequest, make_request
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.instances import NoServerError, connect, instance_of
from pytest_pgrestore.session.keys import OTHER_REQUEST, REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    import pytest

    from pytest_pgrestore.assertions.table import CompareTable
    from pytest_pgrestore.restore.instance import RestoredInstance
    from pytest_pgrestore.settings.run_settings import RunSettings

LIVE = "the live server"


def side_of(item: pytest.Item) -> str:
    """Return the other side in words."""
    request = item.stash.get(OTHER_REQUEST, None)
    return LIVE if request is None else request.drill.key


def other_request(
    settings: RunSettings, compare: CompareTable | None, own: DrillRequest
) -> DrillRequest | None:
    """Return the drill that an assertion compares with; None if there is none.

    Args:
        settings: Of the run.
        compare: What the assertion says of it.
        own: The drill of the assertion.

    Raises:
        ConfigError: It is the same drill, or is none; or the source names no live server.
    """
    if compare is None:
        return None
    if compare.live:
        if settings.sources[own.drill.source].live_conninfo is None:
            raise ConfigError(
                f"live = true, and the source {own.drill.source} names no live server",
                hint="add live_conninfo to the source.",
            )
        return None
    arguments = {
        "source": compare.source or own.drill.source,
        "target": compare.target,
        "database": own.database,
    }
    other = make_request(arguments, settings.given, settings.sources, own.place)
    if other.drill.key == own.drill.key:
        raise ConfigError(
            f"it is the drill {own.drill.key} itself", hint="name another source or target."
        )
    return other


@contextmanager
def of_other_side(side: str) -> Iterator[None]:
    """Say of an error that it is about the other side: it tells nothing of this backup.

    Raises:
        HarnessError: In place of an error of the server there.
    """
    import psycopg

    try:
        yield
    except (HarnessError, ConfigError) as exc:  # such as no answer in time, one of psycopg's, too
        raise type(exc)(f"{side}: {exc.problem}", exc.hint) from None
    except (psycopg.Error, BackupNotRestorable) as exc:
        raise HarnessError(
            f"{side} gave no answer to compare with: {message_without_values(exc)}",
            hint="make the query right for the other side: `sql` in `compare` is for it alone.",
        ) from None


def open_other(item: pytest.Item, instance: RestoredInstance) -> psycopg.Connection[Any]:
    """Return a read-only connection to the other side.

    Raises:
        HarnessError: The live server cannot be reached.
    """
    __tracebackhide__ = True
    session = item.config.stash[SESSION]
    request = item.stash.get(OTHER_REQUEST, None)
    if request is None:
        return _live(item, instance)
    try:
        return connect(instance_of(session, request.drill, request.database))
    except NoServerError:
        raise HarnessError(
            "it was not restored: nothing to compare with",
            hint=f"see pgrestore::{request.drill.key}::restored.",
        ) from None


def _live(item: pytest.Item, instance: RestoredInstance) -> psycopg.Connection[Any]:
    import psycopg

    from pytest_pgrestore.system.bounded_connection import connect as connect_bounded

    session = item.config.stash[SESSION]
    live = session.settings.sources[item.stash[REQUEST].drill.source].live_conninfo
    address = "" if live is None else live.reveal()  # see other_request
    try:
        connection = connect_bounded(address, timeout_seconds=instance.access.timeout_seconds)
    except psycopg.Error as exc:
        raise HarnessError(
            f"it could not be asked ({exc.sqlstate or type(exc).__name__})",
            hint="look whether live_conninfo reaches it from here.",
        ) from None
    connection.read_only = True
    return connection
