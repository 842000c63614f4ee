"""Tracebacks: the entries that are about a test, their source text, and copies without variables.

Any entry may lack something: the source text (``exec``, Cython, a zip file), or the line.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from types import FrameType, FunctionType, TracebackType
from typing import TYPE_CHECKING, cast

import pytest

from pytest_pgrestore.model.version import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _pytest._code.code import TracebackEntry

_FRAMEWORKS = {"_pytest", "pluggy"}
"""Packages whose frames are not about the test, as ours are not."""

_OF_A_MODULE = ("__name__", "__file__", "__loader__", "__unittest")
"""Globals that readers of tracebacks use: `linecache` finds source text with them."""


def entries_of(error: BaseException) -> list[TracebackEntry]:
    """Return the entries of a traceback that are about the test; all if there is none.

    An exception that was never raised has no entry.
    """
    traceback = with_lines(error.__traceback__)
    if traceback is None:
        return []
    excinfo = pytest.ExceptionInfo.from_exc_info((type(error), error, traceback))
    entries = list(excinfo.traceback)
    outside = [entry for entry in entries if not _is_framework(entry)]
    return [entry for entry in outside if not _is_hidden(entry, excinfo)] or outside or entries


def statement_of(entry: TracebackEntry) -> str:
    """Return the source text of the statement that ran; "" if there is no source."""
    try:
        return textwrap.dedent(str(entry.statement))
    # pytest (9.2) asserts that there is a source, and its `TracebackEntry.__str__` catches all too.
    except Exception:  # noqa: BLE001 - the file may be another one by now: any line may be missing
        return ""


def with_lines(traceback: TracebackType | None) -> TracebackType | None:
    """Return the traceback with the first line of the function where an entry has no line.

    A signal may arrive at an instruction without one: CPython compiles some (PEP 626). pytest 9.2
    ends with a TypeError and status 1 when it shows such an entry.
    """
    made: TracebackType | None = None
    for entry in reversed(list(_walk(traceback))):
        # Without a line the instruction has no columns either, and traceback.py needs both.
        instruction = entry.tb_lasti if _has_line(entry) else -1
        made = TracebackType(made, entry.tb_frame, instruction, _line(entry))
    return made


def without_variables(error: BaseException) -> TracebackType | None:
    """Return the traceback of an exception with file, function and line, and no variable.

    Sentry's integration, for example, sends the variables of every frame. A frame of a generator
    that never ran has none, and names no frame that called it.
    """
    kept: TracebackType | None = None
    for entry in reversed(list(_walk(error.__traceback__))):
        kept = TracebackType(kept, _frame_like(entry.tb_frame), -1, _line(entry))
    return kept


def frames_of(error: BaseException) -> list[FrameType]:
    """Return the frames that an exception passed through, the outermost first."""
    return [entry.tb_frame for entry in _walk(error.__traceback__)]


def raised_in(error: BaseException) -> Path | None:
    """Return the file of the code that raised an exception, pytest's own helpers left out."""
    entries = list(_walk(error.__traceback__))
    files = [Path(entry.tb_frame.f_code.co_filename) for entry in entries]
    outside = [file for file in files if _FRAMEWORKS.isdisjoint(file.parts)]
    return outside[-1] if outside else None


def failed_by_pytest(error: BaseException) -> bool:
    """Return whether code of pytest itself, and no test, called `pytest.fail` or `pytest.skip`."""
    files = [Path(entry.tb_frame.f_code.co_filename) for entry in _walk(error.__traceback__)]
    return len(files) > 1 and files[-1].name == "outcomes.py" and files[-2].parent.name == "_pytest"


def raised_by_us(error: BaseException) -> bool:
    """Return whether code of this package raised an exception: its text is ours."""
    file = raised_in(error)
    return file is not None and PACKAGE in file.parents


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Yield the exceptions of a group that are no groups themselves, at every depth."""
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop(0)
        if isinstance(error, BaseExceptionGroup):
            waiting[:0] = error.exceptions
        else:
            yield error


def _walk(traceback: TracebackType | None) -> Iterable[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _has_line(entry: TracebackType) -> bool:
    return cast("int | None", entry.tb_lineno) is not None  # typeshed leaves out that it may be


def _line(entry: TracebackType) -> int:
    return entry.tb_lineno if _has_line(entry) else entry.tb_frame.f_code.co_firstlineno


def _template() -> Iterator[None]:
    yield


def _frame_like(frame: FrameType) -> FrameType:
    """Return a frame with the place of `frame`, and without its variables."""
    code = frame.f_code
    place = _template.__code__.replace(
        co_filename=code.co_filename,
        co_name=code.co_name,
        co_qualname=code.co_qualname,
        co_firstlineno=code.co_firstlineno,
    )
    names = frame.f_globals
    module = {name: names[name] for name in _OF_A_MODULE if name in names}
    hides = frame.f_locals.get("__tracebackhide__", names.get("__tracebackhide__"))
    if hides is not None:
        module["__tracebackhide__"] = hides
    generator = FunctionType(place, module)()
    return cast("FrameType", generator.gi_frame)


def _is_hidden(entry: TracebackEntry, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Return whether `__tracebackhide__` hides an entry; it may be any callable of the user's."""
    try:
        return bool(entry.ishidden(excinfo))
    except Exception:  # noqa: BLE001 - the user's callable may raise anything
        return False


def _is_framework(entry: TracebackEntry) -> bool:
    path = Path(entry.path)
    if not _FRAMEWORKS.isdisjoint(path.parts) or PACKAGE in path.parents:
        return True
    # The mark by which unittest finds its own frames: Lib/unittest/result.py.
    return "__unittest" in entry.frame.f_globals
