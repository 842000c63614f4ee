"""The WAL one restore needs: found in the archive and the backup, and laid out for the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.wal import Lsn, Segment, is_segment_name
from pytest_pgrestore.sources.basebackup import stopped
from pytest_pgrestore.sources.basebackup.find_backups import scan_for_major
from pytest_pgrestore.sources.basebackup.links import wal_folder
from pytest_pgrestore.sources.basebackup.unpacking import wal_in_tars
from pytest_pgrestore.sources.copying import copy_plain
from pytest_pgrestore.sources.wal import (
    history_verdict,
    preflight,
    segments,
    staging,
    timelines,
)
from pytest_pgrestore.sources.wal.activity import ActivityInWal
from pytest_pgrestore.sources.wal.header import Expected, control_identifier, read_header
from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
from pytest_pgrestore.sources.wal.segments import Supply, WalFile, WalFiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory
    from pytest_pgrestore.sources.protocol import LocateRequest
    from pytest_pgrestore.sources.wal.backup_label import BackupLabel
    from pytest_pgrestore.sources.wal.history_graph import Way
    from pytest_pgrestore.sources.wal.timelines import TimelinePath


@dataclass(frozen=True, slots=True)
class Wal:
    """The WAL one restore can use.

    Attributes:
        graph: The timelines of the archive and of the backup's own WAL.
        way: What a restore of the backup does with them.
        path: Timelines that recovery follows.
        files: The segments of both, by name.
        found: Sound segments, up to the last one the target needs.
        end: End of the run of segments without a gap, needed or not.
        stop: Where the backup ended, or where it began if its end is unknown.
        expected: Facts that all segments share.
        major: Server major.
        histories: History files by timeline.
        notes: Timelines that were not followed.
    """

    graph: HistoryGraph
    way: Way
    path: TimelinePath
    files: dict[str, WalFile]
    found: Supply
    end: Lsn
    stop: Lsn
    expected: Expected
    major: int
    histories: dict[int, Path]
    notes: tuple[str, ...]


def wal_for(
    request: LocateRequest,
    backup: Backup,
    directory: BackupDirectory,
    files: WalFiles,
    backups: Sequence[Backup],
) -> Wal:
    """Return the WAL for the chosen backup, from the archive and from the backup itself.

    Raises:
        BackupNotRestorable: The backup's label or version is missing or wrong, or a default restore
            does not follow production.
        TargetUnreachable: The wanted timeline cannot be reached.
    """
    label = directory.needed_label()
    segment_bytes = _segment_bytes(label, backup)
    stop = max(backup.stop_lsn or label.start_lsn, label.start_lsn)
    own = _own_wal(directory, files, label.start_lsn, stop, segment_bytes)
    histories = own.history_texts() | files.history_texts()
    every = own.segments | files.segments
    graph = HistoryGraph(histories, every.keys(), segment_bytes, backups)
    programs = request.find_programs(backup.server_major)
    way, path = history_verdict.require_way(
        graph, backup, request.timeline, ActivityInWal(every, programs)
    )
    by_name = segments.supply(every, path, label.start_lsn, segment_bytes)
    expected = _expected(backup, by_name, segment_bytes)
    return Wal(
        graph=graph,
        way=way,
        path=path,
        files=every,
        found=segments.sound(by_name, expected, preflight.until(request.target, stop)),
        end=by_name.end,
        stop=stop,
        expected=expected,
        major=expected.major or _major_by_reading(directory),
        histories=own.histories | files.histories,
        notes=(*history_verdict.not_followed(graph, way), *_links_not_followed(directory)),
    )


def _segment_bytes(label: BackupLabel, backup: Backup) -> int:
    segment_bytes = label.segment_bytes()
    if segment_bytes is None:
        raise BackupNotRestorable(
            f"backup_label of {backup.label} names {label.start_file} for {label.start_lsn},"
            " and no segment size fits",
            hint="the label was edited: take a new backup.",
        )
    return segment_bytes


def stage(wal: Wal, sandbox: Sandbox) -> str:
    """Lay out the WAL in the sandbox's pg_wal, decompressed and checked; return a description.

    Raises:
        BackupNotRestorable: A segment is damaged or of another cluster.
    """
    into = sandbox.data / "pg_wal"
    # A tar backup has no pg_control before it is unpacked. It identifies the cluster.
    expected = Expected(wal.expected.segment_bytes, control_identifier(sandbox.data), wal.major)
    for file in wal.found.files:
        if file.in_tar is not None:
            (sandbox.wal / file.name).rename(into / file.name)
            _require_sound(into / file.name, expected)
    outside = [file for file in wal.found.files if file.in_tar is None]
    staging.copy_segments(
        ((file.path, into / file.name) for file in outside),
        wal.expected.segment_bytes,
        lambda path: _require_sound(path, expected),
    )

    def put(timeline: int, target: Path) -> bool:
        carried = sandbox.wal / target.name
        if timeline in wal.histories:
            copy_plain(wal.histories[timeline], target, timelines.LARGEST_HISTORY)
        elif carried.exists():
            carried.rename(target)
        else:
            return False
        return True

    staging.stage_histories(wal.path, into, put)
    sandbox.adopt(into)
    return f"{wal.found.words()} staged"


def _own_wal(
    directory: BackupDirectory, files: WalFiles, start: Lsn, stop: Lsn, segment_bytes: int
) -> WalFiles:
    """Return the WAL inside the backup."""
    if not directory.tar:
        folder = wal_folder(directory.path, directory.rules)
        own = segments.scan(folder) if folder is not None else WalFiles()
        if directory.stopped:
            facts = Expected(segment_bytes, directory.control_identifier, directory.major)
            own = stopped.without_recycled(own, stop, facts)
        return own
    own = WalFiles()
    timeline = directory.needed_label().start_timeline
    needed = (
        Segment(timeline, number).file_name(segment_bytes)
        for number in range(start // segment_bytes, -(-stop // segment_bytes))
    )
    # Reading all of base.tar takes time. It is done only if the archive lacks a segment.
    missing = any(name not in files.segments for name in needed)
    for file in wal_in_tars(directory, inside_base=missing):
        if is_segment_name(file.name):
            own.segments[file.name] = file
    return own


def _links_not_followed(directory: BackupDirectory) -> list[str]:
    link = directory.path / "pg_wal"
    if directory.tar or not link.is_symlink() or wal_folder(directory.path, directory.rules):
        return []
    return [f"the backup's pg_wal is a link to {link.readlink()}, which was not followed"]


def _expected(backup: Backup, found: Supply, segment_bytes: int) -> Expected:
    """Return the facts that all segments must share with the backup.

    Facts that the backup does not contain are taken from the first segment.
    """
    identifier, major = backup.system_identifier, backup.server_major
    if found.files and (identifier is None or major is None):
        try:
            header = read_header(found.files[0].head()[1])
        except BackupNotRestorable:
            # The check of all segments reports it, with the segment's name.
            header = None
        if header is not None:
            identifier = header.system_identifier if identifier is None else identifier
            major = header.major if major is None else major
    return Expected(segment_bytes, identifier, major)


def _major_by_reading(directory: BackupDirectory) -> int:
    major = scan_for_major(directory)
    if major is None:
        raise BackupNotRestorable(
            f"backup {directory.path.name} does not tell its server version: PG_VERSION is missing",
            hint="the backup is incomplete: take a new one.",
        )
    return major


def _require_sound(path: Path, expected: Expected) -> None:
    problem = segments.fault_of(
        WalFile(path.name, path), Segment.parse(path.name, expected.segment_bytes), expected
    )
    if problem is not None:
        raise BackupNotRestorable(
            f"WAL segment {path.name} {problem}",
            hint="find out what wrote it to the archive; restore the segment from another copy.",
        )
