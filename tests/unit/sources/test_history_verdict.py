"""What a history means for a drill: each trouble has its own sentence, and a hint that works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.model.target import AtLsn, AtTime, Immediate, Latest, RecoveryTarget, Timeline
from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.protocol import LocateRequest
from pytest_pgrestore.sources.wal.activity import ActivityInList
from pytest_pgrestore.sources.wal.header import FOREIGN
from pytest_pgrestore.sources.wal.history_choice import choose_backup
from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
from pytest_pgrestore.sources.wal.history_verdict import require_fork_archived, require_way
from pytest_pgrestore.sources.wal.preflight import require_complete
from pytest_pgrestore.sources.wal.production_timeline import require_one_production
from pytest_pgrestore.sources.wal.segments import Supply, WalFile
from tests.unit.sources.backup_files import MIB
from tests.unit.sources.histories import a_backup, history

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
FORK = 5 * MIB + 500


@dataclass(frozen=True, slots=True)
class Clock:
    """Activity by a table: timeline to the hours after noon of its first and last moment."""

    hours: dict[int, tuple[float, float]]
    checkpoints: dict[int, float] = field(default_factory=dict)

    def first(self, names: Sequence[str], at: Lsn) -> datetime | None:  # noqa: ARG002 - protocol
        """Return the first moment of the timeline."""
        return self._moment(names, 0)

    def last(self, names: Sequence[str], at: Lsn) -> datetime | None:  # noqa: ARG002 - protocol
        """Return the last moment of the timeline."""
        return self._moment(names, 1)

    def ran(self, names: Sequence[str], at: Lsn) -> datetime | None:  # noqa: ARG002 - protocol
        """Return the moment of the last checkpoint."""
        hour = self.checkpoints.get(int(names[0][:8], 16)) if names else None
        return None if hour is None else NOON + timedelta(hours=hour)

    def _moment(self, names: Sequence[str], which: int) -> datetime | None:
        hours = self.hours.get(int(names[0][:8], 16)) if names else None
        return None if hours is None else NOON + timedelta(hours=hours[which])


def graph_of(
    histories: dict[int, str], segments: Sequence[tuple[int, range]], *labels: tuple[str, int, int]
) -> HistoryGraph:
    """Return a graph; a label has its timeline and the MiB at which its backup ended."""
    names = [
        Segment(timeline, number).file_name(MIB)
        for timeline, numbers in segments
        for number in numbers
    ]
    backups = [a_backup(label, line, end * MIB, end * MIB) for label, line, end in labels]
    return HistoryGraph(histories, names, MIB, backups)


TWO = graph_of(
    {2: history((1, FORK))}, [(1, range(3, 9)), (2, range(5, 8))], ("f1", 1, 3), ("f2", 1, 7)
)
"""Timeline 1 goes on after the fork, and has a backup there."""


@pytest.mark.parametrize(
    ("hours", "has", "has_not"),
    [
        ({1: (1, 2), 2: (3, 4)}, 'backup = "f1"', '"current"'),
        ({1: (1, 9), 2: (3, 4)}, 'timeline = "current"', '"f1"'),
        ({}, 'timeline = "current"', "nothing"),
        ({}, 'backup = "f1"', "nothing"),
    ],
    ids=["left", "stray", "unknown", "unknown too"],
)
def test_the_way_out_of_a_fatal_restore(
    hours: dict[int, tuple[float, float]], has: str, has_not: str
) -> None:
    """It depends on which timeline was written to last."""
    with pytest.raises(BackupNotRestorable, match="does not start") as raised:
        require_way(TWO, TWO.backups[1], "latest", Clock(hours))

    assert has in raised.value.hint
    assert has_not not in raised.value.hint


@pytest.mark.parametrize(
    ("target", "hours", "kind"),
    [
        (Latest(), {1: (1, 2), 2: (3, 4)}, None),
        (Latest(), {1: (1, 3.5), 2: (3, 4)}, BackupNotRestorable),
        (Latest(), {2: (3, 4)}, HarnessError),
        (AtLsn(Lsn(FORK - 1)), {2: (3, 4)}, None),
        (Latest(), {1: (1, 2)}, BackupNotRestorable),
        (Immediate(), {1: (1, 3.5), 2: (3, 4)}, None),
        (AtTime(NOON), {1: (1, 3.5), 2: (3, 4)}, None),
        (AtTime(NOON + timedelta(hours=1)), {1: (1, 2), 2: (3, 4)}, HarnessError),
        (AtTime(NOON + timedelta(hours=1), inclusive=False), {1: (1, 2), 2: (3, 4)}, None),
        (AtTime(NOON + timedelta(hours=2.5)), {1: (1, 2), 2: (3, 4)}, HarnessError),
        (AtTime(NOON + timedelta(hours=3)), {1: (1, 2), 2: (3, 4)}, None),
        (AtLsn(Lsn(FORK - 1)), {1: (1, 3.5), 2: (3, 4)}, None),
        (AtLsn(Lsn(FORK)), {1: (1, 2), 2: (3, 4)}, HarnessError),
        (AtLsn(Lsn(9 * MIB)), {1: (1, 2), 2: (3, 4)}, None),
    ],
)
def test_which_timeline_is_productions(
    target: RecoveryTarget, hours: dict[int, tuple[float, float]], kind: type[PgRestoreError] | None
) -> None:
    """A target before the fork, or a timeline that ended before the other began, is no trouble."""
    way, _ = require_way(TWO, TWO.backups[0], "latest")

    assert type(refusal(require_one_production, TWO, way, target, Clock(hours))) is (
        type(None) if kind is None else kind
    )


@pytest.mark.parametrize(
    ("checkpoint", "segments", "kind"),
    [
        (9, range(3, 9), BackupNotRestorable),
        (2, range(3, 9), type(None)),
        (None, range(3, 9), HarnessError),
        (None, range(3, 6), type(None)),
    ],
    ids=["went on", "ended before", "nobody knows", "promoted in that segment"],
)
def test_a_timeline_without_a_commit(
    checkpoint: float | None, segments: range, kind: type[object]
) -> None:
    """A server that nobody writes to is known by its checkpoints."""
    graph = graph_of({2: history((1, FORK))}, [(1, segments), (2, range(5, 8))], ("f1", 1, 3))
    way, _ = require_way(graph, graph.backups[0], "latest")
    clock = Clock({2: (3, 4)}, {} if checkpoint is None else {1: checkpoint})

    assert type(refusal(require_one_production, graph, way, Latest(), clock)) is kind


def test_a_backup_since_shows_where_production_is_without_a_commit() -> None:
    """Timeline 1 has neither commit nor checkpoint, and a backup of timeline 2 is newer."""
    backup = replace(a_backup("new", 2, 6 * MIB, 6 * MIB), started_at=NOON + timedelta(hours=9))
    way, _ = require_way(TWO, backup, "latest")

    assert refusal(require_one_production, TWO, way, Latest(), Clock({2: (3, 12)})) is None


def refusal(function: Callable[..., object], *arguments: object) -> PgRestoreError | None:
    """Return the error of a call; None without one."""
    try:
        function(*arguments)
    except PgRestoreError as exc:
        return exc
    return None


SIBLING = graph_of(
    {2: history((1, FORK)), 3: history((1, FORK + MIB))},
    [(1, range(3, 7)), (2, range(5, 9)), (3, range(6, 8))],
    ("f1", 1, 3),
)
"""Timelines 2 and 3 both left timeline 1; a default restore follows 3."""


@pytest.mark.parametrize(
    ("hours", "bad"), [({2: (1, 2), 3: (3, 4)}, False), ({2: (1, 5), 3: (3, 4)}, True)]
)
def test_a_timeline_beside_the_path(hours: dict[int, tuple[float, float]], bad: bool) -> None:
    """A stray copy promoted itself from an old backup while production is on timeline 2."""
    way, path = require_way(SIBLING, SIBLING.backups[0], "latest")
    found = refusal(require_one_production, SIBLING, way, Latest(), Clock(hours))

    assert path.last == 3
    assert (found is not None) is bad
    assert found is None or "timeline 2 was written to until" in found.problem


@pytest.mark.parametrize("target", [Latest(), Immediate()], ids=str)
def test_a_stray_copys_backup_is_not_productions(target: RecoveryTarget) -> None:
    """The newest backup is of timeline 2, and timeline 1 goes on."""
    way, _ = require_way(TWO, a_backup("stray", 2, 6 * MIB, 6 * MIB), "latest")
    found = refusal(require_one_production, TWO, way, target, Clock({1: (1, 9), 2: (3, 4)}))

    assert isinstance(found, BackupNotRestorable)
    assert "timeline 1 was written to until" in found.problem


@pytest.mark.parametrize(("hour", "bad"), [(8, True), (10, False)])
def test_a_backup_since_shows_where_production_is(hour: int, bad: bool) -> None:
    """The old server wrote on for a while after a failover; a later backup is of timeline 2."""
    backup = replace(a_backup("new", 2, 6 * MIB, 6 * MIB), started_at=NOON + timedelta(hours=hour))
    way, _ = require_way(TWO, backup, "latest")

    found = refusal(require_one_production, TWO, way, Latest(), Clock({1: (1, 9), 2: (3, 12)}))

    assert (found is not None) is bad


@pytest.mark.parametrize(("end", "bad"), [(FORK - 1, True), (FORK, False), (9 * MIB, False)])
def test_a_fork_beyond_the_end_of_wal(end: int, bad: bool) -> None:
    """Where the old timeline ends at the fork, the new one may have filled no segment yet."""
    _, path = require_way(TWO, TWO.backups[0], "latest")

    assert (refusal(require_fork_archived, path, Latest(), Lsn(end)) is not None) is bad
    assert refusal(require_fork_archived, path, Immediate(), Lsn(end)) is None


@pytest.mark.parametrize(
    ("timeline", "fault", "words"),
    [
        (2, "is missing", "another copy"),
        (2, FOREIGN, 'timeline = "current"'),
        (1, FOREIGN, "take a backup of it"),
    ],
)
def test_the_way_out_of_a_broken_archive(timeline: int, fault: str, words: str) -> None:
    """A segment of another cluster is in no other copy of this one's archive."""
    file = WalFile(Segment(1, 3).file_name(MIB), Path())
    name = Segment(timeline, 4).file_name(MIB)
    found = Supply((file,), Lsn(4 * MIB), f"WAL segment {name} {fault}", 1)

    error = refusal(require_complete, Latest(), Lsn(3 * MIB), found)

    assert isinstance(error, BackupNotRestorable)
    assert words in error.hint


