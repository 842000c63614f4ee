"""Money: drill_money.toml says the same in SQL."""

from collections.abc import Callable

import psycopg
import pytest

pytestmark = pytest.mark.pgrestore("shop", timeout="1m")

Wrong = Callable[..., tuple[int, int | None]]


def test_every_entry_balances(wrong: Wrong) -> None:
    """Debit and credit of one entry cancel out."""
    entries, first = wrong("""
        select entry_id from postings group by entry_id having sum(amount) <> 0 order by entry_id
    """)

    assert entries == 0, f"{entries} entries do not balance, first {first}"


def test_balances_agree_with_the_postings(wrong: Wrong) -> None:
    """The balance that is kept is the sum that is booked."""
    accounts, first = wrong("""
        select a.id from accounts a left join postings p on p.account_id = a.id
        group by a.id having a.balance <> coalesce(sum(p.amount), 0) order by a.id
    """)

    assert accounts == 0, f"{accounts} accounts have another balance, first {first}"


def test_every_invoice_is_the_sum_of_its_lines(wrong: Wrong) -> None:
    """Tables that belong together were restored together."""
    invoices, first = wrong("""
        select i.id from invoices i left join invoice_lines l on l.invoice_id = i.id
        group by i.id having i.total <> coalesce(sum(l.amount), 0) order by i.id
    """)

    assert invoices == 0, f"{invoices} invoices do not add up, first {first}"


def test_every_day_has_an_exchange_rate(wrong: Wrong) -> None:
    """A day as a number, 20260501: a date is not shown."""
    days, first = wrong("""
        select to_char(day, 'YYYYMMDD')::int from generate_series(
            (select min(day) from exchange_rates),
            (select max(day) from exchange_rates), '1 day') day
        where not exists (select from exchange_rates r where r.day = day.day) order by day
    """)

    assert days == 0, f"{days} days have no rate, first {first}"


def test_payments_are_what_finance_reported(pgrestore_conn: psycopg.Connection) -> None:
    """A sum is a Decimal, which is not shown: make it a float."""
    paid = float(pgrestore_conn.execute("select sum(amount) from payments").fetchone()[0])

    assert paid == pytest.approx(10_400, rel=0.01), "payments are not what finance reported"


def test_no_payment_is_booked_twice(wrong: Wrong) -> None:
    """A key of the provider's is booked once."""
    references, first = wrong("""
        select min(id) from payments group by provider_reference having count(*) > 1 order by 1
    """)

    assert references == 0, f"{references} payments are there twice, first {first}"


def test_every_iban_is_valid(pgrestore_conn: psycopg.Connection) -> None:
    """Python alone: ISO 13616 has a remainder of 1, letters counted from 10."""
    for tenant, iban in pgrestore_conn.execute("select id, iban from tenants order by id"):
        remainder = int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97

        assert remainder == 1, f"the IBAN of tenant {tenant} is wrong"
