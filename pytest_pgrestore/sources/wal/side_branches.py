"""WAL beside the path of a recovery: of timelines it leaves, and of those it never takes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.wal import Lsn, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
    from pytest_pgrestore.sources.wal.timelines import TimelinePath

_FIRST = 2
"""Segments in which the first commit of a branch is looked for: a record may end in the second."""

_LAST = 8
"""Segments in which its last commit is looked for. An idle server archives some without one."""


@dataclass(frozen=True, slots=True)
class Branch:
    """WAL beside the path that recovery follows.

    Attributes:
        timeline: Whose WAL it is.
        start: Where it left the path; None if its history does not touch the path.
        names: Its segments from `start` on, in order.
        end: End of the last of them.
        child: The timeline that recovery follows instead; None if the branch left the last one.
        child_start: Where `child` begins; where the branch left if there is none.
        child_names: The segments that recovery reads instead from there on, in order.
    """

    timeline: int
    start: Lsn | None
    names: tuple[str, ...]
    end: Lsn
    child: int | None
    child_start: Lsn
    child_names: tuple[str, ...]


def branches_beside(graph: HistoryGraph, path: TimelinePath) -> list[Branch]:
    """Return the branches beside `path` of which the archive has segments."""
    steps = graph.lineage(path)
    found = []
    for (timeline, end), (child, _) in pairwise(steps):
        if end is not None and (names := graph.segments_from(timeline, end)):
            found.append(_branch(graph, timeline, end, names, child, end))
    others = sorted(graph.with_segments - {timeline for timeline, _ in steps})
    return [*found, *(_off(graph, timeline, steps) for timeline in others)]


def witnesses(graph: HistoryGraph, path: TimelinePath) -> tuple[str, ...]:
    """Return the segments that show when the branches beside `path` were written to, and `path`."""
    found: list[str] = []
    for branch in branches_beside(graph, path):
        found += branch.names[:_FIRST]
        found += branch.names[-_LAST:]
        beside = branch.child_names
        found += beside[-_LAST:] if branch.child is None else beside[:_FIRST]
    return tuple(dict.fromkeys(found))


def _off(graph: HistoryGraph, timeline: int, steps: Sequence[tuple[int, Lsn | None]]) -> Branch:
    """Return the branch of a timeline that is not on the path."""
    try:
        own = graph.ancestors(timeline)
    except BackupNotRestorable:
        own = []
    names = graph.segments_from(timeline)
    ends = dict(steps)
    shared = [(parent, at) for parent, at in own if parent in ends]
    if not shared:
        begin = next((end for _, end in reversed(steps[:-1]) if end is not None), Lsn(0))
        return _branch(graph, timeline, None, names, steps[-1][0], begin)
    parent, left = shared[-1]
    left_by_path = ends[parent]
    if left_by_path is None:
        return _branch(graph, timeline, left, names, None, left, parent)
    child = next(number for number, _ in steps if number > parent)
    return _branch(graph, timeline, left, names, child, left_by_path)


def _branch(
    graph: HistoryGraph,
    timeline: int,
    start: Lsn | None,
    names: tuple[str, ...],
    child: int | None,
    at: Lsn,
    parent: int = 0,
) -> Branch:
    """Return a branch beside `child`, or beside `parent` if the path ends on that one."""
    end = Segment.parse(names[-1], graph.segment_bytes).end(graph.segment_bytes)
    beside = graph.segments_from(parent if child is None else child, at)
    return Branch(timeline, start, names, end, child, at, beside)
