"""WAL that a backup keeps itself, beside the archive: option archive-copy.

Source: pgBackRest configuration reference, "archive-copy": the WAL that makes a backup consistent
is stored in its pg_wal as well, and restored there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.model.wal import Segment
from pytest_pgrestore.sources.json_answer import parse, understood
from pytest_pgrestore.sources.pgbackrest.messages import failed
from pytest_pgrestore.sources.restored_files import is_file, own_directory
from pytest_pgrestore.sources.wal.backup_label import BackupLabel

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_pgrestore.model.target import RecoveryTarget
    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.pgbackrest.commands import Pgbackrest
    from pytest_pgrestore.sources.pgbackrest.entries import Entry
    from pytest_pgrestore.sources.pgbackrest.wal import Archive
    from pytest_pgrestore.sources.wal.segments import Supply


_MOST = 100_000
"""Segments from the beginning of a backup to its end: 1.6 TB of WAL in segments of 16 MiB."""


def with_kept(pgbackrest: Pgbackrest, entry: Entry, archive: Archive) -> Archive:
    """Return the archive, and the segments that only the backup keeps.

    The repository is asked only if the archive lacks WAL of the backup.

    Raises:
        HarnessError: The repository cannot be read.
    """
    missing = [name for name in _of_backup(entry) if name not in archive.wal.segments]
    if not missing or not _keeps_wal(pgbackrest, entry.backup.label):
        return archive
    segments = {**archive.wal.segments, **dict.fromkeys(missing)}
    return replace(archive, wal=replace(archive.wal, segments=segments), kept=frozenset(missing))


def _of_backup(entry: Entry) -> list[str]:
    """Return the names of the segments from the beginning of a backup to its end."""
    start = entry.backup.start_lsn
    if start is None or not entry.start_file or not entry.stop_file:
        return []
    timeline = int(entry.start_file[:8], 16)
    size = BackupLabel(start, entry.start_file, timeline, "").segment_bytes()
    if size is None:
        return []
    first, last = (Segment.parse(name, size).number for name in (entry.start_file, entry.stop_file))
    # The catalogue may say anything.
    last = min(last, first + _MOST)
    return [Segment(timeline, number).file_name(size) for number in range(first, last + 1)]


def _keeps_wal(pgbackrest: Pgbackrest, label: str) -> bool:
    """Return whether a backup was taken with archive-copy: ``info`` does not say it."""
    done = pgbackrest.run(
        "repository", "repo-get", f"backup/{pgbackrest.stanza}/backup.info", quiet=True
    )
    if done.status != 0:
        raise failed(done, pgbackrest.repository, "backup.info could not be read")
    line = next((line for line in done.stdout.split("\n") if line.startswith(f"{label}=")), None)
    if line is None:
        return False
    with understood(f"backup.info is not understood: backup {label}", "read the saved log."):
        copied = parse(line.partition("=")[2]).get("option-archive-copy")
        return copied is not None and copied.flag()


def require_archive(archive: Archive, found: Supply, target: RecoveryTarget, label: str) -> None:
    """Refuse `latest` if there is no archived WAL at all behind what the backup keeps.

    Raises:
        BackupNotRestorable: The archive has lost WAL that it had when the backup was taken.
    """
    if not isinstance(target, Latest) or not archive.kept:
        return
    if any(file.name not in archive.kept for file in found.files):
        return
    raise BackupNotRestorable(
        f"the archive has none of the WAL of backup {label}, from {found.files[0].name} on: a"
        f" default restore replays what the backup keeps (archive-copy), and opens at {found.end}"
        " without a word",
        hint="find out what removed WAL from the archive, and take a new full backup;"
        ' target = "immediate" drills what this backup keeps.',
    )


def kept_words(archive: Archive, found: Supply) -> list[str]:
    """Return a note on the segments of a restore that only the backup keeps."""
    kept = [file.name for file in found.files if file.name in archive.kept]
    if not kept:
        return []
    return [
        f"the archive lacks {kept[0]}"
        + (f" and {len(kept) - 1} more" if kept[1:] else "")
        + ": the backup keeps its own WAL (archive-copy)"
    ]


def take_kept(names: Collection[str], sandbox: Sandbox) -> None:
    """Move the segments that came with the backup to where fetched WAL lies."""
    if not names:
        return
    folder = own_directory(sandbox.data, "pg_wal")
    for name in names:
        if is_file(folder / name):
            (folder / name).rename(sandbox.wal / name)
