"""What must be true of the restored shop."""

import psycopg
import pytest

from pytest_pgrestore import RestoredInstance

pytestmark = pytest.mark.pgrestore("shop", target="latest")


def test_the_orders_table_is_there(pgrestore_conn: psycopg.Connection) -> None:
    """The smallest assertion. Yours will count, compare, and look for orphans."""
    assert pgrestore_conn.execute("select to_regclass('orders')").fetchone() == ("orders",)


def test_a_migration_can_be_rehearsed(pgrestore_clone: RestoredInstance) -> None:
    """On a private copy, so that other tests do not see the change."""
    with pgrestore_clone.connect(read_only=False) as connection:
        connection.execute("alter table orders add column rehearsed boolean default true")
