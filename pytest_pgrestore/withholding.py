"""Keeping values of rows out of pytest's own reports: the tests of drills are shown without them.

pytest shows a failing assertion with the values it compared, on the terminal and in ``--junitxml``, and CI systems
keep both. A report of a test that belongs to a drill is therefore rendered anew from its exception: file, line,
source text and type stay, and values are redacted. Built from what may be shown rather than by taking out what may
not. ``--pgrestore-show-values`` leaves everything but secrets as pytest made it.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.outcomes import ATTRIBUTE, describe, drills_of, is_told_by_type
from pytest_pgrestore.redaction import constants_of, names_of, redactable
from pytest_pgrestore.session import BUILT_IN, SESSION, TELLS_ITSELF

if TYPE_CHECKING:
    import warnings
    from collections.abc import Iterator

    from _pytest._code.code import ExceptionChainRepr, TracebackEntry

    from pytest_pgrestore.redaction import Redactor
    from pytest_pgrestore.session import DrillSession

WITHHELD = "withheld: it may hold values of rows; --pgrestore-show-values shows it"
"""What stands where captured output stood."""

CAPTURED = "Captured output"
"""Title of the section that says so."""

_FRAMEWORKS = {"_pytest", "pluggy"}
"""Packages whose frames say nothing about a test; our own is one more."""

_FROM_ELSEWHERE = ("PytestUnraisableExceptionWarning", "PytestUnhandledThreadExceptionWarning")
"""Warnings whose text is a traceback with its exception."""

_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"


def withhold(item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport) -> None:
    """Take values of rows and secrets out of `report`, when it is about a drill."""
    state = item.config.stash[SESSION]
    ends_here = report.when == "teardown" and state.association.tore_down(item)
    if not drills_of(item) and not ends_here:
        return
    if not state.shows_values and not item.stash.get(BUILT_IN, False):
        _withhold(item, call, report, state.redactor)
    scrub = state.settings.scrubber.scrub
    report.longrepr = scrub(report.longrepr)
    report.sections = scrub(report.sections)
    report.user_properties = scrub(report.user_properties)
    if hasattr(report, "wasxfail"):
        report.wasxfail = scrub(report.wasxfail)


def explain_comparison(config: pytest.Config, operator: str, left: Any, right: Any) -> list[str] | None:
    """Return how the two sides of a comparison differ, without values; None where pytest may show them."""
    state = config.stash[SESSION]
    item = state.association.current
    if item is None or not drills_of(item) or state.shows_values:
        return None
    try:
        lines = state.redactor.comparison(operator, left, right)
    except Exception:  # noqa: BLE001 - values compare as they like, an array for one
        lines = [f"{state.redactor.of(left)} {operator} {state.redactor.of(right)}"]
    item.stash[_COMPARED] = lines
    return lines


class LateReports:
    """Hooks for what is reported without passing the report of a test.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @property
    def _state(self) -> DrillSession:
        return self._config.stash[SESSION]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the output out of the report of a subtest, which gets it after it was made."""
        told = getattr(report, ATTRIBUTE, None)
        if told is None:
            return
        if told["outcome"] is not None and not self._state.shows_values:
            report.sections = _sections(report)
        report.sections = self._state.settings.scrubber.scrub(report.sections)

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, nodeid: str) -> None:
        """Take the text out of a warning that the user's code gave in a test of a drill; place and type stay."""
        item = self._state.association.current
        if item is None or item.nodeid != nodeid or not drills_of(item) or self._state.shows_values:
            return
        kind = type(warning_message.message).__name__
        if kind in _FROM_ELSEWHERE or Path(warning_message.filename).is_relative_to(self._config.rootpath):
            warning_message.message = UserWarning(f"{kind}: {WITHHELD}")


_COMPARED = pytest.StashKey[list[str]]()
"""On an item: the explanation of its last comparison that did not hold."""


def _withhold(item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport, redactor: Redactor) -> None:
    report.sections = _sections(report)
    report.user_properties = [(name, redactor.of(value)) for name, value in report.user_properties]
    excinfo = call.excinfo
    if excinfo is None or report.longrepr is None:
        return
    if isinstance(excinfo.value, pytest.skip.Exception):
        if isinstance(report.longrepr, tuple) and not _skipped_by_marker(excinfo):
            path, line, _ = report.longrepr
            report.longrepr = (path, line, f"Skipped: {_text_of(excinfo, redactor)}")
        return
    if isinstance(excinfo.value, pytest.xfail.Exception) and hasattr(report, "wasxfail"):
        report.wasxfail = f"reason: {_text_of(excinfo, redactor)}"
    if isinstance(excinfo.value, pytest.FixtureLookupError) or _raised_by_us(excinfo):
        return
    if report.when == "call" and item.stash.get(TELLS_ITSELF, False):
        return
    report.longrepr = _Rendering(item, redactor).of(excinfo)


