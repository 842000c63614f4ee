"""The way of one report: what others see is prepared, pytest makes it, and it is finished here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.outcomes.expected_failures import put_back, take_values_out
from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE, annotate, drills_of, explain
from pytest_pgrestore.session.outcomes.published_errors import PublishedErrors
from pytest_pgrestore.session.outcomes.report_fault import noted
from pytest_pgrestore.session.outcomes.withholding import WITHHELD, withhold

if TYPE_CHECKING:
    from pytest_pgrestore.session.outcomes.outcomes import Excinfo

PUBLISHED_ERRORS = pytest.StashKey[PublishedErrors]()
"""On pytest's config."""


def prepare(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Take row values out of what pytest and other plugins make the report of."""
    errors = item.config.stash[PUBLISHED_ERRORS]
    excinfo = errors.original(call)
    with noted(item):
        explain(item, excinfo, call.when)
    errors.replace(item, call)
    redaction = item.config.stash[SESSION].redaction
    if drills_of(item) and not redaction.shows_values:
        with noted(item):
            take_values_out(item, excinfo and excinfo.value, redaction.redactor)
        # pytest (8.2 to 9.2) copies the list into each report; allure-pytest attaches the texts.
        kept = item._report_sections  # noqa: SLF001 - nothing else holds them before the report
        kept[:] = [(when, name, WITHHELD) for when, name, _ in kept]
        with noted(item):
            # pytest-json-report (1.5) has a log of its own here; pytest-reportlog writes it, too.
            for phase in getattr(item, "_json_report_extra", {}).values():
                phase.get("log", []).clear()


def finish(item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport) -> None:
    """Take row values out of a report, and attach its outcome."""
    put_back(item)
    excinfo = item.config.stash[PUBLISHED_ERRORS].original(call)
    with noted(item, report):
        withhold(item, excinfo, report)
        annotate(item, excinfo, report)


def annotate_again(item: pytest.Item, report: pytest.TestReport) -> None:
    """Attach the outcome of the last try to a report that was made from an earlier one.

    pytest-retry (1.7) tries a test again inside ``pytest_runtest_makereport``, and changes the
    report of the first try.
    """
    attached = getattr(report, ATTRIBUTE, {})
    tries = item.config.stash[SESSION].fixture_usage.tries_of(item.nodeid)
    if attached and attached.get("tries", tries) == tries:
        return
    excinfo: Excinfo | None = None
    node_id, when, last = item.config.stash[PUBLISHED_ERRORS].last
    if node_id == item.nodeid and when == report.when:
        excinfo = last
    with noted(item, report):
        withhold(item, excinfo, report)
        annotate(item, excinfo, report)
