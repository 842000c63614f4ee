"""Where the bars of the phase chart go. Arithmetic only: the template draws. Imports values and formatting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.reports.format import duration

if TYPE_CHECKING:
    from pytest_pgrestore.model.evidence import DrillRecord, Phase

LEFT, PLOT, ROW, BAR = 112.0, 500.0, 24.0, 14.0
"""Pixels: width of the names, width of the plot, height of a row, height of a bar in it."""

_TOP, _RIGHT = 22.0, 118.0
_TICKS = 5
_STRETCH = 1.5
"""The objective is drawn where it lies at most this far beyond the end: farther, the phases would be slivers."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One phase, drawn where the one before it ended."""

    name: str
    x: float
    y: float
    width: float
    words: str
    counted: bool
    failed: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark of the time axis."""

    x: float
    words: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The whole chart."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    total: Bar | None
    """What counts toward the RTO, put together."""
    ticks: tuple[Tick, ...]
    objective: Tick | None
    description: str


def waterfall(record: DrillRecord) -> Waterfall | None:
    """Return the chart of the phases; None when no phase ran."""
    if not record.phases:
        return None
    end = sum(phase.seconds for phase in record.phases)
    objective = record.rto.objective_seconds
    shown = objective is not None and objective <= end * _STRETCH
    span = max(end, objective) if shown and objective is not None else end
    scale = PLOT / span if span > 0 else 0.0
    bars, at = [], 0.0
    for number, phase in enumerate(record.phases):
        bars.append(_bar(phase, at, number, scale))
        at += phase.seconds
    counted = record.restore_seconds()
    last = Bar(
        "toward RTO",
        LEFT,
        _y(len(bars)),
        counted * scale,
        duration(counted),
        counted=True,
        failed=False,
    )
    return Waterfall(
        width=LEFT + PLOT + _RIGHT,
        height=_y(len(bars) + 1) + (18 if shown else 4),
        bars=tuple(bars),
        total=last,
        ticks=_ticks(span, scale),
        objective=Tick(LEFT + objective * scale, f"RTO {duration(objective)}")
        if shown and objective is not None
        else None,
        description=_description(record),
    )


def _bar(phase: Phase, at: float, number: int, scale: float) -> Bar:
    failed = phase.outcome != "ok"
    words = f"{duration(phase.seconds)}{' failed' if failed else ''}"
    # A phase of no length still happened: a hairline says so.
    width = max(1.0, phase.seconds * scale)
    return Bar(
        phase.name, LEFT + at * scale, _y(number), width, words, phase.counts_toward_rto, failed
    )


def _y(number: int) -> float:
    return _TOP + number * ROW


def _ticks(span: float, scale: float) -> tuple[Tick, ...]:
    """Return marks at round times: 1, 2 or 5 times a power of ten, or of minutes and hours."""
    if span <= 0:
        return (Tick(LEFT, "0 s"),)
    step = next((step for step in _STEPS if span / step <= _TICKS), span)
    return tuple(
        Tick(LEFT + number * step * scale, duration(number * step))
        for number in range(int(span / step) + 1)
    )


_STEPS = (
    *(digit * 10.0**power for power in (-3, -2, -1, 0) for digit in (1, 2, 5)),
    *(10.0, 15.0, 30.0),
    *(minutes * 60.0 for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * 3600.0 for hours in (1, 2, 3, 6, 12, 24, 48, 96)),
)


def _description(record: DrillRecord) -> str:
    words = [
        f"{phase.name} {duration(phase.seconds)}{', counts toward the RTO' if phase.counts_toward_rto else ''}"
        for phase in record.phases
    ]
    return "; ".join(words) + "."
