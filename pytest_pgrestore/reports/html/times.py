"""Positions of the points in the chart of restore times: arithmetic only, the template draws.

Imports only values and formatting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.format import duration

if TYPE_CHECKING:
    from pytest_pgrestore.model.past import Outlook, PastTime

_LEFT, _PLOT, _HEIGHT, _TOP, _RIGHT, _BELOW = 92.0, 560.0, 120.0, 14.0, 78.0, 22.0
"""Pixels: width of the figures, width and height of the plot, and what is around it."""

_LEAST = 2
"""Points that make a chart."""

_STRETCH = 3.0
"""The axis grows at most this much to show the objective: more would press the points flat."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One drill."""

    x: float
    y: float
    green: bool
    words: str


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with its figure."""

    y: float
    words: str


@dataclass(frozen=True, slots=True)
class Times:
    """The whole chart. All positions are pixels from its upper left corner."""

    width: float
    height: float
    left: float
    right: float
    bottom: float
    dots: tuple[Dot, ...]
    path: str
    """Points of the line that connects the dots."""
    levels: tuple[Level, ...]
    objective: Level | None
    """The RTO; None if none is set, or if it is too far above."""
    first: str
    last: str
    description: str
    """The chart in words, for readers who cannot see it."""


def times(outlook: Outlook) -> Times | None:
    """Return the chart of the last restore times; None if there are too few."""
    shown = outlook.times
    if len(shown) < _LEAST:
        return None
    highest = max(time.seconds for time in shown)
    limit = outlook.rto_seconds
    if limit is not None and limit > highest * _STRETCH:
        limit = None
    top = max(highest, limit or 0.0)
    dots = tuple(_dot(time, shown[0], shown[-1], top) for time in shown)
    return Times(
        width=_LEFT + _PLOT + _RIGHT,
        height=_TOP + _HEIGHT + _BELOW,
        left=_LEFT,
        right=_LEFT + _PLOT,
        bottom=_TOP + _HEIGHT,
        dots=dots,
        path=" ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in dots),
        levels=(Level(_y(0.0, top), "0 s"), Level(_y(highest, top), duration(highest))),
        objective=None if limit is None else Level(_y(limit, top), f"RTO {duration(limit)}"),
        first=f"{shown[0].at:%Y-%m-%d}",
        last=f"{shown[-1].at:%Y-%m-%d}",
        description="; ".join(dot.words for dot in dots) + ".",
    )


def _dot(time: PastTime, first: PastTime, last: PastTime, top: float) -> Dot:
    span = (last.at - first.at).total_seconds()
    along = (time.at - first.at).total_seconds() / span if span > 0 else 1.0
    return Dot(
        x=_LEFT + along * _PLOT,
        y=_y(time.seconds, top),
        green=time.verdict is Verdict.PASSED,
        words=f"{time.at:%Y-%m-%d} {duration(time.seconds)} {time.verdict}",
    )


def _y(seconds: float, top: float) -> float:
    return _TOP + _HEIGHT * (1 - seconds / top if top > 0 else 1.0)
