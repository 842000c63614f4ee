"""How a figure changes with time: arithmetic only.

The slope is the median of the slopes of all pairs of points of one group (Theil and Sen; with the
groups it is the seasonal Kendall slope of Hirsch, Slack and Smith, 1982). One freak drill in four
does not move it. Its interval comes from the ranks of those slopes (Gilbert, Statistical Methods
for Environmental Pollution Monitoring, 1987, sections 16.5 and 17.2), so nothing is drawn at
random, and the shape of the noise does not matter.
"""

from __future__ import annotations

from itertools import combinations
from math import ceil, floor, sqrt
from statistics import NormalDist, median
from typing import TYPE_CHECKING

from pytest_pgrestore.model.past import Slope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONFIDENCE = 0.95
"""Of the interval of a slope."""

_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

XY = tuple[float, float]
"""Days and a figure."""


def slope_of(groups: Mapping[str, Sequence[XY]]) -> Slope | None:
    """Return the change per day; None if no group has two points at different times.

    Args:
        groups: Points that may be compared with each other, by their kind.
    """
    slopes = sorted(
        (two[1] - one[1]) / (two[0] - one[0])
        for points in groups.values()
        for one, two in combinations(points, 2)
        if one[0] != two[0]
    )
    if not slopes:
        return None
    sizes = [len(points) for points in groups.values()]
    reach = _Z * sqrt(sum(n * (n - 1) * (2 * n + 5) for n in sizes) / 18)
    count = len(slopes)
    # Ranks count from 1. Few points give ranks beyond the ends: then the ends are the interval.
    low = max(0, floor((count - reach) / 2) - 1)
    high = min(count - 1, ceil((count + reach) / 2))
    return Slope(per_day=median(slopes), low=slopes[low], high=slopes[high])


def level_of(points: Sequence[XY], per_day: float) -> float:
    """Return where a line of this slope through the middle of the points is on day 0."""
    return median(y - per_day * x for x, y in points)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of `values` lies, between its neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
