"""What must be true of the shop that Barman restores."""

import psycopg
import pytest

pytestmark = pytest.mark.pgrestore("shop", target="latest")


def test_the_ledger_has_rows(pgrestore_conn: psycopg.Connection) -> None:
    """The smallest assertion. Yours will count, compare, and look for orphans."""
    row = pgrestore_conn.execute("select count(*) from ledger").fetchone()

    assert row is not None
    assert row[0] > 0