def _sections(report: pytest.TestReport) -> list[tuple[str, str]]:
    return [(CAPTURED, WITHHELD)] if report.sections else []


def _all_of(error: BaseException) -> Iterator[BaseException]:
    yield error
    for inner in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _all_of(inner)


def _skipped_by_marker(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Tell whether the reason of a skip was there before any row was."""
    return Path(excinfo.traceback[-1].path).parts[-2:] == ("_pytest", "skipping.py")


def _raised_by_us(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Tell whether the text of a `pytest.fail` is ours."""
    if not isinstance(excinfo.value, pytest.fail.Exception):
        return False
    entries = [entry for entry in excinfo.traceback if "_pytest" not in Path(entry.path).parts]
    return bool(entries) and Path(__file__).parent in Path(entries[-1].path).parents


def _text_of(excinfo: pytest.ExceptionInfo[BaseException], redactor: Redactor) -> str:
    """Return the reason given to pytest.skip, pytest.fail or pytest.xfail: as written in the code, else redacted."""
    reason = str(getattr(excinfo.value, "msg", excinfo.value))
    entries = _frames(excinfo)
    return (
        reason if not reason or (entries and reason in constants_of(_statement(entries[-1]))) else redactor.of(reason)
    )


def _frames(excinfo: pytest.ExceptionInfo[BaseException]) -> list[TracebackEntry]:
    """Return the entries of a traceback that are about the test; all when none is."""
    entries = list(excinfo.traceback)
    outside = [entry for entry in entries if not _is_framework(entry)]
    return [entry for entry in outside if not entry.ishidden(excinfo)] or outside or entries


def _is_framework(entry: TracebackEntry) -> bool:
    path = Path(entry.path)
    inside = not _FRAMEWORKS.isdisjoint(path.parts) or Path(__file__).parent in path.parents
    return inside or "__unittest" in entry.frame.f_globals  # as unittest itself marks its own


def _statement(entry: TracebackEntry) -> str:
    try:
        return textwrap.dedent(str(entry.statement))
    except (OSError, IndexError):
        return ""


class _Rendering:
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
            lines = [f"    {line}" for line in _statement(entry).splitlines()] + (marked if last else [])
            place = ReprFileLocation(self._path(entry), entry.lineno + 1, f"in {entry.name}")
            rendered.append(ReprEntry(lines, None, self._locals_of(entry), place, "short"))
        if not rendered:
            rendered = [ReprEntry(marked, None, None, None, "short")]
        path, line = (str(entries[-1].path), entries[-1].lineno + 1) if entries else (str(self._item.path), 0)
        crash = ReprFileLocation(path, line, "\n".join(told))
        return ReprTraceback(rendered, None, "short"), crash

    def _told(self, error: BaseException, entries: list[TracebackEntry]) -> list[str]:
        """Return the lines that stand in place of the exception's own text."""
        if not is_told_by_type(error):
            return describe(error).splitlines() or [type(error).__name__]
        name = type(error).__name__
        if isinstance(error, BaseExceptionGroup):
            return [f"{name} of {len(error.exceptions)}", *(f"  {type(inner).__name__}" for inner in _inner(error))]
        statement = _statement(entries[-1]) if entries else ""
        if isinstance(error, AssertionError):
            return self._assertion(name, str(error), statement, entries)
        if isinstance(error, pytest.fail.Exception | pytest.xfail.Exception):
            return [f"{name}: {_text_of(pytest.ExceptionInfo.from_exception(error), self._redactor)}"]
        written = constants_of(statement)
        values = [
            value if isinstance(value, str) and value in written else self._redactor.of(value) for value in error.args
        ]
        return [f"{name}: {', '.join(values)}" if values else name]

    def _assertion(self, kind: str, text: str, statement: str, entries: list[TracebackEntry]) -> list[str]:
        compared = self._item.stash.get(_COMPARED, [])
        mine = bool(compared) and compared[0] in text
        lines = [f"{kind}: assert {compared[0]}", *(f"  {line}" for line in compared[1:])] if mine else [kind]
        values = entries[-1].locals if entries else {}
        told = [name for name in names_of(statement) if name in values and redactable(values[name])]
        return lines + [f"  where {name} = {self._redactor.of(values[name])}" for name in told]

    def _locals_of(self, entry: TracebackEntry) -> Any:
        from _pytest._code.code import ReprLocals

        if not self._locals:
            return None
        values = {name: value for name, value in entry.locals.items() if not name.startswith(("@", "__"))}
        return ReprLocals([f"{name:<10} = {self._redactor.of(value)}" for name, value in sorted(values.items())])

    def _path(self, entry: TracebackEntry) -> str:
        path = Path(entry.path)
        here = self._item.config.invocation_params.dir
        return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _inner(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [error for error in _all_of(group) if not isinstance(error, BaseExceptionGroup)]
