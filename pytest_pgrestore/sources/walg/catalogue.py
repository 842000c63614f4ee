"""WAL-G's catalogue: its backups, the sentinel of each backup, and the names of its WAL.

Source: WAL-G 3.0.9, docs/PostgreSQL.md ("backup-list") and docs/StorageTools.md ("st ls", "st
cat").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.json_answer import Answer, AnswerError, parse, understood
from pytest_pgrestore.sources.wal.stored_wal import StoredWal
from pytest_pgrestore.sources.wal.timelines import require_few
from pytest_pgrestore.sources.walg.messages import failed

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_pgrestore.sources.backup_tool import BackupTool

_DELTA = "_D_"
"""Part of the name of a delta backup, before the segment of the backup it builds on."""

_PREFIX = "base_00000000"
"""Start of a name, with the timeline; backups are sorted by what follows."""

_OBJECT = re.compile(r"obj +\d+ +(\S+ \S+) \+0000 UTC +(\S+)")
_SEGMENT = re.compile(r"([0-9A-F]{24})(?:\.(?!backup)[a-z0-9]+)?")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history(\.[a-z0-9]+)?")
_LARGEST_OID = 0xFFFF_FFFF
_VERSIONS = (80000, 999999)
"""Least and greatest ``server_version_num`` of a backup."""

_CATALOGUE_SECONDS = 120.0
"""WAL-G retries without a message if a store does not answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One backup of the catalogue, and the segment its WAL begins in."""

    backup: Backup
    start_file: str


@dataclass(frozen=True, slots=True)
class Sentinel:
    """The sentinel of a backup: WAL-G's description of it.

    Attributes:
        parent: Label of the backup that a delta builds on; None for a full backup.
        tablespaces: OID of each.
    """

    parent: str | None = None
    tablespaces: tuple[int, ...] = ()


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
    return entries_in(done.stdout, location)


def entries_in(text: str, location: str) -> list[Entry]:
    """Return the backups in the output of ``backup-list``, oldest first.

    Raises:
        HarnessError: The output has another format.
    """
    with understood(
        "WAL-G's catalogue is not understood",
        hint="read the saved log of `backup-list`; is this WAL-G 2 or newer?",
    ):
        rows = parse(text or "[]").values()
        return sorted(
            (_entry(row, location) for row in rows),
            key=lambda entry: entry.backup.label[len(_PREFIX) :],
        )


def _entry(row: Answer, location: str) -> Entry:
    label, start_file = row["backup_name"].name(), row["wal_file_name"].segment()
    identity = row.get("system_identifier")
    size, stored = row.get("uncompressed_size"), row.get("compressed_size")
    backup = Backup(
        label=label,
        location=location,
        form="tar parts",
        kind="incremental" if _DELTA in label else "full",
        server_major=row["pg_version"].number(*_VERSIONS) // 10000,
        started_at=row["start_time"].moment(),
        stopped_at=row["finish_time"].moment(),
        start_lsn=Lsn(row["start_lsn"].number()),
        stop_lsn=Lsn(row["finish_lsn"].number()),
        timeline=int(start_file[:8], 16),
        system_identifier=None if identity is None else identity.number(),
        size_bytes=None if size is None else size.size(),
        repository_bytes=None if stored is None else stored.size(),
    )
    return Entry(backup, start_file)


def sentinel(tool: BackupTool, label: str) -> Sentinel:
    """Return the sentinel of backup `label`.

    Raises:
        BackupNotRestorable: It is missing or damaged.
        HarnessError: The storage cannot be read.
    """
    done = tool.run(
        "catalogue", "st", "cat", f"basebackups_005/{label}_backup_stop_sentinel.json", quiet=True
    )
    if done.status != 0:
        raise failed(done, f"the sentinel of backup {label} could not be read")
    return sentinel_in(done.stdout, label)


def sentinel_in(text: str, label: str) -> Sentinel:
    """Return the sentinel in `text`.

    Raises:
        BackupNotRestorable: It is damaged.
    """
    with understood(
        f"the sentinel of backup {label} is damaged",
        "restore it from another copy of the storage.",
        BackupNotRestorable,
    ):
        found = parse(text)
        parent, spec = found.get("DeltaFrom"), found.get("Spec")
        oids = () if spec is None else spec.each("tablespaces")
        return Sentinel(
            parent=None if parent is None or not parent.value else parent.name(),
            tablespaces=tuple(oid.number(1, _LARGEST_OID) for oid in oids),
        )


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
    return files_in(done.stdout, label)


def files_in(text: str, label: str) -> list[str]:
    """Return the files in `text`, the list of a backup.

    Raises:
        BackupNotRestorable: It is damaged.
    """
    with understood(
        f"the list of files of backup {label} is damaged",
        "restore files_metadata.json from another copy of the storage.",
        BackupNotRestorable,
    ):
        files = [path.lstrip("/") for path, _ in parse(text)["Files"].items()]
        if any(".." in path.split("/") or "\0" in path for path in files):
            raise AnswerError("a path in it leads out of the data directory")
        return files


def chain_of(
    tool: BackupTool, label: str, found: Sentinel, known: Collection[str]
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
    while (parent := found.parent) and parent not in chain:
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
    segments, names = listed_in(done.stdout)
    histories = {
        timeline: _history(tool, match[0], compressed=bool(match[2]))
        for timeline, match in names.items()
    }
    return StoredWal(segments=segments, histories=histories)


def listed_in(text: str) -> tuple[dict[str, datetime | None], dict[int, re.Match[str]]]:
    """Return the segments and the names of ``.history`` files in the output of ``st ls``.

    Raises:
        HarnessError: There are too many timelines.
    """
    segments: dict[str, datetime | None] = {}
    names: dict[int, re.Match[str]] = {}
    for line in text.split("\n"):
        found = _OBJECT.fullmatch(line.rstrip())
        if found is None:
            continue
        if match := _SEGMENT.fullmatch(found[2]):
            segments[match[1]] = _moment(found[1])
        elif match := _HISTORY.fullmatch(found[2]):
            names[int(match[1], 16)] = match
    require_few(names)
    return segments, names


def _moment(text: str) -> datetime | None:
    """Return the time an object was stored; None if it is no time."""
    try:
        # WAL-G prints nanoseconds; datetime reads at most microseconds.
        return datetime.fromisoformat(text[:26].rstrip(".")).replace(tzinfo=UTC)
    except ValueError:
        return None


def _history(tool: BackupTool, name: str, *, compressed: bool) -> str:
    flags = ("--decompress",) if compressed else ()
    # WAL is encrypted if a key is configured. Without a key --decrypt is an error, so try both.
    done = tool.run("repository", "st", "cat", f"wal_005/{name}", "--decrypt", *flags)
    if done.status != 0:
        done = tool.run("repository", "st", "cat", f"wal_005/{name}", *flags)
    if done.status != 0:
        raise failed(done, f"{name} could not be read")
    return done.stdout
