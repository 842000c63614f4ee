"""What an exception means for the backup."""

from __future__ import annotations

import psycopg
import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.session.outcomes.blame import verdict_of


def raised_from(error: Exception, cause: Exception) -> Exception:
    """Return an exception with its cause."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (AssertionError(), "failed"),
        (KeyError("x"), "failed"),
        (psycopg.errors.UndefinedColumn(), "failed"),
        (psycopg.errors.DataCorrupted(), "failed"),
        (psycopg.errors.IndexCorrupted(), "failed"),
        (psycopg.errors.UndefinedTable(), "failed"),
        (raised_from(RuntimeError(), psycopg.errors.UndefinedTable()), "failed"),
        (raised_from(RuntimeError(), psycopg.errors.SyntaxError()), "could not verify"),
        (raised_from(RuntimeError(), KeyError()), "failed"),
        (raised_from(AssertionError(), psycopg.errors.SyntaxError()), "failed"),
        (ExceptionGroup("x", [psycopg.errors.SyntaxError()]), "could not verify"),
        (ExceptionGroup("x", [psycopg.errors.SyntaxError(), KeyError()]), "failed"),
        (UnboundLocalError("x"), "failed"),
        (TypeError("x"), "failed"),
        (ValueError("x"), "failed"),
        (psycopg.ProgrammingError("the query has 0 placeholders"), "could not verify"),
        (psycopg.errors.SyntaxError(), "could not verify"),
        (psycopg.errors.DeadlockDetected(), "could not verify"),
        (NameError("x"), "could not verify"),
        (ModuleNotFoundError("x"), "could not verify"),
        (MemoryError(), "could not verify"),
        (FileNotFoundError(), "could not verify"),
        (BackupNotRestorable("x", "y"), "failed"),
        (psycopg.errors.DiskFull(), "could not verify"),
        (psycopg.errors.OutOfMemory(), "could not verify"),
        (psycopg.errors.AdminShutdown(), "could not verify"),
        (psycopg.errors.QueryCanceled(), "could not verify"),
        (psycopg.OperationalError("server closed the connection"), "could not verify"),
        (HarnessError("x", "y"), "could not verify"),
        (ConfigError("x", "y"), "could not verify"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_in_a_test_is_blamed_on_the_right_one(error: Exception, verdict: str) -> None:
    """A full disk is not a bad backup; a damaged page is."""
    assert verdict_of(error, "call") == verdict


def test_an_error_around_a_test_says_nothing_about_the_backup() -> None:
    """The assertion never ran."""
    assert verdict_of(KeyError("x"), "setup") == "could not verify"
    assert verdict_of(BackupNotRestorable("x", "y"), "setup") == "failed"
