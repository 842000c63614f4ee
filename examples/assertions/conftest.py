"""What the tests of this directory share."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Wrong = Callable[..., tuple[int, int | None]]


@pytest.fixture
def wrong(pgrestore_conn: psycopg.Connection) -> Wrong:
    """Ask for rows that are wrong; returns their number, and the first column of the first one.

    Select a number first: numbers are shown in reports, texts and dates are not.
    """

    def ask(query: str, **parameters: Any) -> tuple[int, int | None]:
        rows = pgrestore_conn.execute(query, parameters).fetchall()
        return len(rows), rows[0][0] if rows else None

    return ask


@pytest.fixture
def as_tenant(pgrestore_conn: psycopg.Connection) -> Callable[[int], psycopg.Connection]:
    """Ask as the application does for a tenant: its grants and row security hold."""

    def become(tenant: int) -> psycopg.Connection:
        pgrestore_conn.execute("select set_config('app.tenant', %s, false)", (str(tenant),))
        pgrestore_conn.execute("set role shop_app")
        return pgrestore_conn

    return become
