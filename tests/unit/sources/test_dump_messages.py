"""Errors of psql and pg_restore: their cause, whose fault it is, and no row value or password."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.dump.loading.causes import blame, missing_roles
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
        'role "app" does not exist',
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
    ("text", "kind"),
    [
        ('could not extend file "base/1/2": No space left on device', HarnessError),
        ('extension "postgis" is not available', HarnessError),
        ("unsupported version (1.17) in file header", HarnessError),
        ("invalid command \\restrict", HarnessError),
        ("could not read from input file: end of file", BackupNotRestorable),
        ('role "app" does not exist', BackupNotRestorable),
        ('relation "orders" does not exist', BackupNotRestorable),
    ],
)
def test_the_right_one_is_to_blame(text: str, kind: type[Exception]) -> None:
    """A bad backup must not look like a full disk."""
    assert type(blame("psql", complaints(f"psql:<stdin>:1: ERROR:  {text}"))) is kind


def test_a_full_disk_beats_what_follows_from_it() -> None:
    """Later errors are only consequences of the full disk."""
    stderr = (
        'psql:<stdin>:1: ERROR:  relation "t" does not exist\n'
        "pg_restore: error: ERROR:  disk full\n"
    )

    error = blame("psql", complaints(stderr))

    assert type(error) is HarnessError
    assert "and 1 more" in error.problem or "1 further error" in error.problem


def test_every_missing_role_is_named_once() -> None:
    """The order is that of the first message."""
    stderr = "".join(
        f'pg_restore: error: ERROR:  role "{name}" does not exist\n' for name in ("b", "a", "b")
    )

    assert missing_roles(complaints(stderr)) == ["b", "a"]
