"""An interruption whose traceback pytest can show."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pytest


def give_lines(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Give every entry of an interruption's traceback a line number.

    A signal may arrive at an instruction without one: CPython compiles some (PEP 626). pytest 9.2
    ends with a TypeError and status 1 when it shows such an entry.
    """
    error: BaseException | None = excinfo.value
    known: set[int] = set()
    while error is not None and id(error) not in known:
        known.add(id(error))
        error.__traceback__ = _with_lines(error.__traceback__)
        error = error.__cause__ or error.__context__
    with_lines = _with_lines(excinfo.tb)
    if with_lines is not None:
        excinfo.traceback = type(excinfo.traceback)(with_lines)


def _with_lines(entry: TracebackType | None) -> TracebackType | None:
    """Return the traceback with the first line of the function where there is no line."""
    if entry is None:
        return None
    line = cast("int | None", entry.tb_lineno)  # typeshed leaves out that it may be None
    following, frame = _with_lines(entry.tb_next), entry.tb_frame
    if line is None:
        return TracebackType(following, frame, -1, frame.f_code.co_firstlineno)
    return TracebackType(following, frame, entry.tb_lasti, line)
