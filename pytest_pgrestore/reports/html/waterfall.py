"""Positions of the bars in the chart of phases: arithmetic only, the template draws.

Imports only values and formatting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.reports.format import duration

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import DrillRecord, Phase

LEFT, PLOT, ROW, BAR = 112.0, 500.0, 24.0, 14.0
"""Pixels: width of the names, width of the plot, height of a row, height of a bar."""

_TOP, _RIGHT = 22.0, 118.0
"""Pixels: height of the time axis, width of the figures."""

_BELOW, _BELOW_WITH_OBJECTIVE = 4, 18
"""Pixels below the last row: the objective has its figure there."""

_TICKS = 5
"""Most steps on the time axis: more labels would overlap."""

_STEPS = (
    *(digit * 10.0**power for power in (-3, -2, -1, 0) for digit in (1, 2, 5)),
    *(10.0, 15.0, 30.0),
    *(minutes * 60.0 for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * 3600.0 for hours in (1, 2, 3, 6, 12, 24, 48, 96)),
)
"""Seconds between two marks, round as people read them."""

_STRETCH = 1.5
"""The axis grows at most this much to show the objective: a longer one would shrink the bars."""

_NARROWEST = 1.0
"""Pixels of a phase that took no time: it ran, so it is visible."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One phase. It starts where the phase before it ended."""

    name: str
    x: float
    y: float
    width: float
    words: str
    counted: bool
    failed: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark on the time axis."""

    x: float
    words: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The whole chart. All positions are pixels from its upper left corner."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    total: Bar | None
    """The sum of the phases that count toward the RTO."""
    ticks: tuple[Tick, ...]
    objective: Tick | None
    """The RTO; None if none is set or if it is too far to the right."""
    description: str
    """The chart in words, for readers who cannot see it."""


def waterfall(record: DrillRecord) -> Waterfall | None:
    """Return the chart of the phases of `record`; None if no phase ran."""
    if not record.phases:
        return None
    end = sum(phase.seconds for phase in record.phases)
    limit = record.rto.objective_seconds
    if limit is not None and limit > end * _STRETCH:
        limit = None
    span = max(end, limit or 0.0)
    scale = PLOT / span if span > 0 else 0.0
    rows = len(record.phases)
    return Waterfall(
        width=LEFT + PLOT + _RIGHT,
        height=_y(rows + 1) + (_BELOW if limit is None else _BELOW_WITH_OBJECTIVE),
        bars=_bars(record.phases, scale),
        total=_total(record.restore_seconds(), rows, scale),
        ticks=_ticks(span, scale),
        objective=None if limit is None else Tick(LEFT + limit * scale, f"RTO {duration(limit)}"),
        description=_description(record),
    )


def _bars(phases: tuple[Phase, ...], scale: float) -> tuple[Bar, ...]:
    bars, at = [], 0.0
    for number, phase in enumerate(phases):
        bars.append(_bar(phase, at, number, scale))
        at += phase.seconds
    return tuple(bars)


def _bar(phase: Phase, at: float, number: int, scale: float) -> Bar:
    failed = phase.outcome != "ok"
    return Bar(
        name=phase.name,
        x=LEFT + at * scale,
        y=_y(number),
        width=max(_NARROWEST, phase.seconds * scale),
        words=f"{duration(phase.seconds)}{' failed' if failed else ''}",
        counted=phase.counts_toward_rto,
        failed=failed,
    )


def _total(counted_seconds: float, number: int, scale: float) -> Bar:
    return Bar(
        name="toward RTO",
        x=LEFT,
        y=_y(number),
        width=counted_seconds * scale,
        words=duration(counted_seconds),
        counted=True,
        failed=False,
    )


def _y(number: int) -> float:
    return _TOP + number * ROW


def _ticks(span: float, scale: float) -> tuple[Tick, ...]:
    """Return marks at round times: 1, 2 or 5 times a power of ten, or minutes and hours."""
    if span <= 0:
        return (Tick(LEFT, "0 s"),)
    step = next((step for step in _STEPS if span / step <= _TICKS), span)
    return tuple(
        Tick(LEFT + number * step * scale, duration(number * step))
        for number in range(int(span / step) + 1)
    )


def _description(record: DrillRecord) -> str:
    words = [
        f"{phase.name} {duration(phase.seconds)}"
        + (", counts toward the RTO" if phase.counts_toward_rto else "")
        for phase in record.phases
    ]
    return "; ".join(words) + "."
