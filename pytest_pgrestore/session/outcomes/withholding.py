"""Keeping values of rows out of pytest's own reports: the tests of drills are shown without them.

pytest shows a failing assertion with the values it compared, on the terminal and in ``--junitxml``, and CI systems
keep both. A report of a test that belongs to a drill is therefore rendered anew from its exception: file, line,
source text and type stay, and values are redacted. Built from what may be shown rather than by taking out what may
not. ``--pgrestore-show-values`` leaves everything but secrets as pytest made it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.version import PACKAGE
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import IS_DRILL_CHECK, WORDS_OWN_FAILURE
from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE, drills_of

if TYPE_CHECKING:
    import warnings

    from pytest_pgrestore.privacy.row_values import Redactor
    from pytest_pgrestore.session.drill_session import DrillSession

WITHHELD = "withheld: it may hold values of rows; --pgrestore-show-values shows it"
"""What stands where captured output stood."""

CAPTURED = "Captured output"
"""Title of the section that says so."""

_FROM_ELSEWHERE = ("PytestUnraisableExceptionWarning", "PytestUnhandledThreadExceptionWarning")
"""Warnings whose text is a traceback with its exception."""


def withhold(item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport) -> None:
    """Take values of rows and secrets out of `report`, when it is about a drill."""
    state = item.config.stash[SESSION]
    ends_here = report.when == "teardown" and state.fixture_usage.tore_down(item)
    if not drills_of(item) and not ends_here:
        return
    if not state.shows_values and not item.stash.get(IS_DRILL_CHECK, False):
        _withhold(item, call, report, state.redactor)
    mask = state.masker.mask
    report.longrepr = mask(report.longrepr)
    report.sections = mask(report.sections)
    report.user_properties = mask(report.user_properties)
    if hasattr(report, "wasxfail"):
        report.wasxfail = mask(report.wasxfail)


def explain_comparison(
    config: pytest.Config, operator: str, left: Any, right: Any
) -> list[str] | None:
    """Return how the two sides of a comparison differ, without values; None where pytest may show them."""
    state = config.stash[SESSION]
    item = state.fixture_usage.current
    if item is None or not drills_of(item) or state.shows_values:
        return None
    from pytest_pgrestore.privacy.tracebacks import COMPARED

    try:
        lines = state.redactor.comparison(operator, left, right)
    except Exception:  # noqa: BLE001 - values compare as they like, an array for one
        lines = [f"{state.redactor.of(left)} {operator} {state.redactor.of(right)}"]
    item.stash[COMPARED] = lines
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
        report.sections = self._state.masker.mask(report.sections)

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, nodeid: str
    ) -> None:
        """Take the text out of a warning that the user's code gave in a test of a drill; place and type stay."""
        item = self._state.fixture_usage.current
        if item is None or item.nodeid != nodeid or not drills_of(item) or self._state.shows_values:
            return
        kind = type(warning_message.message).__name__
        if kind in _FROM_ELSEWHERE or Path(warning_message.filename).is_relative_to(
            self._config.rootpath
        ):
            warning_message.message = UserWarning(f"{kind}: {WITHHELD}")


def _withhold(
    item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport, redactor: Redactor
) -> None:
    from pytest_pgrestore.privacy.tracebacks import Rendering, text_of

    report.sections = _sections(report)
    report.user_properties = [(name, redactor.of(value)) for name, value in report.user_properties]
    excinfo = call.excinfo
    if excinfo is None or report.longrepr is None:
        return
    if isinstance(excinfo.value, pytest.skip.Exception):
        if isinstance(report.longrepr, tuple) and not _skipped_by_marker(excinfo):
            path, line, _ = report.longrepr
            report.longrepr = (path, line, f"Skipped: {text_of(excinfo, redactor)}")
        return
    if isinstance(excinfo.value, pytest.xfail.Exception) and hasattr(report, "wasxfail"):
        report.wasxfail = f"reason: {text_of(excinfo, redactor)}"
    if isinstance(excinfo.value, pytest.FixtureLookupError) or _raised_by_us(excinfo):
        return
    if report.when == "call" and item.stash.get(WORDS_OWN_FAILURE, False):
        return
    report.longrepr = Rendering(item, redactor).of(excinfo)


def _sections(report: pytest.TestReport) -> list[tuple[str, str]]:
    return [(CAPTURED, WITHHELD)] if report.sections else []


def _skipped_by_marker(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Tell whether the reason of a skip was there before any row was."""
    return Path(excinfo.traceback[-1].path).parts[-2:] == ("_pytest", "skipping.py")


def _raised_by_us(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Tell whether the text of a `pytest.fail` is ours."""
    if not isinstance(excinfo.value, pytest.fail.Exception):
        return False
    entries = [entry for entry in excinfo.traceback if "_pytest" not in Path(entry.path).parts]
    return bool(entries) and PACKAGE in Path(entries[-1].path).parents
