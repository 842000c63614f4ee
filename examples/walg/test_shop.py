"""What must be true of the restored shop."""

import psycopg
import pytest

pytestmark = pytest.mark.pgrestore("shop", target="latest")


def test_the_orders_table_is_there(pgrestore_conn: psycopg.Connection) -> None:
    """The smallest assertion. Yours will count, compare, and look for orphans."""
    assert pgrestore_conn.execute("select to_regclass('orders')").fetchone() == ("orders",)
