"""The other side of a comparison: another drill, or the live server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.instances import NoServerError, connect, instance_of
from pytest_pgrestore.session.keys import NOT_MEASURED, OTHER_REQUEST, REQUEST

if TYPE_CHECKING:
    import psycopg

    from pytest_pgrestore.restore.instance import RestoredInstance

LIVE = "the live server"


def side_of(item: pytest.Item) -> str:
    """Return the other side in words."""
    request = item.stash.get(OTHER_REQUEST, None)
    return LIVE if request is None else request.drill.key


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
    except NoServerError as exc:
        message = str(exc)
    item.stash[NOT_MEASURED] = True
    pytest.fail(message, pytrace=False)


def _live(item: pytest.Item, instance: RestoredInstance) -> psycopg.Connection[Any]:
    import psycopg

    from pytest_pgrestore.system.bounded_connection import connect as connect_bounded

    session = item.config.stash[SESSION]
    live = session.settings.sources[item.stash[REQUEST].drill.source].live_conninfo
    if live is None:
        raise HarnessError(
            "compare asks the live server, and the source names none",
            hint="add live_conninfo to the source.",
        )
    try:
        connection = connect_bounded(live.reveal(), timeout_seconds=instance.access.timeout_seconds)
    except psycopg.Error as exc:
        raise HarnessError(
            f"the live server could not be asked ({exc.sqlstate or type(exc).__name__})",
            hint="look whether live_conninfo reaches it from here.",
        ) from None
    connection.read_only = True
    return connection
