"""Whether a restore took longer than those before it that can be compared with it."""

from __future__ import annotations

from math import inf
from statistics import median
from typing import TYPE_CHECKING

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.reports.format import both, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.history.series import Point

NAME = "slower than usual"

LEAST = 5
"""Comparable green drills, before which nothing is said."""

_NEWEST = 10
"""Comparable drills that show what is usual."""

_ALIKE = 1.5
"""Times as much WAL that may be replayed: a cycle of backups ends with more than it begins with."""

_LITTLE_WAL = 64 * 1024 * 1024
"""Bytes of WAL below which its replay is short in any case."""

_NOISE = 3 * 1.4826
"""Median absolute deviations that are noise: three standard deviations of a normal one."""


def comparable_with(point: Point, before: Sequence[Point]) -> list[Point]:
    """Return the newest drills that one may be compared with: green, same kind, as much WAL.

    Args:
        point: The drill.
        before: Of its series, oldest first.
    """
    alike = [
        one
        for one in before
        if one.green and one.kind == point.kind and _as_much(one.wal_bytes, point.wal_bytes)
    ]
    return alike[-_NEWEST:]


def judge(point: Point, before: Sequence[Point], margin: float, *, fails: bool) -> Check | None:
    """Return the check of a restore's time; None where it is off, or too few can be compared.

    Args:
        point: The restore.
        before: Of its series, oldest first.
        margin: By what part it may be longer than the median; infinite is off.
        fails: Whether a longer one fails the drill; otherwise it is a warning.
    """
    usual = comparable_with(point, before)
    if margin == inf or len(usual) < LEAST:
        return None
    middle = median(one.seconds for one in usual)
    spread = median(abs(one.seconds - middle) for one in usual)
    longer = point.seconds - middle
    slow = longer > margin * middle and longer > _NOISE * spread
    bad = Verdict.FAILED if fails else Verdict.WARNING
    return Check(
        name=NAME,
        verdict=bad if slow else Verdict.PASSED,
        message=_words(point, usual, middle) if slow else _silent(usual, middle),
        expected=f"at most {duration(middle * (1 + margin))}",
        observed=duration(point.seconds),
    )


def _silent(usual: Sequence[Point], middle: float) -> str:
    return f"the last {len(usual)} comparable green drills took {both(middle)} (median)"


def _words(point: Point, usual: Sequence[Point], middle: float) -> str:
    grown = {
        name: seconds - median(one.phases.get(name, 0.0) for one in usual)
        for name, seconds in point.phases.items()
    }
    phase = max(grown, key=lambda name: grown[name], default="")
    begin = f"; phase {phase} took {duration(grown[phase])} longer: begin there" if phase else ""
    rate = f" ({100 * (point.seconds / middle - 1):.0f} % longer)" if middle > 0 else ""
    return (
        f"the restore took {both(point.seconds)}{rate}, and {_silent(usual, middle)}"
        f"{_size(point, usual)}{begin}"
    )


def _size(point: Point, usual: Sequence[Point]) -> str:
    """Return how much larger the backup is; "" if that is not known, or is little."""
    sizes = [one.size_bytes for one in usual if one.size_bytes]
    if not sizes or not point.size_bytes:
        return ""
    more = 100 * (point.size_bytes / median(sizes) - 1)
    return f"; the backup is {more:.0f} % larger" if more > 10 else ""  # noqa: PLR2004 - percent


def _as_much(one: int | None, other: int | None) -> bool:
    if one is None or other is None:
        return one is other
    less, more = sorted((one, other))
    return more <= _LITTLE_WAL or more <= _ALIKE * less
