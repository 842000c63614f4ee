"""The history of an archive as a graph: which timelines there are, and which a restore follows.

Pure: names and texts in, answers out. `history_verdict` judges them, `history_choice` chooses by
them. A source does, in `locate`::

    graph = HistoryGraph(histories, names, segment_bytes, backups)
    picked = choose_backup(graph, request, table.backup)
    way, path = require_way(graph, picked.backup, request.timeline)

PostgreSQL's own rule for ``recovery_target_timeline = latest``, the default: from the backup's
timeline it looks for one ``.history`` file after the other and stops at the first that is missing.
The server is FATAL if the timeline found like that does not contain the backup.
Source: src/backend/access/transam/timeline.c, findNewestTimeLine; xlogrecovery.c, InitWalRecovery.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.wal import Lsn, Segment, is_segment_name
from pytest_pgrestore.sources.wal.timelines import TimelinePath, parse_history, require_few

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import Timeline

_BEGINNING = Lsn(0)
_NAMED = 3
"""Most timelines that a message names."""


@dataclass(frozen=True, slots=True)
class Way:
    """What a restore of one backup does with the timelines of its archive.

    Attributes:
        backup: The backup.
        wanted: The timeline that was asked for.
        newest: The timeline that PostgreSQL takes as the target.
        path: The timelines that recovery follows; None if the server does not start.
        fatal: Why the server does not start; empty if it does.
        missing: Number of the ``.history`` file at which PostgreSQL stops looking although later
            ones descend from the backup; None if there is none.
        unseen: The later timelines that descend from the backup and are not found.
    """

    backup: Backup
    wanted: Timeline
    newest: int
    path: TimelinePath | None
    fatal: str = ""
    missing: int | None = None
    unseen: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the server starts, and finds every timeline that descends from the backup."""
        return self.path is not None and self.missing is None


@dataclass(frozen=True, slots=True)
class HistoryGraph:
    """The timelines of one archive.

    Attributes:
        histories: Text of each ``.history`` file by its timeline.
        names: Names of the archived segments; others are ignored.
        segment_bytes: Size of a segment.
        backups: The backups, oldest first. Those without a timeline or a start are left alone.
    """

    histories: Mapping[int, str]
    names: Collection[str]
    segment_bytes: int
    backups: Sequence[Backup] = ()
    _names: dict[int, list[str]] = field(init=False, repr=False, compare=False)
    _parsed: dict[int, list[tuple[int, Lsn]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Refuse an archive of too many timelines; sort the names, of which there may be many."""
        require_few(self.histories)
        by_prefix: dict[str, list[str]] = {}
        for name in filter(is_segment_name, self.names):
            by_prefix.setdefault(name[:8], []).append(name)
        object.__setattr__(self, "_names", {int(key, 16): by_prefix[key] for key in by_prefix})

    def newest(self, timeline: int) -> int:
        """Return the timeline that a default restore from `timeline` takes as its target."""
        while timeline + 1 in self.histories:
            timeline += 1
        return timeline

    def ancestors(self, timeline: int) -> list[tuple[int, Lsn]]:
        """Return the ancestors of a timeline, oldest first; none without a ``.history`` file.

        Raises:
            BackupNotRestorable: The file is damaged.
        """
        if timeline not in self.histories:
            return []
        if timeline not in self._parsed:
            self._parsed[timeline] = parse_history(self.histories[timeline], timeline)
        return list(self._parsed[timeline])

    def way(self, backup: Backup, wanted: Timeline = "latest") -> Way:
        """Return what a restore of `backup` does.

        Raises:
            BackupNotRestorable: The ``.history`` file that the server reads is damaged.
        """
        timeline, stop = _place(backup)
        if timeline is None or wanted in {"current", timeline}:
            alone = TimelinePath(((timeline or 1, None),))
            return Way(backup, wanted, timeline or 1, alone)
        if wanted != "latest":
            path, why = self._descent(int(wanted), timeline, stop)
            return Way(backup, wanted, int(wanted), path, why)
        newest = self.newest(timeline)
        path, why = self._descent(newest, timeline, stop)
        unseen = tuple(self._descendants(timeline, stop, newest + 1))
        missing = newest + 1 if unseen else None
        return Way(backup, wanted, newest, path, why, missing, unseen)

    def reachable(self, backup: Backup) -> list[int]:
        """Return the timelines that can be asked for by number, the backup's own one first."""
        timeline, stop = _place(backup)
        if timeline is None:
            return []
        return [timeline, *self._descendants(timeline, stop, timeline)]

    def why_not(self, backup: Backup, number: int) -> str:
        """Return why a timeline cannot be reached from `backup`; empty if it can."""
        try:
            return self.way(backup, number).fatal
        except BackupNotRestorable as exc:
            return exc.problem

    def lineage(self, path: TimelinePath) -> list[tuple[int, Lsn | None]]:
        """Return the steps of `path` with the ancestors of its first timeline before them."""
        first = path.steps[0][0]
        try:
            older = [step for step in self.ancestors(path.last) if step[0] < first]
        except BackupNotRestorable:
            older = []
        return [*older, *path.steps]

    @property
    def with_segments(self) -> set[int]:
        """The timelines of which there are segments."""
        return set(self._names)

    def segments_from(self, timeline: int, start: Lsn = _BEGINNING) -> tuple[str, ...]:
        """Return the segments of a timeline from the one on that contains `start`, in order."""
        first = Segment.holding(start, timeline, self.segment_bytes).file_name(self.segment_bytes)
        return tuple(sorted(name for name in self._names.get(timeline, ()) if name >= first))

    def _descendants(self, timeline: int, stop: Lsn, after: int) -> Iterator[int]:
        """Yield the timelines above `after` that can be reached from a backup, in order."""
        for number in sorted(other for other in self.histories if other > after):
            try:
                path, _ = self._descent(number, timeline, stop)
            except BackupNotRestorable:
                continue
            if path is not None:
                yield number

    def _descent(self, number: int, timeline: int, stop: Lsn) -> tuple[TimelinePath | None, str]:
        """Return the path from `timeline` to `number`; None with the reason if there is none.

        Raises:
            BackupNotRestorable: The history of `number` is damaged.
        """
        if number == timeline:
            return TimelinePath(((timeline, None),)), ""
        if number not in self.histories:
            return None, f"the archive holds no {number:08X}.history"
        ancestors = self.ancestors(number)
        if timeline not in {parent for parent, _ in ancestors}:
            numbers = [str(parent) for parent, _ in ancestors]
            named = ", ".join(numbers[:_NAMED]) + (" ..." if numbers[_NAMED:] else "")
            return None, (
                f"timeline {number} descends from timeline {named or 'nothing'}"
                f" and not from the backup's timeline {timeline}"
            )
        steps = [(parent, end) for parent, end in ancestors if parent >= timeline]
        if steps[0][1] < stop:
            return None, (
                f"timeline {number} left timeline {timeline} at {steps[0][1]}, before the backup"
                f" ended at {stop}"
            )
        return TimelinePath((*steps, (number, None))), ""


def _place(backup: Backup) -> tuple[int | None, Lsn]:
    """Return the timeline of a backup, and where it ended, or began if its end is unknown."""
    stop = max(backup.stop_lsn or Lsn(0), backup.start_lsn or Lsn(0))
    return backup.timeline, Lsn(stop)
