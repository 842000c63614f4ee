"""What users see in ``pytest --fixtures``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.factory import Factory, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from pytest_pgrestore.restore.instance import RestoredInstance


@pytest.fixture(scope="session")
def pgrestore(pytestconfig: pytest.Config) -> Factory:
    """Restores on demand, for fixtures of one's own: `pgrestore.restore("shop", target=...) -> RestoredInstance`."""
    return Factory(pytestconfig.stash[SESSION])


@pytest.fixture
def pgrestore_instance(request: pytest.FixtureRequest) -> RestoredInstance:
    """The restored server of this test's drill: `connect()`, `conninfo`, `backup`, `phases`, `recovered_to`, `rto`.

    Restored once per drill and run; set source and target by `@pytest.mark.pgrestore("shop", target="latest")`.
    """
    __tracebackhide__ = True
    return request.config.stash[SESSION].instance_for(request.node)


@pytest.fixture
def pgrestore_conn(pgrestore_instance: RestoredInstance) -> Iterator[psycopg.Connection[Any]]:
    """A read-only psycopg connection to this test's restored database, rolled back afterwards.

    For a test that writes, use `pgrestore_clone`.
    """
    __tracebackhide__ = True
    connection = connect(pgrestore_instance)
    try:
        yield connection
    finally:
        connection.close()  # without a commit, which is a rollback


@pytest.fixture
def pgrestore_clone(
    request: pytest.FixtureRequest, pgrestore_instance: RestoredInstance
) -> Iterator[RestoredInstance]:
    """A private, writable copy of this test's server: `connect(read_only=False)`. Costs a copy of all its files."""
    __tracebackhide__ = True
    session = request.config.stash[SESSION]
    with session.clone_of(pgrestore_instance, request.node) as copy:
        yield copy
