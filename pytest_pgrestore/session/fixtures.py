"""The fixtures. The first line of each docstring is what ``pytest --fixtures`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.factory import Factory
from pytest_pgrestore.session.instances import clone_for, connect, instance_for
from pytest_pgrestore.session.keys import SHOWN_NAMES, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from pytest_pgrestore.assertions.tables import TableName
    from pytest_pgrestore.restore.instance import RestoredInstance


@pytest.fixture(scope="session")
def pgrestore(pytestconfig: pytest.Config) -> Factory:
    """Restores on demand, for your own fixtures: `pgrestore.restore("shop", target=...)`.

    It returns a `RestoredInstance`, as `pgrestore_instance` does. Each drill is restored once per
    run.
    """
    return Factory(pytestconfig.stash[SESSION])


@pytest.fixture
def pgrestore_instance(request: pytest.FixtureRequest) -> RestoredInstance:
    """The restored server of this test's drill, e.g. `connect()`, `conninfo`, `rto`.

    Also `backup`, `phases` and `recovered_to`. Restored once per drill and run. Source and target
    are set by `@pytest.mark.pgrestore("shop", target="latest")`.
    """
    __tracebackhide__ = True
    return instance_for(request.node)


@pytest.fixture
def pgrestore_conn(
    request: pytest.FixtureRequest, pgrestore_instance: RestoredInstance
) -> Iterator[psycopg.Connection[Any]]:
    """A read-only psycopg connection to this test's restored database, rolled back afterwards.

    For a test that writes, use `pgrestore_clone`.
    """
    __tracebackhide__ = True
    connection = connect(pgrestore_instance, request.node.stash.get(TIMEOUT, None))
    try:
        yield connection
    finally:
        connection.close()  # without a commit, which is a rollback


@pytest.fixture
def pgrestore_clone(
    request: pytest.FixtureRequest, pgrestore_instance: RestoredInstance
) -> Iterator[RestoredInstance]:
    """A private, writable copy of this test's server: `connect(read_only=False)`.

    It costs a copy of all files of the server.
    """
    __tracebackhide__ = True
    with clone_for(request.node, pgrestore_instance) as copy:
        yield copy


@pytest.fixture
def pgrestore_tables(
    request: pytest.FixtureRequest, pgrestore_instance: RestoredInstance
) -> Callable[..., list[TableName]]:
    """Tables of this test's restored database: `pgrestore_tables("erp.*", "!erp.tmp_*")`.

    The test fails if a pattern fits no table. Each has `schema`, `name` and, for psycopg,
    `identifier`. Reports show their names: `with subtests.test(table=table)`.
    """

    def tables(*patterns: str) -> list[TableName]:
        __tracebackhide__ = True
        from pytest_pgrestore.assertions.tables import tables_like

        with pgrestore_instance.access.ask() as connection:
            found = tables_like(connection, patterns)
        names = {name for table in found for name in (str(table), *table)}
        stash = request.node.stash
        stash[SHOWN_NAMES] = stash.get(SHOWN_NAMES, frozenset()) | names
        return found

    return tables
