"""Keys, sequences, enums and tables: drill_keys.toml says the same in SQL."""

from collections.abc import Callable

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

pytestmark = pytest.mark.pgrestore("shop")

Wrong = Callable[..., tuple[int, int | None]]

STATES = ("new", "paid", "shipped", "cancelled")
TABLES = ("countries", "customers", "entries", "invoices", "orders", "payments", "tenants")


def test_no_order_line_without_its_order(wrong: Wrong) -> None:
    """There is no foreign key: the key of a partitioned table has the month, too."""
    lines, first = wrong("""
        select l.id from order_lines l left join orders o on o.id = l.order_id
        where o.id is null order by l.id
    """)

    assert lines == 0, f"{lines} lines have no order, first {first}"


# The names of the constraints are texts: one test for each, and its name tells which one it is.
@pytest.mark.parametrize(
    "key", ["invoice_lines_invoice_id_fkey", "postings_entry_id_fkey", "postings_account_id_fkey"]
)
def test_every_foreign_key_is_validated(key: str, pgrestore_conn: psycopg.Connection) -> None:
    """Rows of before a key that is not validated may break it."""
    query = "select convalidated from pg_constraint where conname = %s"
    (validated,) = pgrestore_conn.execute(query, (key,)).fetchone()

    assert validated, "the foreign key is not validated"


def test_an_email_belongs_to_one_live_customer_of_a_tenant(wrong: Wrong) -> None:
    """The business's key, whatever the case."""
    emails, first = wrong("""
        select min(id) from customers where deleted_at is null
        group by tenant_id, lower(email) having count(*) > 1 order by 1
    """)

    assert emails == 0, f"{emails} emails belong to two customers, first {first}"


@pytest.mark.parametrize(
    ("sequence", "table"), [("order_number", "orders"), ("customers_id_seq", "customers")]
)
def test_sequences_are_ahead_of_their_keys(
    sequence: str, table: str, pgrestore_conn: psycopg.Connection
) -> None:
    """Otherwise the next insert fails."""
    query = SQL("select last_value, (select max(id) from {}) from {}")
    names = Identifier(table), Identifier(sequence)
    last, largest = pgrestore_conn.execute(query.format(*names)).fetchone()

    assert last >= largest, "the sequence is behind the key"


def test_an_order_has_the_states_that_the_application_knows(
    pgrestore_conn: psycopg.Connection,
) -> None:
    """Code that does not know a state fails when it reads it."""
    query = "select unnest(enum_range(null::order_status))::text"
    states = [state for (state,) in pgrestore_conn.execute(query)]
    unknown, missing = len(set(states) - set(STATES)), len(set(STATES) - set(states))

    assert unknown == 0, f"{unknown} states are new to the application"
    assert missing == 0, f"{missing} states that the application knows are gone"


@pytest.mark.parametrize("table", TABLES)
def test_no_table_is_empty(table: str, pgrestore_conn: psycopg.Connection) -> None:
    """A table can be restored, and its rows be lost."""
    query = SQL("select count(*) from {}").format(Identifier(table))
    rows = pgrestore_conn.execute(query).fetchone()[0]

    assert rows > 0, "the table is empty"
