"""The shop at a point in time."""

import os

import psycopg
import pytest

pytestmark = pytest.mark.pgrestore("shop", target=f"time:{os.environ['POINT']}")


def test_orders_are_there(pgrestore_conn: psycopg.Connection) -> None:
    """The point has to be reached first."""
    row = pgrestore_conn.execute("select count(*) from orders").fetchone()

    assert row[0] >= 100
