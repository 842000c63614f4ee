"""WAL in a repository that only its tool can read: chosen by names, fetched ahead of replay, checked as any archive.

A tool that is started for every segment costs more than replay itself (docs/benchmarks.md), and PostgreSQL takes most
of its errors for the end of the archive. So all of it is brought before the server starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.target import AtName, AtTime
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.wal import commits, preflight, segments, timelines
from pytest_pgrestore.sources.wal.backup_label import BackupLabel
from pytest_pgrestore.sources.wal.header import Expected, control_identifier
from pytest_pgrestore.sources.wal.segments import Supply, WalFile, WalFiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.timelines import TimelinePath

CHECK = "archive"
_BATCH = 8
"""Segments brought at a time where only their content tells whether the target is among them."""

_MARGIN = timedelta(seconds=5)
"""Clocks of a server and of a store differ; a little too much WAL harms nothing."""

_BEYOND = "beyond"
"""Directory for WAL that is read and never replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWal:
    """What a repository says it has.

    Attributes:
        segments: Plain name of every complete segment, with the moment it was stored; None where that is not told.
        histories: Text of each ``.history`` file by its timeline.
    """

    segments: Mapping[str, datetime | None]
    histories: Mapping[int, str]


class Bring(Protocol):
    """Brings segments out of the repository."""

    def __call__(self, names: Sequence[str], into: Path) -> None:
        """Put each of `names`, plain, into the directory `into`; one that is not there any more is left out.

        Raises:
            BackupNotRestorable: One is damaged in the repository.
            HarnessError: The repository cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WalPlan:
    """The WAL one restore needs, by the names the repository has.

    Attributes:
        target: Where recovery is to stop.
        now: Start of the drill.
        path: Timelines it follows.
        found: Segments by their names; their paths mean nothing yet.
        beyond: Segments of a timeline that was left, behind the place: they tell whether it was left by production.
        end: Where the unbroken run of segments ends, needed or not.
        start: Where replay begins.
        stop: Where the backup ended.
        segment_bytes: Size of a segment.
        stored: What the repository has.
        notes: What was not followed, and what ends the run.
    """

    target: RecoveryTarget
    now: datetime
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
        """Return the verdict on the archive: what a drill needs of it is there, without a hole."""
        after = f"; after them {self.found.break_words()}" if self.found.broken else ""
        return Check(
            name=CHECK,
            verdict=Verdict.PASSED,
            message=f"{self.found.words()} without a hole{after}",
        )

    @property
    def needed_bytes(self) -> int:
        """Disk space it takes at most."""
        return len(self.found.files) * self.segment_bytes


def plan(request: LocateRequest, backup: Backup, start_file: str, stored: StoredWal) -> WalPlan:
    """Return the WAL the chosen backup needs for the target.

    Args:
        request: What was asked.
        backup: With its start, its stop and its timeline.
        start_file: Name of the segment its start lies in; with the start it tells the size of a segment.
        stored: What the repository has.

    Raises:
        BackupNotRestorable: WAL the backup needs is missing, or `latest` would end at a hole.
        TargetUnreachable: The target lies outside of what there is.
    """
    start = backup.start_lsn
    label = None if start is None else BackupLabel(start, start_file, int(start_file[:8], 16), "")
    segment_bytes = None if label is None else label.segment_bytes()
    if label is None or segment_bytes is None:
        raise BackupNotRestorable(
            f"the catalogue says that backup {backup.label} starts at {start} in {start_file}, which cannot be",
            hint="the catalogue is damaged: take a new backup.",
        )
    stop = max(backup.stop_lsn or label.start_lsn, label.start_lsn)
    path, notes = timelines.follow(stored.histories, label.start_timeline, request.timeline, stop)
    files = {name: WalFile(name, Path(name)) for name in stored.segments}
    whole = segments.supply(files, path, label.start_lsn, segment_bytes)
    preflight.require_complete(request.target, stop, whole)
    if isinstance(request.target, AtTime):
        preflight.require_past(request.target, request.now)
    said = [f"recovery follows timelines {path}"] if len(path.steps) > 1 else []
    said += (
        [f"the archive breaks off after {whole.end}: {whole.break_words()}"] if whole.broken else []
    )
    return WalPlan(
        target=request.target,
        now=request.now,
        path=path,
        found=segments.limited(whole, segment_bytes, preflight.until(request.target, stop)),
        beyond=_beyond(path, files, segment_bytes) if request.timeline == "latest" else (),
        end=whole.end,
        start=label.start_lsn,
        stop=stop,
        segment_bytes=segment_bytes,
        stored=stored,
        notes=(*notes, *said),
    )


def bring(wanted: WalPlan, fetch: Bring, sandbox: Sandbox) -> str:
    """Bring the WAL into ``sandbox.wal``; return words for the phase.

    For a moment in the past no more is brought than up to the first transaction that ended after it.
    """
    names = [file.name for file in wanted.found.files]
    count = _first_count(wanted, names)
    fetch(names[:count], sandbox.wal)
    while count < len(names) and not _passes(wanted, names[:count], sandbox):
        fetch(names[count : count + _BATCH], sandbox.wal)
        count = min(len(names), count + _BATCH)
    if wanted.beyond:
        (sandbox.wal / _BEYOND).mkdir()
        fetch(wanted.beyond, sandbox.wal / _BEYOND)
    return f"{count} WAL segments brought ahead of replay"


def stage(wanted: WalPlan, sandbox: Sandbox) -> str:
    """Check what `bring` brought and lay it out for the server; return words for the phase.

    Raises:
        BackupNotRestorable: A segment is damaged or foreign, or the end of the archive is not the end of production.
        TargetUnreachable: The target is not among it.
    """
    major = sandbox.programs.major
    brought = segments.scan(sandbox.wal)
    expected = Expected(wanted.segment_bytes, control_identifier(sandbox.data), major)
    by_name = segments.supply(brought.segments, wanted.path, wanted.start, wanted.segment_bytes)
    found = segments.sound(by_name, expected, preflight.until(wanted.target, wanted.stop))
    if not found.broken and wanted.found.broken and len(found.files) == len(wanted.found.files):
        found = Supply(found.files, found.end, wanted.found.broken, wanted.found.cut_off)
    if wanted.beyond:
        every = WalFiles(segments=brought.segments | segments.scan(sandbox.wal / _BEYOND).segments)
        preflight.refuse_foreign(wanted.path, every, wanted.segment_bytes, sandbox.programs)
    preflight.require_reachable(
        preflight.Question(wanted.target, wanted.stop, found, wanted.now, sandbox.programs)
    )
    into = sandbox.data / "pg_wal"
    for file in found.files:
        file.path.rename(into / file.name)
    for timeline, _ in wanted.path.steps:
        if timeline in wanted.stored.histories:
            (into / f"{timeline:08X}.history").write_text(wanted.stored.histories[timeline])
        elif timeline > 1 and timeline == wanted.path.last:
            # A backup's own timeline needs no ancestors, but a server refuses one that has no file at all.
            (into / f"{timeline:08X}.history").write_text("")
    sandbox.adopt(into)
    return f"{found.words()} staged"


def reachable(wanted: WalPlan, sandbox: Sandbox) -> list[str]:
    """Return the stops nearest the target, and what cuts the archive."""
    files = sorted((sandbox.data / "pg_wal").glob("?" * 24))
    staged = [WalFile(path.name, path) for path in files]
    stops = commits.stops_in(staged, sandbox.programs, named=isinstance(wanted.target, AtName))
    broken = wanted.found.break_words()
    return commits.nearest(stops, wanted.target) + ([broken] if broken else [])


def _beyond(
    path: TimelinePath, files: Mapping[str, WalFile], segment_bytes: int
) -> tuple[str, ...]:
    """Return the first segments that timelines which were left wrote behind the place."""
    found: list[str] = []
    for timeline, end in path.steps:
        if end is None:
            continue
        first = int(end) // segment_bytes + 1
        for number in range(first, first + commits.LOOK_BACK):
            name = Segment(timeline, number).file_name(segment_bytes)
            if name not in files:
                break
            found.append(name)
    return tuple(found)


def _first_count(wanted: WalPlan, names: Sequence[str]) -> int:
    """Return how many segments to bring before looking whether the target is among them: all, or up to a moment."""
    target = wanted.target
    if not isinstance(target, AtTime):
        return len(names)
    limit = target.when + _MARGIN
    behind = (
        -(-int(wanted.stop) // wanted.segment_bytes) - int(wanted.start) // wanted.segment_bytes
    )
    for place, name in enumerate(names):
        stored_at = wanted.stored.segments.get(name)
        if stored_at is None:
            return len(names)
        if stored_at > limit and place >= behind:
            return place + 1
    return len(names)


def _passes(wanted: WalPlan, names: Sequence[str], sandbox: Sandbox) -> bool:
    """Tell whether a transaction ended after the target in what was brought."""
    if not isinstance(wanted.target, AtTime):
        return True
    there = [WalFile(name, sandbox.wal / name) for name in names if (sandbox.wal / name).exists()]
    last = commits.last_end(there, sandbox.programs)
    return (
        last is not None and last.when is not None and preflight.is_passed(wanted.target, last.when)
    )
