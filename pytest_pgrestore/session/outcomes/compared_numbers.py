"""The numbers that a false `assert` was about: they may be shown, and are what a reader needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.privacy.own_words import text_of
from pytest_pgrestore.privacy.row_values import names_of, plain_number, shown
from pytest_pgrestore.privacy.traceback_entries import statement_of

if TYPE_CHECKING:
    from _pytest._code.code import TracebackEntry


def numbers_of(error: BaseException, entry: TracebackEntry, comparison: list[str]) -> list[str]:
    """Return a line for each number that the statement of an `assert` names or compares.

    Args:
        error: What the test raised.
        entry: Its frame.
        comparison: As `Redactor.comparison` words the last one that was false; may be empty.
    """
    if not isinstance(error, AssertionError):
        return []
    values = entry.locals
    named = [name for name in names_of(statement_of(entry)) if name in values]
    lines = [
        f"where {name} = {plain_number(values[name])}" for name in named if shown(values[name])
    ]
    sides = comparison[0].split(" ") if comparison and comparison[0] in text_of(error) else []
    # What is no number begins with its type, as in <str of 3, #1a2b3c>.
    if not lines and sides and not (sides[0].startswith("<") or sides[-1].endswith(">")):
        lines = [f"assert {comparison[0]}"]
    return lines
