"""WAL in a repository that only a backup tool can read: planned by names, fetched before replay.

A tool that is started for every segment costs more time than replay itself (docs/benchmarks.md).
PostgreSQL also takes most errors of a restore_command for the end of the archive. So all WAL is
fetched before the server starts; see `fetched_wal` for what follows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_pgrestore.model.target import AtTime
from pytest_pgrestore.sources.wal import (
    archive_findings,
    commits,
    history_verdict,
    preflight,
    segments,
)
from pytest_pgrestore.sources.wal.activity import ActivityInList
from pytest_pgrestore.sources.wal.backup_label import beginning_of
from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
from pytest_pgrestore.sources.wal.segments import WalFile
from pytest_pgrestore.sources.wal.side_branches import witnesses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.evidence import Check
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.history_graph import Way
    from pytest_pgrestore.sources.wal.segments import Supply
    from pytest_pgrestore.sources.wal.timelines import TimelinePath

CHECK = archive_findings.CHECK
"""Name of the check that `WalPlan.check` returns."""

_BATCH = 8
"""Segments fetched at a time if only their content shows whether the target is among them."""

_MARGIN = timedelta(seconds=5)
"""Allowed difference between the clocks of a server and a store. Extra WAL is harmless."""

BEYOND = "beyond"
"""Directory below ``sandbox.wal`` for WAL that is read and never replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWal:
    """The WAL of a repository, as the repository lists it.

    Attributes:
        segments: Name of every complete segment, with the time it was stored; None if unknown.
        histories: Text of each ``.history`` file by its timeline.
    """

    segments: Mapping[str, datetime | None]
    histories: Mapping[int, str]


class Bring(Protocol):
    """Fetches segments from the repository."""

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Write each segment of `names`, uncompressed, into the directory `into`.

        A segment that no longer exists is left out.

        Raises:
            BackupNotRestorable: A segment is damaged in the repository.
            HarnessError: The repository cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WalPlan:
    """The WAL one restore needs, by the names in the repository.

    Attributes:
        target: Where recovery stops.
        now: Start of the drill.
        graph: The timelines of the repository.
        way: What a restore of the backup does with them.
        path: Timelines that recovery follows.
        found: Segments by name. Their paths are not files.
        beyond: Segments of timelines that recovery leaves or never takes, and those it reads
            instead. They show which of them is production's.
        end: End of the run of segments without a gap, needed or not.
        start: Where replay begins.
        stop: Where the backup ended.
        segment_bytes: Size of a segment.
        stored: All WAL of the repository.
        notes: Timelines that were not followed, and why the run of segments ends early.
    """

    target: RecoveryTarget
    now: datetime
    graph: HistoryGraph
    way: Way
    path: TimelinePath
    found: Supply
    beyond: tuple[str, ...]
    end: Lsn
    start: Lsn
    stop: Lsn
    segment_bytes: int
    stored: StoredWal
    notes: tuple[str, ...]

    def check(self) -> Check:
        """Return the check `archive`: the segments the drill needs are stored, without a gap."""
        return archive_findings.check(self.found)

    @property
    def needed_bytes(self) -> int:
        """Most disk space the WAL needs."""
        return len(self.found.files) * self.segment_bytes


def graph_of(stored: StoredWal, backups: Sequence[Backup], start_file: str) -> HistoryGraph:
    """Return the timelines of a repository, for `history_choice.choose_backup` and `plan`.

    Args:
        stored: All WAL of the repository.
        backups: The backups that can be restored, oldest first; one at least.
        start_file: Name of the segment in which the newest of them starts.

    Raises:
        BackupNotRestorable: The catalogue contradicts itself.
    """
    _, _, segment_bytes = beginning_of(backups[-1], start_file)
    return HistoryGraph(stored.histories, stored.segments.keys(), segment_bytes, backups)


def plan(
    request: LocateRequest,
    backup: Backup,
    start_file: str,
    stored: StoredWal,
    graph: HistoryGraph | None = None,
) -> WalPlan:
    """Return the WAL the chosen backup needs for the target.

    Args:
        request: The drill's request.
        backup: The chosen backup, with its start, its stop and its timeline.
        start_file: Name of the segment in which the backup starts.
        stored: All WAL of the repository.
        graph: Its timelines; None if the source knows no other backup.

    Raises:
        BackupNotRestorable: WAL the backup needs is missing, `latest` would end at a gap, or a
            default restore does not follow production.
        TargetUnreachable: The target is outside of the stored WAL.
    """
    start, timeline, segment_bytes = beginning_of(backup, start_file)
    stop = max(backup.stop_lsn or start, start)
    graph = graph or HistoryGraph(stored.histories, stored.segments.keys(), segment_bytes)
    placed = replace(backup, timeline=timeline)
    activity = ActivityInList(stored.segments)
    way, path = history_verdict.require_way(graph, placed, request.timeline, activity)
    files = {name: WalFile(name, Path(), entry=name) for name in stored.segments}
    whole = segments.supply(files, path, start, segment_bytes)
    preflight.require_complete(request.target, stop, whole)
    history_verdict.require_fork_archived(path, request.target, whole.end)
    if isinstance(request.target, AtTime):
        preflight.require_past(request.target, request.now)
    return WalPlan(
        target=request.target,
        now=request.now,
        graph=graph,
        way=way,
        path=path,
        found=segments.limited(whole, segment_bytes, preflight.until(request.target, stop)),
        beyond=witnesses(graph, path) if request.timeline == "latest" else (),
        end=whole.end,
        start=start,
        stop=stop,
        segment_bytes=segment_bytes,
        stored=stored,
        notes=(
            *history_verdict.not_followed(graph, way),
            *archive_findings.notes(path, whole),
        ),
    )


def bring(wanted: WalPlan, fetch: Bring, sandbox: Sandbox) -> str:
    """Fetch the WAL into ``sandbox.wal``; return a description for the report of the phase.

    For a target in time, fetching stops after the first transaction that ended after the target.
    """
    names = [file.name for file in wanted.found.files]
    count = _first_count(wanted, names)
    fetch(names[:count], sandbox.wal)
    while count < len(names) and not _passes(wanted, names[:count], sandbox):
        fetch(names[count : count + _BATCH], sandbox.wal)
        count = min(len(names), count + _BATCH)
    if wanted.beyond:
        (sandbox.wal / BEYOND).mkdir()
        fetch(wanted.beyond, sandbox.wal / BEYOND)
    return f"{count} WAL segments brought ahead of replay"


def _first_count(wanted: WalPlan, names: Sequence[str]) -> int:
    """Return how many segments to fetch before looking for the target in them.

    All, except for a target in time: then up to the first segment stored after it.
    """
    target = wanted.target
    if not isinstance(target, AtTime):
        return len(names)
    size = wanted.segment_bytes
    of_backup = -(-int(wanted.stop) // size) - int(wanted.start) // size
    for place, name in enumerate(names):
        stored_at = wanted.stored.segments.get(name)
        if stored_at is None:
            return len(names)
        if stored_at > target.when + _MARGIN and place >= of_backup:
            return place + 1
    return len(names)


def _passes(wanted: WalPlan, names: Sequence[str], sandbox: Sandbox) -> bool:
    """Return whether a transaction in the fetched segments ended after the target."""
    if not isinstance(wanted.target, AtTime):
        return True
    there = [WalFile(name, sandbox.wal / name) for name in names if (sandbox.wal / name).exists()]
    last = commits.last_end(there, sandbox.programs)
    if last is None or last.when is None:
        return False
    return preflight.is_passed(wanted.target, last.when)
