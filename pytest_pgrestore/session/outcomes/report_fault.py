"""What becomes of a test's report if our own code fails while it works on it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.session.drill_session import SESSION
from pytest_pgrestore.session.keys import keys_of_drills
from pytest_pgrestore.session.outcomes.outcomes import ATTRIBUTE
from pytest_pgrestore.session.own_faults import own_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@contextmanager
def noted(item: pytest.Item, report: pytest.TestReport | None = None) -> Iterator[None]:
    """Let no exception of the body out; it would end the run without any report.

    Args:
        item: A test.
        report: Is emptied then: it may hold row values. It becomes a failure, and its drill could
            not be verified. None if it is not made yet.
    """
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - whatever it is, the other tests must go on
        fault = own_fault(exc, f"reporting {item.nodeid}", item.config.stash[SESSION].logs)
        if report is not None:
            _spoil(item, report, str(fault))


def _spoil(item: pytest.Item, report: pytest.TestReport, text: str) -> None:
    report.outcome = "failed"
    report.longrepr, report.sections, report.user_properties = text, [], []
    vars(report).pop("wasxfail", None)
    state = item.config.stash[SESSION]
    drills = {*state.fixture_usage.drills_of(item), *keys_of_drills(item)}
    outcome = {
        "name": item.nodeid,
        "verdict": str(Verdict.COULD_NOT_VERIFY),
        "message": text,
        "seconds": report.duration,
    }
    vars(report)[ATTRIBUTE] = {"drills": sorted(drills), "outcome": outcome}
