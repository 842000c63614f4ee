"""Row values are kept out of what pytest itself reports about the tests of drills.

pytest shows a failing assertion with the values it compared, on the terminal and in ``--junitxml``,
and CI systems keep both. The report of such a test is therefore made again from the exception, of
parts that may be shown: file, line, source text, type, and values in redacted form. With
``--pgrestore-show-values`` it stays as pytest made it. In either case secrets are masked, and text
is made visible.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.version import PACKAGE
from pytest_pgrestore.model.visible import visible, visible_lines
from pytest_pgrestore.privacy.rewriting import rewritten
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import COMPARED, IS_DRILL_CHECK, WORDS_OWN_FAILURE
from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE, drills_of

if TYPE_CHECKING:
    import warnings

    from pytest_pgrestore.privacy.row_values import Redactor
    from pytest_pgrestore.session.drill_session import DrillSession
    from pytest_pgrestore.session.redaction import Redaction

WITHHELD = "withheld: it may hold values of rows; --pgrestore-show-values shows it"
"""What stands in place of captured output."""

CAPTURED = "Captured output"
"""Title of the section with this text."""

_FROM_ELSEWHERE = ("PytestUnraisableExceptionWarning", "PytestUnhandledThreadExceptionWarning")
"""Warnings of pytest (8.2 to 9.2) whose text is a traceback with its exception."""


def withhold(item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport) -> None:
    """Take row values and secrets out of `report`, if it is about a drill."""
    state = item.config.stash[SESSION]
    # A fixture that used a drill may end after a test that belongs to none.
    ends_here = report.when == "teardown" and state.fixture_usage.tore_down(item)
    if not drills_of(item) and not ends_here:
        return
    redaction = state.redaction
    if not redaction.shows_values and not item.stash.get(IS_DRILL_CHECK, False):
        _withhold_values(item, call, report, redaction.redactor)
    report.longrepr = _publishable(report.longrepr, redaction)
    report.sections = _publishable(report.sections, redaction)
    report.user_properties = _publishable(report.user_properties, redaction)
    if hasattr(report, "wasxfail"):
        report.wasxfail = _publishable(report.wasxfail, redaction)


def explain_comparison(
    config: pytest.Config, operator: str, left: Any, right: Any
) -> list[str] | None:
    """Return lines on how the sides of a comparison differ, without values.

    Returns:
        None if pytest may show the values.
    """
    state = config.stash[SESSION]
    item = state.fixture_usage.current
    if item is None or not drills_of(item) or state.redaction.shows_values:
        return None
    redactor = state.redaction.redactor
    try:
        lines = redactor.comparison(operator, left, right)
    except Exception:  # noqa: BLE001 - `==` of the user's values may raise: an array has no truth value
        lines = [f"{redactor.redact(left)} {operator} {redactor.redact(right)}"]
    item.stash[COMPARED] = lines
    return lines


class LateReports:
    """A plugin of pytest for what is reported without ``pytest_runtest_makereport``.

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
        """Take the output out of a subtest's report: it is added after the report was made.

        The name of a subtest may come from the backup: a test asks for its tables, say.
        """
        attached = getattr(report, ATTRIBUTE, None)
        if attached is None:
            return
        redaction = self._state.redaction
        if attached["outcome"] is not None and not redaction.shows_values:
            report.sections = _withheld_sections(report)
        report.sections = _publishable(report.sections, redaction)
        context = getattr(report, "context", None)  # a subtest: pytest 9, or pytest-subtests
        for name in ("msg", "kwargs") if context is not None else ():
            # The class is frozen, and replacing it would take the repr of every value again.
            object.__setattr__(context, name, rewritten(getattr(context, name), visible))

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, nodeid: str
    ) -> None:
        """Take the text out of a warning of the user's code; its place and type stay."""
        item = self._state.fixture_usage.current
        if item is None or item.nodeid != nodeid or not drills_of(item):
            return
        kind = type(warning_message.message).__name__
        users = Path(warning_message.filename).is_relative_to(self._config.rootpath)
        text = str(warning_message.message)
        if (users or kind in _FROM_ELSEWHERE) and not self._state.redaction.shows_values:
            warning_message.message = UserWarning(f"{kind}: {WITHHELD}")
        elif (shown := _publishable(text, self._state.redaction)) != text:
            warning_message.message = UserWarning(shown)


def _publishable(value: Any, redaction: Redaction) -> Any:
    """Return a part of a report without secrets, and with text that hides nothing.

    Otherwise a value of a row could be a command for the terminal or for the CI system.
    """
    masked = redaction.masker.mask(value)
    return rewritten(masked, lambda text: visible_lines(text, limit=None))


def _withhold_values(
    item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport, redactor: Redactor
) -> None:
    """Replace every part of `report` that may hold a row value."""
    from pytest_pgrestore.privacy.tracebacks import FailureRenderer, reason_without_values

    report.sections = _withheld_sections(report)
    properties = report.user_properties
    report.user_properties = [(name, redactor.redact(value)) for name, value in properties]
    excinfo = call.excinfo
    if excinfo is None or report.longrepr is None:
        return
    error = excinfo.value
    if isinstance(error, pytest.skip.Exception):
        if isinstance(report.longrepr, tuple) and not _skipped_by_marker(excinfo):
            path, line, _ = report.longrepr
            reason = reason_without_values(error, redactor)
            report.longrepr = (path, line, f"Skipped: {reason}")
        return
    if isinstance(error, pytest.xfail.Exception) and hasattr(report, "wasxfail"):
        report.wasxfail = f"reason: {reason_without_values(error, redactor)}"
    if not _holds_no_values(item, excinfo, report.when):
        comparison = item.stash.get(COMPARED, [])
        report.longrepr = FailureRenderer(item, redactor, comparison).render(error)


def _withheld_sections(report: pytest.TestReport) -> list[tuple[str, str]]:
    return [(CAPTURED, WITHHELD)] if report.sections else []


def _skipped_by_marker(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Return whether a marker skipped the test: its reason was written before any row was read."""
    return Path(excinfo.traceback[-1].path).parts[-2:] == ("_pytest", "skipping.py")


def _holds_no_values(
    item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException], when: str | None
) -> bool:
    """Return whether a failure may stay as it is, because pytest or we made its text."""
    if isinstance(excinfo.value, pytest.FixtureLookupError) or _raised_by_us(excinfo):
        return True
    return when == "call" and item.stash.get(WORDS_OWN_FAILURE, False)


def _raised_by_us(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Return whether the text of a `pytest.fail` is ours."""
    if not isinstance(excinfo.value, pytest.fail.Exception):
        return False
    entries = [entry for entry in excinfo.traceback if "_pytest" not in Path(entry.path).parts]
    return bool(entries) and PACKAGE in Path(entries[-1].path).parents
