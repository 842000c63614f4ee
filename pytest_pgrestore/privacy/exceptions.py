"""What may be shown of an exception: its type, and its message where that cannot hold a row value."""

from __future__ import annotations

import re
import sys

from pytest_pgrestore.model.errors import AssertionFailed, PgRestoreError

READ_ONLY = "25006"
"""SQLSTATE read_only_sql_transaction."""

WRITE_HINT = (
    "HINT: pgrestore_conn is read-only; use pgrestore_clone for a private copy that can be written."
)


_DATA_EXCEPTION = "22"
"""Class of SQLSTATE whose primary message quotes values: invalid input syntax for type integer: "Bob"."""

_RAISED = "P0"
"""Class of SQLSTATE of PL/pgSQL's own RAISE, whose text is anything."""

_RAISING_FUNCTION = "exec_stmt_raise"
"""Where the server says a RAISE with a SQLSTATE of the author's choice came from. Source: src/pl/plpgsql/pl_exec.c."""

_QUOTED = re.compile(r'".*"', re.DOTALL)
"""From the first quote to the last: a value may hold quotes itself."""

_BYTES = re.compile(r"\b0x[0-9a-f]{2}(?: 0x[0-9a-f]{2})*", re.IGNORECASE)
"""Bytes of a value, as in: invalid byte sequence for encoding."""


def describe(error: BaseException) -> str:
    """Return what may be told of an exception: its type, and its text where that cannot hold a row value."""
    state = sqlstate_of(error)
    if state is not None:
        words = f"{type(error).__name__} (SQLSTATE {state})" if state else type(error).__name__
        primary = _primary(error, state)
        words += f": {primary}" if primary else ""
        return f"{words}\n{WRITE_HINT}" if state == READ_ONLY else words
    return type(error).__name__ if shows_type_only(error) else str(error)


def shows_type_only(error: BaseException) -> bool:
    """Tell whether nothing but the type of an exception may be told: its text is neither ours nor the server's."""
    return sqlstate_of(error) is None and not isinstance(error, PgRestoreError | AssertionFailed)


def _primary(error: BaseException, state: str) -> str:
    """Return the primary message of an SQL error without the values quoted in it; empty where all of it may be one."""
    diagnosis = getattr(error, "diag", None)
    primary = getattr(diagnosis, "message_primary", None) or ""
    if (
        state.startswith(_RAISED)
        or getattr(diagnosis, "source_function", None) == _RAISING_FUNCTION
    ):
        return ""
    if state.startswith(_DATA_EXCEPTION):
        primary = _BYTES.sub("(withheld)", _QUOTED.sub("(withheld)", primary))
        return primary if primary.isascii() else ""  # quotes of another language
    return primary


def sqlstate_of(error: BaseException | None) -> str | None:
    """Return the SQLSTATE of a psycopg error, "" for one without (the connection broke); None for other errors."""
    psycopg = sys.modules.get("psycopg")
    if psycopg is None or not isinstance(error, psycopg.Error):
        return None
    if (
        isinstance(error, psycopg.ProgrammingError | psycopg.InterfaceError)
        and error.sqlstate is None
    ):
        return None  # a misuse of the driver, by the test
    return error.sqlstate or ""
