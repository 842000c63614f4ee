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
        'role "app" does not exist (ALTER TABLE public.orders)',
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


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("REFRESH MATERIALIZED VIEW public.totals;", "REFRESH MATERIALIZED VIEW public.totals"),
        (
            "CREATE UNIQUE INDEX orders_note ON public.orders USING btree (note);",
            "CREATE UNIQUE INDEX orders_note",
        ),
        (
            "ALTER TABLE ONLY public.orders\n    ADD CONSTRAINT orders_fkey FOREIGN KEY (SECRET)",
            "ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_fkey",
        ),
        (
            "CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;",
            "CREATE EXTENSION IF NOT EXISTS postgis",
        ),
        (
            "CREATE FUNCTION public.total(a integer) RETURNS text AS $$SECRET$$;",
            "CREATE FUNCTION public.total",
        ),
        ("CREATE TRIGGER changed BEFORE UPDATE ON public.orders;", "CREATE TRIGGER changed"),
        ('ALTER TABLE public."Odd Name" OWNER TO app;', 'ALTER TABLE public."Odd Name"'),
        ("COMMENT ON TABLE public.orders IS 'SECRET';", "COMMENT ON TABLE public.orders"),
        ("ALTER ROLE app WITH PASSWORD 'SECRET';", "ALTER ROLE app"),
        ("SELECT pg_catalog.setval('SECRET', 1);", "SELECT pg_catalog.setval"),
    ],
)
def test_a_cause_names_its_object_and_its_command(command: str, where: str) -> None:
    """The message of a REFRESH under row security names the table that it reads, and no view."""
    said = "pg_restore: error: could not execute query: ERROR:  something is wrong\n"

    (found,) = complaints(f"{said}Command was: {command}\n")

    assert str(found) == f"something is wrong ({where})"
