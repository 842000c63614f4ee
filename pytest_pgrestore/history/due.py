"""Which sources are due for a drill, and why: read from the history alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.format import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from pytest_pgrestore.history.entry import Entry, PastDrill


class Standing(StrEnum):
    """How a source stands."""

    PROVEN = "proven"
    """Its last drill was green, and `every` has not passed since."""
    DUE = "due"
    """Its last drill was not green, or `every` has passed since the last green one."""
    NEVER = "never drilled"
    UNSCHEDULED = "no interval"
    """It has no `every`, and its last drill was green."""


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """One source.

    Attributes:
        source: Its name.
        every: Its interval; None without one.
        standing: See `Standing`.
        reasons: Why it is due, a sentence each.
        last: Its last drill; None if it never had one.
        last_green: Its last green one.
        runs: Number of its drills in the history.
    """

    source: str
    every: timedelta | None
    standing: Standing
    reasons: tuple[str, ...]
    last: PastDrill | None
    last_green: PastDrill | None
    runs: int

    @property
    def fresh_until(self) -> datetime | None:
        """When the last proof expires; None without `every` or proof."""
        if self.every is None or self.last_green is None:
            return None
        return self.last_green.started_at + self.every


def standings(
    sources: Mapping[str, timedelta | None], entries: Iterable[Entry], now: datetime
) -> list[SourceStanding]:
    """Return how each source stands, in the order of `sources`.

    Args:
        sources: The interval of each configured source; None without one.
        entries: Of the history, in order.
        now: The present.
    """
    drills: dict[str, list[PastDrill]] = {}
    for entry in entries:
        for drill in entry.drills:
            drills.setdefault(drill.source, []).append(drill)
    return [_standing(name, every, drills.get(name, []), now) for name, every in sources.items()]


def _standing(
    source: str, every: timedelta | None, drills: list[PastDrill], now: datetime
) -> SourceStanding:
    last = drills[-1] if drills else None
    green = next((one for one in reversed(drills) if one.verdict is Verdict.PASSED), None)
    reasons = []
    if last is None:
        reasons.append("it was never drilled")
    elif last.verdict is not Verdict.PASSED:
        reasons.append(f"its last drill was {last.verdict}: {last.cause or 'see its report'}")
    if every is not None and green is not None and now - green.started_at >= every:
        age = (now - green.started_at).total_seconds()
        reasons.append(
            f"its last green drill was {duration(age)} ago, and every is"
            f" {duration(every.total_seconds())}"
        )
    if last is None:
        standing = Standing.NEVER
    elif reasons:
        standing = Standing.DUE
    else:
        standing = Standing.UNSCHEDULED if every is None else Standing.PROVEN
    return SourceStanding(source, every, standing, tuple(reasons), last, green, len(drills))
