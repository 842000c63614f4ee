"""Which part of an exception's message is shown."""

from __future__ import annotations

import psycopg
import pytest

from pytest_pgrestore.model.errors import AssertionFailed, HarnessError
from pytest_pgrestore.privacy.exceptions import message_without_values, sqlstate_of


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AssertionError("secret"), "AssertionError"),
        (KeyError("secret"), "KeyError"),
        (
            psycopg.errors.InvalidTextRepresentation("secret"),
            "InvalidTextRepresentation (SQLSTATE 22P02)",
        ),
        (psycopg.errors.UniqueViolation("secret"), "UniqueViolation (SQLSTATE 23505)"),
        (HarnessError("no disk", "free it."), "no disk\nHINT: free it."),
        (AssertionFailed("expected no rows"), "expected no rows"),
        (AssertionFailed("the value is a\n::error::b"), "the value is a\n\\x3a:error::b"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_message_of_an_error_holds_no_value(error: Exception, text: str) -> None:
    """Messages of assertions and of data errors quote rows."""
    assert message_without_values(error) == text


class Diagnosis:
    """The part of psycopg's Diagnostic that is read."""

    def __init__(self, primary: str, function: str = "") -> None:
        self.message_primary = primary
        self.source_function = function


@pytest.mark.parametrize(
    ("kind", "diagnosis", "shown"),
    [
        (
            psycopg.errors.InvalidTextRepresentation,
            Diagnosis('no integer: "Bob"s "x"'),
            ": no integer: (withheld)",
        ),
        (
            psycopg.errors.CharacterNotInRepertoire,
            Diagnosis("invalid bytes: 0xe2 0x82"),
            ": invalid bytes: (withheld)",
        ),
        (psycopg.errors.InvalidTextRepresentation, Diagnosis("ungültig: »Bob«"), ""),
        (psycopg.errors.DivisionByZero, Diagnosis("division by zero"), ": division by zero"),
        (
            psycopg.errors.UndefinedTable,
            Diagnosis('relation "shop" does not exist'),
            ': relation "shop" does not exist',
        ),
        (
            psycopg.errors.UndefinedTable,
            Diagnosis('relation "a\n::error::b\x1b[31m" does not exist'),
            r': relation "a\n::error::b\x1b[31m" does not exist',
        ),
        (psycopg.errors.RaiseException, Diagnosis("Bob"), ""),
        (psycopg.errors.CheckViolation, Diagnosis("Bob", "exec_stmt_raise"), ""),
    ],
    ids=[
        *("quoted", "bytes", "other language", "none", "identifier", "hostile identifier"),
        *("raise", "raise with a code"),
    ],
)
def test_a_primary_message_is_shown_without_the_values_in_it(
    kind: type[psycopg.Error], diagnosis: Diagnosis, shown: str
) -> None:
    """Names of tables stay: a reader needs them."""

    class Error(kind):  # type: ignore[misc, valid-type]  # its class is a parameter
        diag = diagnosis

    assert message_without_values(Error()) == f"Error (SQLSTATE {kind.sqlstate}){shown}"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (psycopg.errors.UniqueViolation(), "23505"),
        (psycopg.OperationalError("server closed the connection"), ""),
        (psycopg.ProgrammingError("the query has 0 placeholders"), None),
        (psycopg.InterfaceError("the connection is closed"), None),
        (KeyError("x"), None),
        (None, None),
    ],
    ids=repr,
)
def test_a_lost_connection_is_no_misuse_of_the_driver(
    error: Exception | None, state: str | None
) -> None:
    """The one says nothing about the backup; the other is a mistake in the test."""
    assert sqlstate_of(error) == state
