"""Errors of psql and pg_restore: their cause, whose fault it is, and no row value or password."""

from __future__ import annotations

import pytest

from pytest_pgrestore.sources.dump.loading.messages import complaints, redact

PG_RESTORE = """pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 218; 1259 16433 TABLE orders app
pg_restore: error: could not execute query: ERROR:  role "app" does not exist
Command was: ALTER TABLE public.orders OWNER TO app;

pg_restore: error: COPY failed for table "orders": ERROR:  invalid input syntax for type \
integer: "SECRET"
CONTEXT:  COPY orders, line 7, column id: "SECRET"
pg_restore: warning: errors ignored on restore: 2
"""
PSQL = """psql:<stdin>:12: NOTICE:  nothing to see
psql:<stdin>:45: ERROR:  duplicate key value violates unique constraint "orders_pkey"
DETAIL:  Key (email)=(SECRET@example.org) already exists.
CONTEXT:  COPY orders, line 8
"""


def test_errors_are_found_and_nothing_else() -> None:
    """Warnings and notices are no errors; statements are left out."""
    found = [str(entry) for entry in complaints(PG_RESTORE)]

    assert found == [
        'role "app" does not exist (TABLE orders: ALTER TABLE public.orders)',
        (
            'COPY failed for table "orders": invalid input syntax for type integer: (not shown)'
            " (COPY orders, line 7)"
        ),
    ]


@pytest.mark.parametrize("stderr", [PG_RESTORE, PSQL], ids=["pg_restore", "psql"])
def test_no_row_value_is_kept(stderr: str) -> None:
    """Reports are sent by mail and kept for years."""
    assert "SECRET" not in "".join(str(entry) for entry in complaints(stderr))


@pytest.mark.parametrize(
    "text",
    [
        "syntax error at or near PASSWORD 'SECRET'",
        'invalid input value for enum mood: "SECRET"',
        'value "SECRET" is out of range for type integer',
        'date/time field value out of range: "SECRET"',
        "could not connect: password=SECRET",
        'syntax error at or near "SECRET"',
        "bad subscription CONNECTION 'host=x password=SECRET'",
        'malformed array literal: "{SECRET"',
    ],
)  # fmt: skip
def test_values_and_secrets_are_redacted(text: str) -> None:
    """Some messages contain the value in their first line."""
    assert "SECRET" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        'relation "orders" does not exist',
        'new row for relation "orders" violates check constraint "positive"',
        'could not create unique index "orders_pkey"',
    ],
)
def test_names_of_things_stay(text: str) -> None:
    """Without the names nobody could correct the error."""
    assert redact(text) == text


ENTRY = """pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 9; {oids} {entry}
pg_restore: error: could not execute query: ERROR:  something is wrong
Command was: {command}
"""


@pytest.mark.parametrize(
    ("entry", "command", "where"),
    [
        (
            "MATERIALIZED VIEW DATA totals app",
            "REFRESH MATERIALIZED VIEW public.totals;",
            "MATERIALIZED VIEW DATA totals: REFRESH MATERIALIZED VIEW public.totals",
        ),
        (
            "INDEX orders_note app",
            "CREATE UNIQUE INDEX orders_note ON public.orders USING btree (note);",
            "INDEX orders_note: CREATE UNIQUE INDEX orders_note",
        ),
        (
            "FK CONSTRAINT orders orders_customer_fkey app",
            "ALTER TABLE ONLY public.orders\n    ADD CONSTRAINT orders_customer_fkey ...",
            "FK CONSTRAINT orders orders_customer_fkey: ALTER TABLE ONLY public.orders",
        ),
        (
            "EXTENSION postgis ",
            "CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;",
            "EXTENSION postgis: CREATE EXTENSION IF NOT EXISTS postgis",
        ),
        (
            "FUNCTION total(integer, text) app",
            "CREATE FUNCTION public.total(a integer, b text) RETURNS text AS $$SECRET$$;",
            "FUNCTION total(integer, text): CREATE FUNCTION public.total",
        ),
        (
            "TRIGGER orders changed app",
            "CREATE TRIGGER changed BEFORE UPDATE ON public.orders;",
            "TRIGGER orders changed: CREATE TRIGGER changed",
        ),
        (
            "COMMENT TABLE orders app",
            "COMMENT ON TABLE public.orders IS 'SECRET';",
            "COMMENT TABLE orders: COMMENT ON TABLE public.orders",
        ),
        (
            'TABLE Odd "Name" app',
            'ALTER TABLE public."Odd ""Name""" OWNER TO app;',
            'TABLE Odd "Name": ALTER TABLE public."Odd "',
        ),
        # A parallel worker wrote between the lines of another one.
        ("TABLE customers app", "CREATE INDEX note ON public.orders;", "CREATE INDEX note"),
    ],
)
def test_a_cause_names_its_object_and_its_command(entry: str, command: str, where: str) -> None:
    """The message of a REFRESH under row security names the table that it reads, and no view."""
    text = ENTRY.format(oids="0 16433", entry=entry, command=command)

    (found,) = complaints(text)

    assert str(found) == f"something is wrong ({where})"


def test_all_errors_of_one_entry_name_it() -> None:
    """pg_restore tells the entry once."""
    text = ENTRY.format(
        oids="1259 16433", entry="TABLE orders app", command="CREATE TABLE x.orders"
    )
    again = text.partition("\n")[2].partition("\n")[2]

    found = complaints(text + again)

    assert [entry.where for entry in found] == ["TABLE orders: CREATE TABLE x.orders"] * 2
