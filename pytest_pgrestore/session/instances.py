"""The restored instances and the connections that tests get."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.damage import is_damage
from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import NO_SERVER, NOT_MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    import psycopg

    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.restore.instance import RestoredInstance
    from pytest_pgrestore.session.drill_session import DrillSession


class NoServerError(Exception):
    """A drill has no running server; the text is the message of a test that needs one."""

    def __init__(self, drill: Drill) -> None:
        super().__init__(f"{NO_SERVER}, see pgrestore::{drill.key}::restored")


def instance_of(session: DrillSession, drill: Drill, database: str | None) -> RestoredInstance:
    """Return the restored instance of `drill`.

    Args:
        session: The run's drills.
        drill: It is restored now if no process of the run has done so.
        database: The one to connect to; None is the one that the source names.

    Raises:
        NoServerError: The drill has no running server.
    """
    from pytest_pgrestore.restore.instance import RestoredInstance

    try:
        result = session.obtain(drill)
    except HarnessError:
        raise NoServerError(drill) from None
    if result.access is None:
        raise NoServerError(drill)
    access = result.access if database is None else replace(result.access, database=database)
    noted = partial(session.fixture_usage.connects, drill.key)
    return RestoredInstance(access, result.record, noted=noted)


def instance_for(item: pytest.Item) -> RestoredInstance:
    """Return the restored instance of the drill `item` belongs to.

    The test fails if it belongs to none, or if the drill has no server.
    """
    __tracebackhide__ = True
    session = item.config.stash[SESSION]
    request = session.belongs(item)
    if request is None:
        wrong = "\n".join(session.usage_errors.lines())
        pytest.fail(wrong or "this test belongs to no drill", pytrace=False)
    session.fixture_usage.note(item, request.drill.key)
    try:
        return instance_of(session, request.drill, request.database)
    except NoServerError as exc:
        message = str(exc)
    # Outside of `except`: pytest would show the exception that is being handled, too.
    item.stash[NOT_MEASURED] = True
    pytest.fail(message, pytrace=False)


@contextmanager
def clone_for(item: pytest.Item, instance: RestoredInstance) -> Iterator[RestoredInstance]:
    """Make a private, writable copy of `instance` for the body, and remove it afterwards.

    Raises:
        HarnessError: The copy could not be made or removed.
    """
    from pytest_pgrestore.restore.clone import clone

    run = item.config.stash[SESSION].run
    name = f"{instance.access.drill} clone {uuid.uuid4().hex[:8]}"
    try:
        yield clone(instance, run, name)
    finally:
        teardown = run.close_drill(name)
        if not teardown.removed:
            raise HarnessError(
                f"the private copy for {item.nodeid} was not removed: {teardown.message}",
                hint="end what uses it, then run pgrestore clean.",
            )


def connect(
    instance: RestoredInstance, timeout: timedelta | None = None
) -> psycopg.Connection[Any]:
    """Open the read-only connection for a test or a drill file.

    Args:
        instance: Of the drill.
        timeout: Longest time of each statement; None is no limit but the drill's.

    Raises:
        BackupNotRestorable: The database is not in the restored copy.
        HarnessError: It is there, and takes no connection.
    """
    import psycopg

    try:
        connection = instance.connect()
    except psycopg.OperationalError as exc:
        if is_damage(exc.sqlstate, str(exc)):
            raise
        # libpq gives no SQLSTATE for a refused connection: the server is asked why.
        _require_open(instance, exc)
        raise
    if timeout is not None:
        milliseconds = str(max(1, round(timeout.total_seconds() * 1000)))
        set_timeout = "select pg_catalog.set_config('statement_timeout', %s, false)"
        connection.execute(set_timeout, (milliseconds,))
        connection.commit()  # a rollback would take it back
    return connection


def _require_open(instance: RestoredInstance, error: Exception) -> None:
    """Refuse a database that is not in the copy, or that nobody can connect to."""
    from pytest_pgrestore.restore.databases import read_databases, require_open

    with instance.access.ask("template1") as connection:
        databases = read_databases(connection)
    names = [database.name for database in databases if not database.why_closed]
    wanted = instance.access.database
    if wanted not in [database.name for database in databases]:
        raise BackupNotRestorable(
            f"database {wanted!r} is not in the restored copy",
            hint=f"it holds: {', '.join(names)}.",
        ) from error
    require_open(databases, wanted)
