"""What must be true of the shop's data after a restore."""

import os

import psycopg
import pytest

from pytest_pgrestore import RestoredInstance

BEFORE_THE_ACCIDENT = os.environ["SHOP_BEFORE_THE_ACCIDENT"]


@pytest.mark.pgrestore("shop_pitr", target="latest")
class TestLatest:
    """The base backup with all archived WAL: the data we would have if production died now."""

    def test_orders_are_there(self, pgrestore_conn: psycopg.Connection) -> None:
        """An empty table can be counted too: use a lower bound that the business knows."""
        row = pgrestore_conn.execute("select count(*) from orders").fetchone()

        assert row[0] >= 20_000

    def test_every_order_adds_up(self, pgrestore_conn: psycopg.Connection) -> None:
        """No order is without lines: tables that belong together were restored together."""
        query = """
            select o.id from orders o
            where not exists (select from order_lines l where l.order_id = o.id)
        """

        assert pgrestore_conn.execute(query).fetchall() == []


@pytest.mark.pgrestore("shop_pitr", target=f"time:{BEFORE_THE_ACCIDENT}")
class TestBeforeTheAccident:
    """A bad deployment dropped a column, and a bug deleted payments. This is the moment before."""

    def test_the_dropped_column_is_back(self, pgrestore_conn: psycopg.Connection) -> None:
        """At the latest point, this column is missing."""
        row = pgrestore_conn.execute("select count(*) from orders where discount > 0").fetchone()

        assert row[0] > 0

    def test_the_deleted_payments_are_back(self, pgrestore_conn: psycopg.Connection) -> None:
        """Every paid order has its payment again."""
        query = """
            select o.id from orders o left join payments p on p.order_id = o.id
            where o.status = 'paid' and p.id is null
        """

        assert pgrestore_conn.execute(query).fetchall() == []

    def test_a_migration_can_be_rehearsed(self, pgrestore_clone: RestoredInstance) -> None:
        """On a private copy that may be changed: with production's data, at no risk."""
        with pgrestore_clone.connect(read_only=False) as connection:
            connection.execute("alter table orders add column note text")
            connection.execute("update orders set note = 'rehearsed'")
