"""A failure as pytest shows it, without values: file, line, source text and type stay.

The classes that pytest renders with are internal (``_pytest._code.code``); written for pytest 8.2
to 9.2.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pytest_pgrestore.privacy.data_errors import told
from pytest_pgrestore.privacy.exceptions import may_hold_values, message_without_values
from pytest_pgrestore.privacy.own_words import own_words, text_of
from pytest_pgrestore.privacy.row_values import names_of, redactable
from pytest_pgrestore.privacy.traceback_entries import entries_of, leaves, statement_of
from pytest_pgrestore.privacy.written_words import words_of_python, written_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _pytest._code.code import (
        ExceptionChainRepr,
        ReprEntry,
        ReprFileLocation,
        ReprLocals,
        ReprTraceback,
        TracebackEntry,
    )

    from pytest_pgrestore.privacy.row_values import Redactor

_STYLE: Final = "short"
"""The style of ``--tb=short``."""

_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
"""Sentences between two exceptions of a chain, as Python and pytest print them."""

_MOST_ENTRIES = 50
"""Entries of a traceback that are shown: a recursion has a thousand."""


class FailureRenderer:
    """Renders a failure in the style of ``--tb=short``, with values redacted.

    Args:
        item: The test that failed.
        redactor: Turns values into type, size and hash.
        comparison: Lines that explain the last comparison of the test that was false; may be empty.
        hint: A line of ours below the message; may be empty.
    """

    def __init__(
        self, item: pytest.Item, redactor: Redactor, comparison: Sequence[str], hint: str = ""
    ) -> None:
        self._item = item
        self._redactor = redactor
        self._comparison = comparison
        self._hint = hint
        self._shows_locals = bool(item.config.getoption("showlocals", default=False))

    def render(self, error: BaseException) -> ExceptionChainRepr:
        """Return the representation of an exception, with its causes above it."""
        from _pytest._code.code import ExceptionChainRepr

        chain = [
            (*self._rendered(part, self._hint if part is error else ""), sentence)
            for part, sentence in _chain(error)
        ]
        return ExceptionChainRepr(chain[::-1])

    def _rendered(self, error: BaseException, hint: str) -> tuple[ReprTraceback, ReprFileLocation]:
        """Return the traceback of one exception, and the place where it was raised."""
        from _pytest._code.code import ReprEntry, ReprFileLocation, ReprTraceback

        entries = entries_of(error)
        message = [*self._message(error, entries), *([hint] if hint else [])]
        marked = [f"E   {line}" for line in message]
        if entries:
            rendered = self._entries(entries, marked)
            path, line = str(entries[-1].path), entries[-1].lineno + 1
        else:
            rendered = [ReprEntry(marked, None, None, None, _STYLE)]
            path, line = str(self._item.path), 0
        crash = ReprFileLocation(path, line, "\n".join(message))
        return ReprTraceback(rendered, None, _STYLE), crash

    def _entries(self, entries: list[TracebackEntry], marked: list[str]) -> list[ReprEntry]:
        """Return the frames, without the middle of a long traceback."""
        from _pytest._code.code import ReprEntry

        *outer, last = entries
        rendered = []
        half = _MOST_ENTRIES // 2
        for number, entry in enumerate(outer):
            if half <= number < len(outer) - half:
                if number == half:
                    left_out = f"... ({len(outer) - 2 * half} more frames)"
                    rendered.append(ReprEntry([left_out], None, None, None, _STYLE))
                continue
            rendered.append(self._entry(entry, []))
        return [*rendered, self._entry(last, marked)]

    def _entry(self, entry: TracebackEntry, marked: list[str]) -> ReprEntry:
        """Return one frame: its place and source text, with the lines of the message below."""
        from _pytest._code.code import ReprEntry, ReprFileLocation

        source = [f"    {line}" for line in statement_of(entry).splitlines()]
        place = ReprFileLocation(self._path(entry), entry.lineno + 1, f"in {entry.name}")
        return ReprEntry([*source, *marked], None, self._locals(entry), place, _STYLE)

    def _locals(self, entry: TracebackEntry) -> ReprLocals | None:
        """Return the local variables of a frame, redacted; None without ``--showlocals``."""
        from _pytest._code.code import ReprLocals

        if not self._shows_locals:
            return None
        # pytest's assertion rewriting has variables of its own: @py_assert1, @py_format2.
        names = sorted(name for name in entry.locals if not name.startswith(("@", "__")))
        values = [f"{name:<10} = {self._redactor.redact(entry.locals[name])}" for name in names]
        return ReprLocals(values)

    def _path(self, entry: TracebackEntry) -> str:
        path = Path(entry.path)
        here = self._item.config.invocation_params.dir
        return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)

    def message(self, error: BaseException) -> list[str]:
        """Return the lines that stand in place of the exception's own message."""
        return self._message(error, entries_of(error))

    def text(self, error: BaseException) -> str:
        """Return the message without the type before it."""
        text = "\n".join(self.message(error)).removeprefix(type(error).__name__)
        return text.removeprefix(":").removeprefix(" ")

    def _message(self, error: BaseException, entries: list[TracebackEntry]) -> list[str]:
        name = type(error).__name__
        if own := own_words(error):
            return [f"{name}: {own}"]
        if not may_hold_values(error) or told(error):
            return message_without_values(error).splitlines() or [name]
        if isinstance(error, BaseExceptionGroup):
            inner = [f"  {type(leaf).__name__}" for leaf in leaves(error)]
            return [f"{name} of {len(error.exceptions)}", *inner]
        if isinstance(error, pytest.fail.Exception | pytest.xfail.Exception):
            return [f"{name}: {reason_without_values(error, self._redactor)}"]
        if not isinstance(error, AssertionError):
            return self._other(error, entries)
        return self._assertion(error, entries)

    def _other(self, error: BaseException, entries: list[TracebackEntry]) -> list[str]:
        """Return the message of an exception of no kind that we know."""
        name = type(error).__name__
        statement = statement_of(entries[-1]) if entries else ""
        told = words_of_python(error, text_of(error), statement) if statement else None
        if told is not None:
            return [f"{name}: {told}"]
        values = [self._argument(value, entries) for value in error.args]
        return [f"{name}: {', '.join(values)}" if values else name]

    def _argument(self, value: object, entries: list[TracebackEntry]) -> str:
        """Return an argument of an exception: the author's words, or what stands for the value."""
        words = _written(value, entries, self._redactor) if isinstance(value, str) else None
        return self._redactor.redact(value) if words is None else words

    def _assertion(self, error: AssertionError, entries: list[TracebackEntry]) -> list[str]:
        """Return the comparison that was false, and the values that the statement names."""
        lines = [type(error).__name__]
        said, _, _ = text_of(error).partition("\nassert ")
        if words := _written(said, entries, self._redactor):
            lines = [f"{lines[0]}: {words}"]
        if self._comparison and self._comparison[0] in text_of(error):
            first, *more = self._comparison
            said_by_pytest = [f"assert {first}", *(f"  {line}" for line in more)]
            if words:
                lines += said_by_pytest
            else:
                lines = [f"{lines[0]}: {said_by_pytest[0]}", *said_by_pytest[1:]]
        if not entries:
            return lines
        values = entries[-1].locals
        for name in names_of(statement_of(entries[-1])):
            if name in values and redactable(values[name]):
                lines.append(f"  where {name} = {self._redactor.redact(values[name])}")
        return lines


def reason_without_values(error: BaseException, redactor: Redactor) -> str:
    """Return the reason that was given to pytest.skip, pytest.fail or pytest.xfail.

    It is redacted, unless it stands in the source text of the call.
    """
    reason = text_of(getattr(error, "msg", error))
    own = own_words(error)
    if own:
        return own
    words = _written(reason, entries_of(error), redactor) if reason else ""
    return redactor.redact(reason) if words is None else words


def _written(text: str, entries: list[TracebackEntry], redactor: Redactor) -> str | None:
    """Return a message with values redacted; None if its words are not in the source text."""
    if not entries:
        return None
    last = entries[-1]
    return written_words(
        text, statement_of(last), {**last.frame.f_globals, **last.locals}, redactor
    )


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str | None]]:
    """Yield an exception, then its causes, each with the sentence that follows it when printed."""
    current: BaseException | None = error
    sentence: str | None = None
    seen: set[int] = set()
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current, sentence
        if current.__cause__ is not None:
            current, sentence = current.__cause__, _CAUSE
        elif current.__suppress_context__:
            return
        else:
            current, sentence = current.__context__, _CONTEXT
