"""Reports and warnings that ``pytest_runtest_makereport`` did not make, or not as they are now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.model.visible import visible
from pytest_pgrestore.privacy.libraries import is_of_a_library
from pytest_pgrestore.privacy.rewriting import rewritten
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE, drills_of
from pytest_pgrestore.session.outcomes.reporting import annotate_again
from pytest_pgrestore.session.outcomes.subtest_names import withhold_name
from pytest_pgrestore.session.outcomes.withholding import WITHHELD, publishable, withheld_sections

if TYPE_CHECKING:
    import warnings

    from pytest_pgrestore.session.drill_session import DrillSession

_FROM_ELSEWHERE = (
    "PytestUnraisableExceptionWarning",
    "PytestUnhandledThreadExceptionWarning",
    "PytestReturnNotNoneWarning",
)
"""Warnings of pytest (8.2 to 9.2) whose text has an exception, or what a test returned."""


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
        item = self._state.fixture_usage.current
        here = item is not None and item.nodeid == report.nodeid
        if here and item is not None:
            annotate_again(item, report)
        attached = getattr(report, ATTRIBUTE, None)
        if attached is None:
            return
        redaction = self._state.redaction
        if attached["outcome"] is not None and not redaction.shows_values:
            report.sections = withheld_sections(report)
        report.sections = publishable(report.sections, redaction)
        context = getattr(report, "context", None)  # a subtest: pytest 9, or pytest-subtests
        if context is None:
            return
        if here and item is not None and not redaction.shows_values:
            withhold_name(context, item, redaction.redactor)
        for name in ("msg", "kwargs"):
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
        place = Path(warning_message.filename)
        users = place.is_relative_to(self._config.rootpath) or not is_of_a_library(place)
        text = str(warning_message.message)
        if (users or kind in _FROM_ELSEWHERE) and not self._state.redaction.shows_values:
            warning_message.message = UserWarning(f"{kind}: {WITHHELD}")
        elif (shown := publishable(text, self._state.redaction)) != text:
            warning_message.message = UserWarning(shown)
