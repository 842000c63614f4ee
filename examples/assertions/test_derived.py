"""Deleted rows, views, large objects, releases: drill_derived.toml says the same in SQL."""

from collections.abc import Callable

import psycopg
import pytest

from pytest_pgrestore import Factory

pytestmark = pytest.mark.pgrestore("shop")

Wrong = Callable[..., tuple[int, int | None]]


def test_a_deleted_customer_has_no_live_order(wrong: Wrong) -> None:
    """Who deletes a customer deletes its orders, too."""
    customers, first = wrong("""
        select c.id from customers c join orders o on o.customer_id = c.id
        where c.deleted_at is not null and o.deleted_at is null group by c.id order by c.id
    """)

    assert customers == 0, f"{customers} deleted customers have live orders, first {first}"


def test_the_view_of_live_customers_hides_deleted_ones(wrong: Wrong) -> None:
    """What reads the view relies on it."""
    customers, first = wrong("""
        select v.id from live_customers v join customers c on c.id = v.id
        where c.deleted_at is not null order by v.id
    """)

    assert customers == 0, f"the view shows {customers} deleted customers, first {first}"


def test_daily_revenue_agrees_with_the_orders(wrong: Wrong) -> None:
    """The materialized view was refreshed after the last change."""
    days, first = wrong("""
        select to_char(day, 'YYYYMMDD')::int from daily_revenue kept full join (
            select placed_at::date as day, sum(total) as revenue
            from orders where deleted_at is null group by 1
        ) now using (day)
        where kept.revenue is distinct from now.revenue order by day
    """)

    assert days == 0, f"{days} days have another revenue, first {first}"


def test_every_large_object_is_in_use(wrong: Wrong) -> None:
    """No orphan, and none that is lost."""
    objects, first = wrong("""
        select coalesce(l.oid, a.file)::bigint
        from pg_largeobject_metadata l full join attachments a on a.file = l.oid
        where l.oid is null or a.file is null order by 1
    """)

    assert objects == 0, f"{objects} large objects are lost or orphans, first {first}"


def test_the_newest_migration_is_the_deployed_one(pgrestore_conn: psycopg.Connection) -> None:
    """The day that begins its name, as a number."""
    (newest,) = pgrestore_conn.execute("select max(version) from migrations").fetchone()
    day = int(newest.partition("_")[0])

    assert day == 20260517, "another migration is the newest one"


def test_coupons_are_those_of_before_the_release(
    pgrestore: Factory, pgrestore_conn: psycopg.Connection
) -> None:
    """Two drills of one source."""
    query = "select count(*), sum(percent)::int from coupons"
    coupons, percent = pgrestore_conn.execute(query).fetchone()
    with pgrestore.restore("shop", target="name:before_the_release").connect() as before:
        coupons_before, percent_before = before.execute(query).fetchone()

    assert coupons == coupons_before, "coupons were added or deleted in the release"
    assert percent == percent_before, "coupons were changed in the release"
