"""Failures of the live server's archiver since the last drill that asked it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.format import moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pytest_pgrestore.history.entry import PastDrill
    from pytest_pgrestore.model.past import ArchiverFigures

NAME = "archiver failures"


def last_figures(
    drills: Iterable[PastDrill], source: str, before: datetime
) -> tuple[datetime, ArchiverFigures] | None:
    """Return what the archiver of a source said last, and when; None if it never did."""
    found = [
        (drill.started_at, drill.surroundings.archiver)
        for drill in drills
        if drill.source == source
        and drill.started_at < before
        and drill.surroundings is not None
        and drill.surroundings.archiver is not None
        and drill.surroundings.archiver.failed_count is not None
    ]
    return max(found, key=lambda one: one[0], default=None)


def judge(now: ArchiverFigures, last: tuple[datetime, ArchiverFigures] | None) -> Check | None:
    """Return the check of the archiver; None if there is nothing to compare with yet.

    A failure is a warning: PostgreSQL tries again, and what is lost by it shows in the RPO.
    """
    if now.failed_count is None:
        return _check(Verdict.COULD_NOT_VERIFY, now.problem or "the archiver was not asked")
    if last is None:
        return None
    at, then = last
    since = f"since the last drill at {moment(at)}"
    if _was_reset(now, then):
        reset = f"its counter was reset at {moment(now.stats_reset)}"
        if now.failed_count:
            words = f"{now.failed_count} or more failed attempts {since}: {reset}"
            return _check(Verdict.WARNING, f"{words}{_still(now)}")
        # Earlier ones are gone with the counter. Nothing bad was seen, and not all was seen.
        return _check(Verdict.PASSED, f"no failed attempt since {reset}; none before it is known")
    failures = now.failed_count - (then.failed_count or 0)
    if failures:
        return _check(Verdict.WARNING, f"{failures} failed attempts {since}{_still(now)}")
    return _check(Verdict.PASSED, f"no failed attempt {since}")


def _was_reset(now: ArchiverFigures, then: ArchiverFigures) -> bool:
    """Return whether the counter began anew: a reset, a crash, or another server."""
    return now.stats_reset != then.stats_reset or (now.failed_count or 0) < (then.failed_count or 0)


def _still(now: ArchiverFigures) -> str:
    """Return whether the last attempt failed too."""
    failed, archived = now.last_failed_at, now.last_archived_at
    if failed is None or (archived is not None and archived >= failed):
        return ", and archiving works again"
    return f", and nothing was archived after the last one at {moment(failed)}"


def _check(verdict: Verdict, message: str) -> Check:
    return Check(name=NAME, verdict=verdict, message=message)
