"""WAL of another cluster in the archive: production may have moved there, and have no backup.

After ``initdb`` and a load, or pg_upgrade, the new cluster archives to the same place under another
system identifier. A restore of the newest backup brings the old cluster back, without a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.wal import commits
from pytest_pgrestore.sources.wal.header import read_header

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from pytest_pgrestore.model.backup import Backup
    from pytest_pgrestore.sandboxes.protocol import PostgresPrograms
    from pytest_pgrestore.sources.wal.header import WalHeader
    from pytest_pgrestore.sources.wal.segments import Supply, WalFile

_NAMED = 3
"""Most clusters that a report names."""

_MOST_RUNS = 64
"""Runs of segments whose first and last header are read. An archive without holes has one."""


def moved(backup: Backup, identifier: int, until: datetime | None) -> BackupNotRestorable:
    """Return the error for WAL of another cluster that is newer than the newest backup.

    Args:
        backup: The newest backup.
        identifier: System identifier of the other cluster.
        until: A moment at which it was in use, the last that is known.
    """
    wrote = "" if until is None else f", which was in use at {until.isoformat()}"
    own = "" if backup.system_identifier is None else f" {backup.system_identifier}"
    return BackupNotRestorable(
        f"the newest WAL is that of another cluster: it has the system identifier {identifier}"
        f"{wrote}, and no backup; a restore brings back the cluster{own} of backup {backup.label}",
        hint="take a backup of the new cluster now; if it is not production, find out why it"
        f' archives here, and move its WAL away; backup = "{backup.label}" restores the old one.',
    )


def anothers_history(timeline: int, identifier: int, backup: Backup) -> BackupNotRestorable:
    """Return the error for a timeline that a default restore follows into another cluster.

    Args:
        timeline: The timeline.
        identifier: System identifier in its WAL.
        backup: The backup that is restored.
    """
    return BackupNotRestorable(
        f"{timeline:08X}.history is another cluster's: WAL of timeline {timeline} is of system"
        f" identifier {identifier}, backup {backup.label} is of {backup.system_identifier}, and a"
        " default restore follows that timeline",
        hint='write timeline = "current" to stay on the backup\'s own; give each cluster a place'
        " of its own, and move the other's .history and WAL away.",
    )


def made_at(identifier: int) -> datetime:
    """Return when a cluster was made: its identifier begins with the seconds since 1970.

    Source: src/backend/access/transam/xlog.c, BootStrapXLOG.
    """
    return datetime.fromtimestamp(identifier >> 32, UTC)


@dataclass(frozen=True, slots=True)
class _Foreign:
    """Segments of another cluster, in order."""

    header: WalHeader
    files: list[WalFile]


def require_no_other(
    backup: Backup,
    files: Mapping[str, WalFile],
    found: Supply,
    segment_bytes: int,
    programs: PostgresPrograms,
) -> list[str]:
    """Refuse an archive in which another cluster was written to last; return notes on older ones.

    Args:
        backup: The newest backup.
        files: The archived segments by name.
        found: Those that recovery reads.
        segment_bytes: Size of a segment.
        programs: PostgreSQL's programs of the backup's major.

    Raises:
        BackupNotRestorable: There is WAL of another cluster, newer than the backup and its WAL.
    """
    if backup.system_identifier is None:
        return []
    used = {file.name for file in found.files}
    others = list(_foreign(backup.system_identifier, files, used, segment_bytes))
    if not others:
        return []
    own = commits.last_end(found.files, programs)
    since = max(filter(None, [backup.stopped_at, own.when if own else None]), default=None)
    for other in others:
        if (other.header.major or 0) > (backup.server_major or 0):
            # An upgrade: pg_waldump of the old major cannot read it, and it can only be newer.
            raise moved(backup, other.header.system_identifier, None)
        last = _last(other, programs)
        if last is not None and (since is None or last > since):
            raise moved(backup, other.header.system_identifier, last)
    identifiers = sorted({other.header.system_identifier for other in others})
    return [
        f"the archive has WAL of another cluster too, of system identifier {identifier}; it is not"
        " newer than the backup"
        for identifier in identifiers[:_NAMED]
    ]


def _foreign(
    own: int, files: Mapping[str, WalFile], used: Container[str], segment_bytes: int
) -> Iterator[_Foreign]:
    """Yield the first and the last segments of each run of unused ones that are not `own`."""
    for run in _runs((name for name in files if name not in used), segment_bytes)[-_MOST_RUNS:]:
        for names in (run[-commits.LOOK_BACK :], run[: commits.LOOK_BACK]):
            headers = {name: _header(files[name]) for name in (names[0], names[-1])}
            for header in headers.values():
                if header is not None and header.system_identifier != own:
                    there = [
                        files[name]
                        for name in names
                        if (one := _header(files[name])) is not None
                        and one.system_identifier == header.system_identifier
                    ]
                    yield _Foreign(header, there)


def _runs(names: Iterable[str], segment_bytes: int) -> list[list[str]]:
    """Return the names in order, in runs without a hole."""
    runs: list[list[str]] = []
    last = None
    for name in sorted(names):
        segment = Segment.parse(name, segment_bytes)
        if last is not None and segment == Segment(last.timeline, last.number + 1):
            runs[-1].append(name)
        else:
            runs.append([name])
        last = segment
    return runs


def _header(file: WalFile) -> WalHeader | None:
    """Return the header of a segment; None if it has none, or cannot be unpacked."""
    try:
        return read_header(file.head()[1])
    except BackupNotRestorable:
        return None


def _last(other: _Foreign, programs: PostgresPrograms) -> datetime | None:
    """Return when a cluster was last written to, as far as is known; it was made then or before."""
    made = made_at(other.header.system_identifier)
    try:
        found = commits.last_end(other.files, programs)
        when = found.when if found else commits.last_checkpoint(other.files, Lsn(0), programs)
    except BackupNotRestorable:
        return made
    return made if when is None else max(made, when)
