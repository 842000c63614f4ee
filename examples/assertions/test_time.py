"""Partitions and time ranges: drill_time.toml says the same in SQL."""

from collections.abc import Callable

import psycopg
import pytest

from pytest_pgrestore import RestoredInstance

pytestmark = pytest.mark.pgrestore("shop")

Wrong = Callable[..., tuple[int, int | None]]


def test_every_month_has_its_partition(wrong: Wrong, pgrestore_instance: RestoredInstance) -> None:
    """Up to the month after the backup. now() would be the hour of the drill."""
    months, first = wrong(
        """
        select to_char(month, 'YYYYMM')::int
        from generate_series(date_trunc('month', (select min(placed_at) from orders)),
                             %(backup_at)s + interval '1 month', '1 month') month
        where to_regclass('orders_' || to_char(month, 'YYYY_MM')) is null order by 1
        """,
        backup_at=pgrestore_instance.backup.stopped_at,
    )

    assert months == 0, f"{months} months have no partition, first {first}"


def test_no_order_lies_in_the_default_partition(pgrestore_conn: psycopg.Connection) -> None:
    """Its month has no partition, and cannot get one any more."""
    orders = pgrestore_conn.execute("select count(*) from orders_default").fetchone()[0]

    assert orders == 0, "orders lie in the default partition"


def test_the_newest_heartbeat_is_of_the_last_minutes(
    pgrestore_conn: psycopg.Connection, pgrestore_instance: RestoredInstance
) -> None:
    """Compared with the moment that recovery reached."""
    newest = pgrestore_conn.execute("select max(at) from heartbeats").fetchone()[0]
    age = pgrestore_instance.recovered_to.last_commit_at - newest
    minutes = age.total_seconds() / 60

    assert minutes < 15, "the newest heartbeat is too old"


def test_prices_of_a_product_do_not_overlap(wrong: Wrong) -> None:
    """Two prices on one day are one too many."""
    pairs, product = wrong("""
        select a.product_id
        from prices a join prices b on b.product_id = a.product_id and b.valid > a.valid
        where a.valid && b.valid order by 1
    """)

    assert pairs == 0, f"{pairs} pairs of prices overlap, first of product {product}"
