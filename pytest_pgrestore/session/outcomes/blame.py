"""What an exception of a test means: *failed* is a word about the backup alone.

A wrong statement, a name that Python does not know, a full disk: nothing was learned then. Errors
of SQL are also found inside of those that SQLAlchemy, Django and pandas raise from them.
"""

from __future__ import annotations

import subprocess  # nosec B404 # for the name of an exception
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.damage import is_damage
from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.model.sqlstate import Blame, blame_of
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.privacy.exceptions import READ_ONLY, sqlstate_of
from pytest_pgrestore.privacy.own_words import did_not_run, timed_out
from pytest_pgrestore.privacy.traceback_entries import leaves

if TYPE_CHECKING:
    import psycopg

_DEEPEST = 100
"""Causes of one exception that are looked at."""

_AFTER_AN_ERROR = "25P02"
"""SQLSTATE in_failed_sql_transaction: the error before it is the one that counts."""

_MISTAKE = "HINT: this is a mistake of the test, and no word about the backup: mend the test."

_HERE = {
    "57014": "raise `timeout` of the marker; a restored dump has no statistics: `analyze` a clone.",
    "53100": "free disk space for the copy, or name another place: [sandbox] directory.",
    "53200": "give the copy more memory, or ask for less at once.",
    "40": "run it again: another transaction was in the way.",
    "55": "look what else uses the copy, or whether it must be loaded when the server starts.",
    "HV": "the copy reaches no other server, on purpose: ask its own tables.",
    "": "look into the server's log, beside the reports.",
}
"""Hints by SQLSTATE, or by its class; "" is for all others."""

_OF_PYTHON: tuple[tuple[type[BaseException], str], ...] = (
    (ImportError, "HINT: install here what the test imports, or mend the import."),
    (NameError, _MISTAKE),
    (pytest.FixtureLookupError, _MISTAKE),
    (pytest.PytestReturnNotNoneWarning, "HINT: write `assert` in place of `return`."),
    (MemoryError, "HINT: read less at once: this machine has no more memory."),
    (OSError, "HINT: a file or a connection of this machine is missing here; see the error."),
    (subprocess.TimeoutExpired, "HINT: give the command more time."),
)
"""Exceptions that no row can cause."""


def verdict_of(error: BaseException | None, when: str | None) -> Verdict:
    """Return what an exception means for the backup.

    Args:
        error: None if pytest failed the test without one.
        when: Phase of the test. In its body, "call", an error is a finding. In setup and teardown
            nothing was learned.
    """
    return _judged(error, when)[0]


def hint_of(error: BaseException | None, when: str | None) -> str:
    """Return a line that says why nothing was learned, and what to do; "" if there is none."""
    return _judged(error, when)[1]


def sql_error_in(error: BaseException | None) -> psycopg.Error | None:
    """Return the error of psycopg that an exception is, or was raised from; None without one."""
    kind: type[psycopg.Error] | None = getattr(sys.modules.get("psycopg"), "Error", None)
    link = error
    for _ in range(_DEEPEST):
        if link is None or kind is None:
            return None
        if isinstance(link, kind):
            before = link.__context__
            failed_before = link.sqlstate == _AFTER_AN_ERROR
            return before if failed_before and isinstance(before, kind) else link
        link = link.__cause__
    return None


def is_damaged(error: BaseException | None) -> bool:
    """Tell whether an error of SQL is about files of the backup, in whatever phase."""
    leaved = leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    found = [sql_error_in(leaf) for leaf in leaved]
    states = [(sqlstate_of(one), str(one)) for one in found if one is not None]
    return any(state is not None and is_damage(state, said) for state, said in states)


def _judged(error: BaseException | None, when: str | None) -> tuple[Verdict, str]:
    learned = Verdict.FAILED if when == "call" else Verdict.COULD_NOT_VERIFY
    if isinstance(error, PgRestoreError):
        return error.verdict, ""
    if isinstance(error, BaseExceptionGroup):
        parts = [_judged(leaf, when) for leaf in leaves(error)]
        return next((part for part in parts if part[0] is Verdict.FAILED), parts[0])
    if is_damaged(error):
        return Verdict.FAILED, ""
    why = None if error is None else _why_nothing_was_learned(error)
    return (learned, "") if why is None else (Verdict.COULD_NOT_VERIFY, why)


def _why_nothing_was_learned(error: BaseException) -> str | None:
    """Return a hint; "" if the error says all. None for what is a finding in the body of a test."""
    if timed_out(error) or did_not_run(error):
        return ""
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return None  # whatever it was raised from: the author says so
    found = sql_error_in(error)
    return _of_python(error) if found is None else _of_sql(found)


def _of_python(error: BaseException) -> str | None:
    if isinstance(error, UnboundLocalError):
        return None  # a loop over no rows leaves a local variable without a value
    if isinstance(error, SyntaxError) and str(error.filename).endswith(".py"):
        return _MISTAKE
    return next((hint for kind, hint in _OF_PYTHON if isinstance(error, kind)), None)


def _of_sql(error: psycopg.Error) -> str | None:
    state = sqlstate_of(error)
    if state is None:
        return _MISTAKE  # psycopg refused the call, and the server never saw it
    said = error.diag
    blame = blame_of(state, said.message_primary, said.statement_position, said.context)
    if blame is Blame.MISTAKE:
        return "" if state == READ_ONLY else _MISTAKE  # a write has a hint of its own
    if blame is Blame.HERE:
        hint = next((_HERE[key] for key in (state, state[:2]) if key in _HERE), _HERE[""])
        return f"HINT: {hint}"
    return None
