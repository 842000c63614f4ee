"""Row security, grants, owners, triggers: drill_access.toml says the same in SQL."""

from collections.abc import Callable

import psycopg
import pytest

from pytest_pgrestore import RestoredInstance

pytestmark = pytest.mark.pgrestore("shop")

TABLES = ("coupons", "customers", "heartbeats", "invoices", "orders", "payments")
AsTenant = Callable[[int], psycopg.Connection]


def test_a_tenant_sees_no_other_tenant(as_tenant: AsTenant) -> None:
    """The row security of the application's role."""
    query = "select count(*) from customers where tenant_id <> 2"
    others = as_tenant(2).execute(query).fetchone()[0]

    assert others == 0, "tenant 2 sees customers of other tenants"


def test_a_tenant_sees_its_orders(as_tenant: AsTenant) -> None:
    """A policy that hides everything passes the test above."""
    orders = as_tenant(2).execute("select count(*) from orders").fetchone()[0]

    assert 50 <= orders <= 100, "tenant 2 sees too few or too many orders"


@pytest.mark.parametrize("table", ["coupons", "customers", "orders"])
def test_row_security_is_on_wherever_there_is_a_tenant(
    table: str, pgrestore_conn: psycopg.Connection
) -> None:
    """Policies of a table count only while it is on."""
    query = "select relrowsecurity from pg_class where oid = %s::regclass"
    (secured,) = pgrestore_conn.execute(query, (table,)).fetchone()

    assert secured, "row security is off"


def test_reports_cannot_read_emails(pgrestore_conn: psycopg.Connection) -> None:
    """A grant on the table is one on every column."""
    query = "select has_column_privilege('shop_report', 'customers', 'email', 'select')"
    (reads,) = pgrestore_conn.execute(query).fetchone()

    assert not reads, "shop_report reads customers.email"


@pytest.mark.parametrize("table", TABLES)
def test_everything_belongs_to_its_owner(table: str, pgrestore_conn: psycopg.Connection) -> None:
    """A migration that ran as a superuser leaves tables that the next one cannot change."""
    query = "select relowner = 'shop_owner'::regrole from pg_class where oid = %s::regclass"
    (ours,) = pgrestore_conn.execute(query, (table,)).fetchone()

    assert ours, "the table does not belong to shop_owner"


@pytest.mark.parametrize("trigger", ["orders_touch"])
def test_every_trigger_is_enabled(trigger: str, pgrestore_conn: psycopg.Connection) -> None:
    """A load of data disables them, and may end before it enables them again."""
    query = "select tgenabled <> 'D' from pg_trigger where tgname = %s and tgparentid = 0"
    (enabled,) = pgrestore_conn.execute(query, (trigger,)).fetchone()

    assert enabled, "the trigger is disabled"


def test_the_application_can_place_an_order(pgrestore_clone: RestoredInstance) -> None:
    """On a private copy, with the grants, triggers and sequences of the application."""
    with pgrestore_clone.connect(read_only=False) as connection:
        connection.execute("set role shop_app")
        connection.execute("select set_config('app.tenant', '1', false)")

        connection.execute("insert into orders (tenant_id, customer_id) values (1, 3)")


@pytest.mark.pgrestore(severity="warn")
@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_a_comment(table: str, pgrestore_conn: psycopg.Connection) -> None:
    """A warning: the run stays green."""
    query = "select obj_description(%s::regclass, 'pg_class') is not null"
    (told,) = pgrestore_conn.execute(query, (table,)).fetchone()

    assert told, "the table has no comment"


def test_what_the_application_calls_is_there(pgrestore_conn: psycopg.Connection) -> None:
    """A function, a sequence, an extension."""
    gross, order_number, plpgsql = pgrestore_conn.execute("""
        select to_regprocedure('gross(numeric)') is not null,
               to_regclass('order_number') is not null,
               exists (select from pg_extension where extname = 'plpgsql')
    """).fetchone()

    assert gross, "the function gross is missing"
    assert order_number, "the sequence order_number is missing"
    assert plpgsql, "the extension plpgsql is missing"
