"""WAL-G's catalogue: its backups, the sentinel of each backup, and the names of its WAL.

Source: WAL-G 3.0.9, docs/PostgreSQL.md ("backup-list") and docs/StorageTools.md ("st ls", "st
cat").
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.wal.stored_wal import StoredWal
from pytest_pgrestore.sources.walg.messages import failed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_pgrestore.sources.backup_tool import BackupTool

_DELTA = "_D_"
"""Part of the name of a delta backup, before the segment of the backup it builds on."""

_PREFIX = "base_00000000"
"""Start of a name, with the timeline; backups are sorted by what follows."""

_OBJECT = re.compile(r"^obj\s+\d+\s+(\S+ \S+) \+0000 UTC\s+(\S+)\s*$", re.MULTILINE)
_SEGMENT = re.compile(r"([0-9A-F]{24})(?:\.(?!backup)[a-z0-9]+)?")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history(\.[a-z0-9]+)?")
_CATALOGUE_SECONDS = 120.0
"""WAL-G retries without a message if a store does not answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One backup of the catalogue, and the segment its WAL begins in."""

    backup: Backup
    start_file: str


def read(tool: BackupTool, location: str) -> list[Entry]:
    """Return the catalogue, oldest first.

    Raises:
        HarnessError: The storage cannot be read, or WAL-G is too old.
    """
    done = tool.run(
        "catalogue", "backup-list", "--detail", "--json", timeout_seconds=_CATALOGUE_SECONDS
    )
    if done.status != 0:
        raise failed(done, "the catalogue could not be read")
    try:
        rows = json.loads(done.stdout or "[]")
        return sorted(
            (_entry(row, location) for row in rows),
            key=lambda entry: entry.backup.label[len(_PREFIX) :],
        )
    except (ValueError, KeyError, TypeError):
        raise HarnessError(
            "WAL-G's catalogue is not understood",
            hint="read the saved log of `backup-list`; is this WAL-G 2 or newer?",
        ) from None


def _entry(row: Mapping[str, Any], location: str) -> Entry:
    label, start_file = str(row["backup_name"]), str(row["wal_file_name"])
    backup = Backup(
        label=label,
        location=location,
        form="tar parts",
        kind="incremental" if _DELTA in label else "full",
        server_major=int(row["pg_version"]) // 10000,
        started_at=datetime.fromisoformat(row["start_time"]),
        stopped_at=datetime.fromisoformat(row["finish_time"]),
        start_lsn=Lsn(row["start_lsn"]),
        stop_lsn=Lsn(row["finish_lsn"]),
        timeline=int(start_file[:8], 16),
        system_identifier=row.get("system_identifier"),
        size_bytes=row.get("uncompressed_size"),
        repository_bytes=row.get("compressed_size"),
    )
    return Entry(backup, start_file)


def sentinel(tool: BackupTool, label: str) -> Mapping[str, Any]:
    """Return the sentinel of backup `label`: the keys ``DeltaFrom`` and ``Spec`` (tablespaces).

    Raises:
        BackupNotRestorable: It is missing or damaged.
        HarnessError: The storage cannot be read.
    """
    done = tool.run(
        "catalogue", "st", "cat", f"basebackups_005/{label}_backup_stop_sentinel.json", quiet=True
    )
    if done.status != 0:
        raise failed(done, f"the sentinel of backup {label} could not be read")
    try:
        found: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise BackupNotRestorable(
            f"the sentinel of backup {label} is damaged",
            hint="restore it from another copy of the storage.",
        ) from None
    return found


def files_of(tool: BackupTool, label: str) -> list[str] | None:
    """Return the files of backup `label`, relative to the data directory; None if it has no list.

    Raises:
        HarnessError: The storage cannot be read.
    """
    done = tool.run(
        "catalogue", "st", "cat", f"basebackups_005/{label}/files_metadata.json", quiet=True
    )
    if done.status != 0:
        error = failed(done, f"the list of files of backup {label} could not be read")
        if isinstance(error, BackupNotRestorable):
            return None  # taken with --without-files-metadata
        raise error
    try:
        return [path.lstrip("/") for path in json.loads(done.stdout)["Files"]]
    except (ValueError, KeyError, TypeError):
        return None


def chain_of(
    tool: BackupTool, label: str, found: Mapping[str, Any], known: Collection[str]
) -> tuple[str, ...]:
    """Return the labels of the backups that `label` builds on, the full one first.

    Args:
        tool: WAL-G.
        label: Of the backup.
        found: Its sentinel.
        known: Labels of the catalogue.

    Raises:
        BackupNotRestorable: One of them is not in the catalogue.
    """
    chain: list[str] = []
    while (parent := found.get("DeltaFrom")) and parent not in chain:
        if parent not in known:
            child = chain[0] if chain else label
            raise BackupNotRestorable(
                f"backup {child} is a delta to {parent}, which is not in the catalogue",
                hint="keep every backup of a chain, back to the full one; take a new full backup.",
            )
        chain.insert(0, parent)
        found = sentinel(tool, parent)
    return tuple(chain)


def stored_wal(tool: BackupTool) -> StoredWal:
    """Return the WAL of the storage.

    Raises:
        HarnessError: It cannot be read.
    """
    done = tool.run("repository", "st", "ls", "-r", "wal_005", quiet=True)
    if done.status != 0:
        raise failed(done, "the archive could not be listed")
    segments: dict[str, datetime | None] = {}
    histories: dict[int, str] = {}
    for when, name in _OBJECT.findall(done.stdout):
        if match := _SEGMENT.fullmatch(name):
            # WAL-G prints nanoseconds; datetime reads at most microseconds.
            segments[match[1]] = datetime.fromisoformat(when[:26].rstrip(".")).replace(tzinfo=UTC)
        elif match := _HISTORY.fullmatch(name):
            histories[int(match[1], 16)] = _history(tool, name, compressed=bool(match[2]))
    return StoredWal(segments=segments, histories=histories)


def _history(tool: BackupTool, name: str, *, compressed: bool) -> str:
    flags = ("--decompress",) if compressed else ()
    # WAL is encrypted if a key is configured. Without a key --decrypt is an error, so try both.
    done = tool.run("repository", "st", "cat", f"wal_005/{name}", "--decrypt", *flags)
    if done.status != 0:
        done = tool.run("repository", "st", "cat", f"wal_005/{name}", *flags)
    if done.status != 0:
        raise failed(done, f"{name} could not be read")
    return done.stdout
