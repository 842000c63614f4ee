"""Row values are kept out of what pytest itself reports about the tests of drills.

pytest shows a failing assertion with the values it compared, on the terminal and in ``--junitxml``,
and CI systems keep both. The report of such a test is therefore made again from the exception, of
parts that may be shown: file, line, source text, type, and values in redacted form. With
``--pgrestore-show-values`` it stays as pytest made it. In either case secrets are masked, and text
is made visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.visible import visible_lines
from pytest_pgrestore.privacy.rewriting import rewritten
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import COMPARED, IS_DRILL_CHECK, WORDS_OWN_FAILURE
from pytest_pgrestore.session.outcomes.blame import hint_of
from pytest_pgrestore.session.outcomes.empty_tests import EmptyTestError
from pytest_pgrestore.session.outcomes.outcomes import Excinfo, drills_of
from pytest_pgrestore.session.outcomes.published_errors import (
    says_nothing_of_rows,
    skipped_by_marker,
)

if TYPE_CHECKING:
    from pytest_pgrestore.privacy.row_values import Redactor
    from pytest_pgrestore.session.redaction import Redaction

WITHHELD = "withheld: it may hold values of rows; --pgrestore-show-values shows it"
"""What stands in place of captured output."""

CAPTURED = "Captured output"
"""Title of the section with this text."""


def withhold(item: pytest.Item, excinfo: Excinfo | None, report: pytest.TestReport) -> None:
    """Take row values and secrets out of `report`, if it is about a drill.

    Args:
        item: The test.
        excinfo: The exception of this phase itself, and no stand-in.
        report: pytest's, which other plugins may have changed.
    """
    state = item.config.stash[SESSION]
    # A fixture that used a drill may end after a test that belongs to none.
    ends_here = report.when == "teardown" and state.fixture_usage.tore_down(item)
    if not drills_of(item) and not ends_here:
        return
    redaction = state.redaction
    if not redaction.shows_values and not item.stash.get(IS_DRILL_CHECK, False):
        _withhold_values(item, excinfo, report, redaction.redactor)
    report.longrepr = publishable(report.longrepr, redaction)
    report.sections = publishable(report.sections, redaction)
    report.user_properties = publishable(report.user_properties, redaction)
    if hasattr(report, "wasxfail"):
        report.wasxfail = publishable(report.wasxfail, redaction)


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


def publishable(value: Any, redaction: Redaction) -> Any:
    """Return a part of a report without secrets, and with text that hides nothing.

    Otherwise a value of a row could be a command for the terminal or for the CI system.
    """
    masked = redaction.masker.mask(value)
    return rewritten(masked, lambda text: visible_lines(text, limit=None))


def _withhold_values(
    item: pytest.Item, excinfo: Excinfo | None, report: pytest.TestReport, redactor: Redactor
) -> None:
    """Replace every part of `report` that may hold a row value."""
    from pytest_pgrestore.privacy.tracebacks import FailureRenderer, reason_without_values

    report.sections = withheld_sections(report)
    properties = report.user_properties
    report.user_properties = [(name, redactor.redact(value)) for name, value in properties]
    if excinfo is None or report.longrepr is None:
        return
    error = excinfo.value
    if isinstance(error, pytest.skip.Exception):
        if isinstance(report.longrepr, tuple) and not skipped_by_marker(error):
            path, line, _ = report.longrepr
            reason = reason_without_values(error, redactor)
            report.longrepr = (path, line, f"Skipped: {reason}")
        return
    if isinstance(error, pytest.xfail.Exception) and hasattr(report, "wasxfail"):
        report.wasxfail = f"reason: {reason_without_values(error, redactor)}"
    if isinstance(error, EmptyTestError):
        report.longrepr = str(error)
    elif report.when == "call" and item.stash.get(WORDS_OWN_FAILURE, False):
        report.longrepr = item.repr_failure(excinfo)
    elif not says_nothing_of_rows(error):
        comparison = item.stash.get(COMPARED, [])
        hint = hint_of(error, report.when)
        report.longrepr = FailureRenderer(item, redactor, comparison, hint).render(error)


def withheld_sections(report: pytest.TestReport) -> list[tuple[str, str]]:
    """Return one section in place of those with output; none if there is none."""
    return [(CAPTURED, WITHHELD)] if report.sections else []
