"""Which part of an exception's message may be shown: no part that can hold a row value."""

from __future__ import annotations

import re
import sys

from pytest_pgrestore.model.errors import AssertionFailed, PgRestoreError
from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.privacy.data_errors import told

READ_ONLY = "25006"
"""SQLSTATE read_only_sql_transaction. Source: PostgreSQL docs, appendix "Error Codes"."""

WRITE_HINT = (
    "HINT: pgrestore_conn is read-only; use pgrestore_clone for a private copy that can be written."
)

_DATA_EXCEPTION = "22"
"""Class of SQLSTATE whose messages quote values: invalid input syntax for type integer: "Bob"."""

_PLPGSQL_ERROR = "P0"
"""Class of SQLSTATE of a RAISE in PL/pgSQL, whose message can be any text."""

_RAISING_FUNCTION = "exec_stmt_raise"
"""Function of src/pl/plpgsql/src/pl_exec.c that reports a RAISE, whatever SQLSTATE it has."""

_QUOTED = re.compile(r'".*"', re.DOTALL)
"""From the first quote to the last one: the value may hold quotes too."""

_BYTES = re.compile(r"\b0x[0-9a-f]{2}(?: 0x[0-9a-f]{2})*", re.IGNORECASE)
"""Bytes of a value. Source: report_invalid_encoding in src/backend/utils/mb/mbutils.c."""

_WITHHELD = "(withheld)"


def message_without_values(error: BaseException) -> str:
    """Return what may be shown of an exception: its type, and its message without row values."""
    state = sqlstate_of(error)
    if state is not None:
        return _sql_message(error, state)
    if not may_hold_values(error):
        return str(error)
    first, *more = told(error) or ("",)
    name = type(error).__name__
    return "\n".join([f"{name}: {first}" if first else name, *more])


def may_hold_values(error: BaseException) -> bool:
    """Return whether the message can hold a row value: it is neither ours nor the server's."""
    return sqlstate_of(error) is None and not isinstance(error, PgRestoreError | AssertionFailed)


def sqlstate_of(error: BaseException | None) -> str | None:
    """Return the SQLSTATE of a psycopg error.

    Returns:
        "" for a psycopg error without SQLSTATE, because the connection broke. None for every
        other exception, a misuse of psycopg by the test included.
    """
    psycopg = sys.modules.get("psycopg")
    if psycopg is None or not isinstance(error, psycopg.Error):
        return None
    misuse = isinstance(error, psycopg.ProgrammingError | psycopg.InterfaceError)
    if misuse and error.sqlstate is None:
        return None
    return error.sqlstate or ""


def _sql_message(error: BaseException, state: str) -> str:
    """Return type, SQLSTATE and primary message of an SQL error, a hint below a refused write."""
    message = type(error).__name__
    if state:
        message += f" (SQLSTATE {state})"
    primary = _primary_message(error, state)
    if primary:
        message += f": {primary}"
    return f"{message}\n{WRITE_HINT}" if state == READ_ONLY else message


def _primary_message(error: BaseException, state: str) -> str:
    """Return the primary message without the values quoted in it; "" if all of it may be one.

    It names tables, say, as the backup does: it is made visible, on one line.
    """
    diagnosis = getattr(error, "diag", None)
    primary = visible(getattr(diagnosis, "message_primary", None) or "")
    raised = getattr(diagnosis, "source_function", None) == _RAISING_FUNCTION
    if raised or state.startswith(_PLPGSQL_ERROR):
        return ""
    if not state.startswith(_DATA_EXCEPTION):
        return primary
    masked = _BYTES.sub(_WITHHELD, _QUOTED.sub(_WITHHELD, primary))
    # Other languages have other quotes: the value may still be there (lc_messages).
    return masked if masked.isascii() else ""
