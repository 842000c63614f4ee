"""The check of the old script, and the check it should have made."""

import psycopg
import pytest

pytestmark = pytest.mark.pgrestore("shop", target="latest")


def test_payments_can_be_counted(pgrestore_conn: psycopg.Connection) -> None:
    """Holds for an empty table too: this is the trap."""
    assert pgrestore_conn.execute("select count(*) from payments").fetchone() is not None


def test_payments_are_plausible(pgrestore_conn: psycopg.Connection) -> None:
    """A lower bound, from what the business knows."""
    row = pgrestore_conn.execute("select count(*) from payments").fetchone()

    assert row[0] >= 50