def request(target: RecoveryTarget, timeline: Timeline = "latest") -> LocateRequest:
    """Return a request that starts nothing."""

    def nothing(_major: int | None) -> NoReturn:
        raise AssertionError

    return LocateRequest(target, timeline, NOON, nothing, nothing, lambda _step, _text: None)


@pytest.mark.parametrize(
    ("target", "timeline", "label"),
    [
        (Latest(), "latest", "f2"),
        (Immediate(), "latest", "f2"),
        (Latest(), "current", "f2"),
        (Latest(), 1, "f2"),
        (Latest(), 2, "f1"),
        (AtLsn(Lsn(8 * MIB)), "latest", "f1"),
        (AtLsn(Lsn(8 * MIB)), 1, "f2"),
        (AtLsn(Lsn(6 * MIB)), 1, "f1"),
    ],
)
def test_the_backup_for_a_target_and_a_timeline(
    target: RecoveryTarget, timeline: Timeline, label: str
) -> None:
    """A default restore to the end takes the newest backup, even one that it cannot start."""
    picked = choose_backup(TWO, request(target, timeline), None)

    assert picked.backup.label == label
    assert ("f2 passed over" in picked.selection) is (label == "f1" and timeline != 1)


def test_a_list_of_times_serves_as_activity() -> None:
    """For hints: the first and the last of the segments."""
    names = TWO.segments_from(2, Lsn(FORK))
    times = ActivityInList({names[0]: NOON, names[1]: None, names[2]: NOON + timedelta(hours=1)})

    assert times.first(names, Lsn(0)) == NOON
    assert times.last(names, Lsn(0)) == NOON + timedelta(hours=1)
    assert times.last((), Lsn(0)) is None
