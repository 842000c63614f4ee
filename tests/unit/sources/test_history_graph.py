"""What a default restore does with an archive of many timelines.

The graph is compared with a plain model of PostgreSQL's own rule, on random trees of promotions.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import TargetUnreachable
from pytest_pgrestore.model.target import Timeline
from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
from pytest_pgrestore.sources.wal.history_verdict import not_followed, require_way
from pytest_pgrestore.sources.wal.segments import WalFile, supply
from tests.unit.sources.backup_files import MIB
from tests.unit.sources.histories import a_backup, history

Ancestors = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Tree:
    """What servers did: each promotion forked a timeline, and some files reached the archive.

    Attributes:
        ancestors: Each timeline's ancestors, oldest first, with the position of the fork.
        archived: Timelines whose ``.history`` is in the archive.
        backups: The backups that were taken.
        segments: Timeline and number of each archived segment.
    """

    ancestors: dict[int, Ancestors]
    archived: frozenset[int]
    backups: tuple[Backup, ...]
    segments: frozenset[tuple[int, int]]

    def graph(self) -> HistoryGraph:
        """Return the graph of what is in the archive."""
        histories = {number: history(*self.ancestors[number]) for number in self.archived}
        names = [Segment(timeline, number).file_name(MIB) for timeline, number in self.segments]
        return HistoryGraph(histories, names, MIB, self.backups)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Draw a tree of promotions, what of it was archived, and backups on any branch."""
    ancestors: dict[int, Ancestors] = {1: []}
    for number in range(2, draw(st.integers(1, 7)) + 1):
        parent = draw(st.integers(1, number - 1))
        begin = ancestors[parent][-1][1] if ancestors[parent] else 0
        fork = begin + draw(st.integers(0, 3)) * MIB + draw(st.sampled_from([0, 500]))
        ancestors[number] = [*ancestors[parent], (parent, fork)]
    backups = []
    for place in range(draw(st.integers(1, 4))):
        timeline = draw(st.integers(1, len(ancestors)))
        begin = ancestors[timeline][-1][1] if ancestors[timeline] else 0
        start = begin + draw(st.integers(0, 3)) * MIB
        backups.append(a_backup(f"b{place}", timeline, start, start + draw(st.integers(0, MIB))))
    pairs = st.tuples(st.integers(1, len(ancestors)), st.integers(0, 12))
    return Tree(
        ancestors,
        frozenset(draw(st.sets(st.integers(2, max(2, len(ancestors)))))) & ancestors.keys(),
        tuple(backups),
        draw(st.frozensets(pairs, max_size=40)),
    )


def expected_timelines(tree: Tree, number: int) -> list[tuple[int, int, int | None]]:
    """Return what readTimeLineHistory does: timeline, begin and end of each, oldest first."""
    ancestors = tree.ancestors[number] if number in tree.archived else []
    begins = [0, *(end for _, end in ancestors)]
    ends = [*(end for _, end in ancestors), None]
    numbers = [*(parent for parent, _ in ancestors), number]
    return list(zip(numbers, begins, ends, strict=True))


def restored(tree: Tree, backup: Backup, target: int) -> list[int] | None:
    """Return the timelines that a server follows to `target`; None if it is FATAL.

    See InitWalRecovery: the checkpoint lies on the backup's timeline, in the history of `target`;
    and the end of the backup is found before recovery leaves that timeline.
    """
    entries = expected_timelines(tree, target)
    for timeline, _, end in entries:
        if timeline == backup.timeline and (end is None or (backup.stop_lsn or 0) <= end):
            return [number for number, _, _ in entries if number >= timeline]
    return None


def newest(tree: Tree, timeline: int) -> int:
    """Return what findNewestTimeLine does."""
    return next(probe for probe in count(timeline) if probe + 1 not in tree.archived)


@given(trees())
def test_a_default_restore(tree: Tree) -> None:
    """The same timelines, the same FATAL, and a missing history is never overlooked."""
    graph = tree.graph()
    for backup in tree.backups:
        way = graph.way(backup)
        last = newest(tree, backup.timeline or 0)
        found = None if way.path is None else [timeline for timeline, _ in way.path.steps]
        assert found == restored(tree, backup, last)
        assert bool(way.fatal) == (found is None)
        behind = [
            number
            for number in sorted(tree.archived)
            if number > last + 1 and restored(tree, backup, number) is not None
        ]
        assert list(way.unseen) == behind
        assert way.missing == (last + 1 if behind else None)


