"""The outlook of a series: its trend, the worst moment of the cycle, when the RTO is missed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from pytest_pgrestore.history.slower import comparable_with
from pytest_pgrestore.history.trend import level_of, quantile, slope_of
from pytest_pgrestore.model.past import Forecast, Outlook, PastTime
from pytest_pgrestore.model.stopwatch import COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pytest_pgrestore.history.series import Point, Series
    from pytest_pgrestore.history.trend import XY
    from pytest_pgrestore.model.past import Slope

LEAST_DRILLS = 8
"""Fewer of one series show no trend: the interval would span nearly everything."""

LEAST_SPAN = timedelta(days=14)
"""Shorter ones show the hour of the day, or the day of the week, and no growth."""

_LEAST_OF_KIND = 3
"""Drills of one kind of backup that show how long it takes."""

_AHEAD = 2
"""Times the span of the history that a forecast may look ahead."""

_SHOWN = 30
"""Restore times that the evidence keeps."""

_DAY = 86_400.0
_GIB = 1024.0**3
_LOW, _HIGH = 0.05, 0.95


def outlook_of(series: Series, now: datetime) -> Outlook:
    """Return the outlook of a series.

    Args:
        series: With at least one point.
        now: Days are counted from here.
    """
    points = series.points
    last = points[-1]
    usual = comparable_with(last, points[:-1])
    found = Outlook(
        drills=len(points),
        since=points[0].at,
        began=series.began,
        times=tuple(
            PastTime(at=point.at, seconds=point.seconds, verdict=point.verdict)
            for point in points[-_SHOWN:]
        ),
        usual_seconds=median(point.seconds for point in usual) if usual else None,
        comparable=len(usual),
        rto_seconds=last.rto_seconds,
    )
    why = not_enough(points)
    if why:
        return replace(found, not_enough=why)
    return _with_trend(found, points, now)


def not_enough(points: Sequence[Point]) -> str:
    """Return why these points show no trend; "" if they are enough."""
    span = points[-1].at - points[0].at if points else timedelta()
    of_kind = max(Counter(point.kind for point in points).values(), default=0)
    if len(points) >= LEAST_DRILLS and span >= LEAST_SPAN and of_kind >= _LEAST_OF_KIND:
        return ""
    days = f"{span / timedelta(days=1):.0f}"
    number = "drill" if len(points) == 1 else "drills"
    return (
        f"not enough history: {len(points)} {number} in {days} days, of at least {LEAST_DRILLS} in"
        f" {LEAST_SPAN.days} days"
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """The restore times of the kind of backup that takes longest.

    Attributes:
        slope: Of all kinds.
        points: Of that kind.
        low: Distance from the line that few points are below.
        high: Distance that few are above.
    """

    slope: Slope
    points: Sequence[XY]
    low: float
    high: float

    def today(self, per_day: float) -> float:
        """Return where the line of this slope is on day 0."""
        return level_of(self.points, per_day)


def _with_trend(found: Outlook, points: Sequence[Point], now: datetime) -> Outlook:
    seconds = _groups(points, now, lambda point: point.seconds)
    slope = slope_of(seconds)
    if slope is None:
        return replace(found, not_enough="not enough history: all drills of a kind at one moment")
    enough = {kind: xy for kind, xy in seconds.items() if len(xy) >= _LEAST_OF_KIND}
    kind = max(enough, key=lambda name: level_of(enough[name], slope.per_day))
    levels = {name: level_of(xy, slope.per_day) for name, xy in seconds.items()}
    residuals = [
        y - slope.per_day * x - levels[name] for name, xy in seconds.items() for x, y in xy
    ]
    line = _Line(slope, enough[kind], quantile(residuals, _LOW), quantile(residuals, _HIGH))
    typical = line.today(slope.per_day)
    more = _longest_replay(points, kind)
    forecast = None
    worst_forecast = None
    if found.rto_seconds is not None:
        span = points[-1].at - points[0].at
        horizon = now + _AHEAD * span
        forecast = _missed(line, found.rto_seconds, now, horizon)
        worst_forecast = _missed(line, found.rto_seconds - more, now, horizon)
    sized = [point for point in points if point.size_bytes]
    return replace(
        found,
        seconds=slope,
        phases=_phases(points, now),
        size_bytes=slope_of(_groups(sized, now, lambda point: float(point.size_bytes or 0))),
        seconds_per_gib=median(point.seconds / (point.size_bytes or 1) * _GIB for point in sized)
        if sized
        else None,
        typical_seconds=max(0.0, typical),
        worst_seconds=max(0.0, typical + more),
        worst_kind=kind,
        missed=forecast,
        missed_at_worst=worst_forecast,
    )


def _groups(
    points: Sequence[Point], now: datetime, figure: Callable[[Point], float]
) -> dict[str, list[XY]]:
    """Return days and figure of each point, by kind of backup."""
    found: dict[str, list[XY]] = {}
    for point in points:
        day = (point.at - now).total_seconds() / _DAY
        found.setdefault(point.kind, []).append((day, figure(point)))
    return found


def _phases(points: Sequence[Point], now: datetime) -> dict[str, float]:
    """Return the change of each phase that counts, in seconds per day."""
    names = {name: None for point in points for name in point.phases if name in COUNTED}
    found = {}
    for name in names:
        slope = slope_of(_groups(points, now, partial(_phase, name)))
        if slope is not None:
            found[name] = slope.per_day
    return found


def _phase(name: str, point: Point) -> float:
    return point.phases.get(name, 0.0)


def _longest_replay(points: Sequence[Point], kind: str) -> float:
    """Return by how much the longest replay of the newer half is longer than a usual one.

    The end of the cycle of backups is the moment with most WAL since the last one.
    """
    usual = median(point.replay for point in points if point.kind == kind)
    newer = points[len(points) // 2 :]
    return max(0.0, max(point.replay for point in newer) - usual)


def _missed(line: _Line, rto: float, now: datetime, horizon: datetime) -> Forecast:
    """Return when the line passes the objective."""

    def crossing(per_day: float, offset: float) -> datetime | None:
        left = rto - line.today(per_day) - offset
        if left < 0:
            return now
        days = (horizon - now) / timedelta(days=1)
        if per_day <= 0 or left / per_day > days:
            return None
        return now + timedelta(days=left / per_day)

    slope = line.slope
    likely = crossing(slope.per_day, 0.0)
    early = [one for one in (crossing(slope.high, line.high), likely) if one is not None]
    late = crossing(slope.low, line.low)
    return Forecast(
        asked_at=now,
        horizon=horizon,
        earliest=min(early, default=None),
        likely=likely,
        latest=None if late is None or likely is None else max(late, likely),
    )
