"""The way of one report: what others see is prepared, pytest makes it, and it is finished here.

A fault of ours on this way must not end the session without reports, as an exception in a hook of
pytest does. It is told as ours, in place of what it was about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE, annotate, drills_of, explain
from pytest_pgrestore.session.outcomes.published_errors import PublishedErrors
from pytest_pgrestore.session.outcomes.withholding import WITHHELD, withhold

if TYPE_CHECKING:
    from pytest_pgrestore.session.outcomes.outcomes import Excinfo

PUBLISHED_ERRORS = pytest.StashKey[PublishedErrors]()
"""On pytest's config."""


def prepare(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Take row values out of what pytest and other plugins make the report of."""
    errors = item.config.stash[PUBLISHED_ERRORS]
    explain(item, errors.original(call))
    errors.replace(item, call)
    if drills_of(item) and not item.config.stash[SESSION].redaction.shows_values:
        # pytest (8.2 to 9.2) copies the list into each report; allure-pytest attaches the texts.
        kept = item._report_sections  # noqa: SLF001 - nothing else holds them before the report
        kept[:] = [(when, name, WITHHELD) for when, name, _ in kept]
        # pytest-json-report (1.5) has a log of its own here; pytest-reportlog writes it, too.
        for phase in getattr(item, "_json_report_extra", {}).values():
            phase.get("log", []).clear()


def finish(item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport) -> None:
    """Take row values out of a report, and attach its outcome."""
    excinfo = item.config.stash[PUBLISHED_ERRORS].original(call)
    try:
        withhold(item, excinfo, report)
        annotate(item, excinfo, report)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is told as a fault of ours
        _tell(item, report, exc)


def annotate_again(item: pytest.Item, report: pytest.TestReport) -> None:
    """Attach the outcome of the last try to a report that was made from an earlier one.

    pytest-retry (1.7) tries a test again inside ``pytest_runtest_makereport``, and changes the
    report of the first try.
    """
    attached = getattr(report, ATTRIBUTE, None)
    usage = item.config.stash[SESSION].fixture_usage
    if attached is not None and attached["tries"] == usage.tries_of(item.nodeid):
        return
    excinfo: Excinfo | None = None
    node_id, when, last = item.config.stash[PUBLISHED_ERRORS].last
    if node_id == item.nodeid and when == report.when:
        excinfo = last
    try:
        withhold(item, excinfo, report)
        annotate(item, excinfo, report)
    except Exception as exc:  # noqa: BLE001 - as above
        _tell(item, report, exc)


def _tell(item: pytest.Item, report: pytest.TestReport, error: Exception) -> None:
    """Make the report of a test one about a fault of ours: it may hold values, and is not green."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else "?"
    text = (
        f"pgrestore itself failed while it made this report: {type(error).__name__} at {place}\n"
        "HINT: report it; --pgrestore-show-values shows the test's own words."
    )
    report.outcome, report.longrepr, report.sections = "failed", text, []
    outcome = {
        "name": item.nodeid,
        "verdict": str(Verdict.COULD_NOT_VERIFY),
        "message": text,
        "seconds": report.duration,
    }
    tries = item.config.stash[SESSION].fixture_usage.tries_of(item.nodeid)
    drills = sorted(drills_of(item))
    if drills:
        vars(report)[ATTRIBUTE] = {"drills": drills, "outcome": outcome, "tries": tries}