@given(trees())
def test_a_timeline_by_number(tree: Tree) -> None:
    """Each that is offered in a hint can be restored, and no other."""
    graph = tree.graph()
    for backup in tree.backups:
        can = [
            number
            for number in sorted(tree.archived | {backup.timeline or 0})
            if number >= (backup.timeline or 0) and restored(tree, backup, number) is not None
        ]
        assert graph.reachable(backup) == can
        for number in can:
            assert graph.way(backup, number).path is not None


@given(trees())
def test_the_segments_that_are_read(tree: Tree) -> None:
    """As XLogFileReadAnyTLI does: the newest timeline that has begun, and never an older again."""
    graph = tree.graph()
    for backup in tree.backups:
        path = graph.way(backup).path
        if path is None:
            continue
        entries = [
            entry
            for entry in expected_timelines(tree, path.last)
            if entry[0] >= (backup.timeline or 0)
        ]
        current, read = 0, []
        for number in count(Lsn(backup.start_lsn or 0) // MIB):
            there = [
                timeline
                for timeline, begin, _ in entries
                if timeline >= current
                and (timeline == entries[0][0] or number >= begin // MIB)
                and (timeline, number) in tree.segments
            ]
            if not there:
                break
            current = max(there)
            read.append((current, number))
        files = {name: WalFile(name, Path()) for name in graph.names}
        found = supply(files, path, Lsn(backup.start_lsn or 0), MIB)
        parsed = [Segment.parse(file.name, MIB) for file in found.files]
        assert [(segment.timeline, segment.number) for segment in parsed] == read


HISTORIES = {
    2: history((1, 0x300500)),
    3: history((1, 0x300500), (2, 0x500000)),
    9: history((8, 0x300500)),
}


@pytest.mark.parametrize(
    ("timeline", "wanted", "stop", "steps"),
    [
        (1, "latest", 0x200000, [1, 2, 3]),
        (1, "current", 0x200000, [1]),
        (1, 1, 0x200000, [1]),
        (1, 2, 0x200000, [1, 2]),
        (2, "latest", 0x400000, [2, 3]),
        (3, "latest", 0x600000, [3]),
    ],
)
def test_the_timelines_that_are_followed(
    timeline: int, wanted: Timeline, stop: int, steps: list[int]
) -> None:
    """By hand, for the reader."""
    _, path = require_way(
        HistoryGraph(HISTORIES, (), MIB), a_backup("a", timeline, 0, stop), wanted
    )

    assert [number for number, _ in path.steps] == steps


def test_what_is_not_followed_is_said() -> None:
    """Timeline 9 is the newest, but no descendant."""
    graph = HistoryGraph(HISTORIES, (), MIB)
    way, _ = require_way(graph, a_backup(), "latest")

    assert not_followed(graph, way) == [
        (
            "timeline 9 of the archive was not followed: timeline 9 descends from timeline 8"
            " and not from the backup's timeline 1"
        )
    ]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (7, "holds no 00000007.history"),
        (9, "descends from timeline 8"),
        (2, "before the backup ended"),
    ],
)
def test_a_timeline_that_cannot_be_reached_is_refused(wanted: int, words: str) -> None:
    """No other timeline is taken instead."""
    with pytest.raises(TargetUnreachable, match=words):
        require_way(HistoryGraph(HISTORIES, (), MIB), a_backup(stop=0x400000), wanted)


class Counted(dict[int, str]):
    """Histories that count how often each is read."""

    reads = 0

    def __getitem__(self, timeline: int) -> str:
        """Return the text of a history."""
        self.reads += 1
        return super().__getitem__(timeline)


def test_a_history_is_read_once() -> None:
    """Whatever the number of backups: 400 timelines and 20 backups took seconds."""
    texts = Counted({2: history((1, 5 * MIB)), 3: history((1, 5 * MIB), (2, 6 * MIB))})
    backups = [a_backup(f"b{number}", 1, MIB, MIB) for number in range(5)]
    graph = HistoryGraph(texts, [], MIB, backups)

    assert all(graph.reachable(backup) == [1, 2, 3] for backup in backups)
    assert texts.reads == 2
