"""A traceback without values: file, line, source text and type stay, values are redacted."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.version import PACKAGE
from pytest_pgrestore.privacy.exceptions import describe, shows_type_only
from pytest_pgrestore.privacy.row_values import constants_of, names_of, redactable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest._code.code import ExceptionChainRepr, TracebackEntry

    from pytest_pgrestore.privacy.row_values import Redactor


_FRAMEWORKS = {"_pytest", "pluggy"}
"""Packages whose frames say nothing about a test; our own is one more."""

_CAUSE = "The above exception was the direct cause of the following exception:"


_CONTEXT = "During handling of the above exception, another exception occurred:"

COMPARED = pytest.StashKey[list[str]]()
"""On an item: the explanation of its last comparison that did not hold."""


def _all_of(error: BaseException) -> Iterator[BaseException]:
    yield error
    for inner in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _all_of(inner)


def text_of(excinfo: pytest.ExceptionInfo[BaseException], redactor: Redactor) -> str:
    """Return the reason given to pytest.skip, pytest.fail or pytest.xfail: as written in the code, else redacted."""
    reason = str(getattr(excinfo.value, "msg", excinfo.value))
    entries = _frames(excinfo)
    return (
        reason
        if not reason or (entries and reason in constants_of(_statement(entries[-1])))
        else redactor.of(reason)
    )


def _frames(excinfo: pytest.ExceptionInfo[BaseException]) -> list[TracebackEntry]:
    """Return the entries of a traceback that are about the test; all when none is."""
    entries = list(excinfo.traceback)
    outside = [entry for entry in entries if not _is_framework(entry)]
    return [entry for entry in outside if not entry.ishidden(excinfo)] or outside or entries


def _is_framework(entry: TracebackEntry) -> bool:
    path = Path(entry.path)
    inside = not _FRAMEWORKS.isdisjoint(path.parts) or PACKAGE in path.parents
    return inside or "__unittest" in entry.frame.f_globals  # as unittest itself marks its own


def _statement(entry: TracebackEntry) -> str:
    try:
        return textwrap.dedent(str(entry.statement))
    except (OSError, IndexError):
        return ""


class Rendering:
    """Renders an exception as pytest does, in the short form and without values."""

    def __init__(self, item: pytest.Item, redactor: Redactor) -> None:
        self._item = item
        self._redactor = redactor
        self._locals = bool(item.config.getoption("showlocals", default=False))

    def of(self, excinfo: pytest.ExceptionInfo[BaseException]) -> ExceptionChainRepr:
        """Return the representation of an exception, its causes first."""
        from _pytest._code.code import ExceptionChainRepr

        chain = []
        error: BaseException | None = excinfo.value
        words: str | None = None
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            chain.append((*self._one(error), words))
            explicit = error.__cause__ is not None
            words = _CAUSE if explicit else _CONTEXT
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return ExceptionChainRepr(chain[::-1])

    def _one(self, error: BaseException) -> tuple[Any, Any]:
        from _pytest._code.code import ReprEntry, ReprFileLocation, ReprTraceback

        entries: list[TracebackEntry] = []
        if error.__traceback__ is not None:
            entries = _frames(pytest.ExceptionInfo.from_exception(error))
        told = self._told(error, entries)
        marked = [f"E   {line}" for line in told]
        rendered = []
        for entry in entries:
            last = entry is entries[-1]
            lines = [f"    {line}" for line in _statement(entry).splitlines()] + (
                marked if last else []
            )
            place = ReprFileLocation(self._path(entry), entry.lineno + 1, f"in {entry.name}")
            rendered.append(ReprEntry(lines, None, self._locals_of(entry), place, "short"))
        if not rendered:
            rendered = [ReprEntry(marked, None, None, None, "short")]
        path, line = (
            (str(entries[-1].path), entries[-1].lineno + 1)
            if entries
            else (str(self._item.path), 0)
        )
        crash = ReprFileLocation(path, line, "\n".join(told))
        return ReprTraceback(rendered, None, "short"), crash

    def _told(self, error: BaseException, entries: list[TracebackEntry]) -> list[str]:
        """Return the lines that stand in place of the exception's own text."""
        if not shows_type_only(error):
            return describe(error).splitlines() or [type(error).__name__]
        name = type(error).__name__
        if isinstance(error, BaseExceptionGroup):
            return [
                f"{name} of {len(error.exceptions)}",
                *(f"  {type(inner).__name__}" for inner in _inner(error)),
            ]
        statement = _statement(entries[-1]) if entries else ""
        if isinstance(error, AssertionError):
            return self._assertion(name, str(error), statement, entries)
        if isinstance(error, pytest.fail.Exception | pytest.xfail.Exception):
            return [
                f"{name}: {text_of(pytest.ExceptionInfo.from_exception(error), self._redactor)}"
            ]
        written = constants_of(statement)
        values = [
            value if isinstance(value, str) and value in written else self._redactor.of(value)
            for value in error.args
        ]
        return [f"{name}: {', '.join(values)}" if values else name]

    def _assertion(
        self, kind: str, text: str, statement: str, entries: list[TracebackEntry]
    ) -> list[str]:
        compared = self._item.stash.get(COMPARED, [])
        mine = bool(compared) and compared[0] in text
        lines = (
            [f"{kind}: assert {compared[0]}", *(f"  {line}" for line in compared[1:])]
            if mine
            else [kind]
        )
        values = entries[-1].locals if entries else {}
        told = [name for name in names_of(statement) if name in values and redactable(values[name])]
        return lines + [f"  where {name} = {self._redactor.of(values[name])}" for name in told]

    def _locals_of(self, entry: TracebackEntry) -> Any:
        from _pytest._code.code import ReprLocals

        if not self._locals:
            return None
        values = {
            name: value for name, value in entry.locals.items() if not name.startswith(("@", "__"))
        }
        return ReprLocals(
            [f"{name:<10} = {self._redactor.of(value)}" for name, value in sorted(values.items())]
        )

    def _path(self, entry: TracebackEntry) -> str:
        path = Path(entry.path)
        here = self._item.config.invocation_params.dir
        return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _inner(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [error for error in _all_of(group) if not isinstance(error, BaseExceptionGroup)]
