"""What WAL-G prints: its catalogue, sentinels, lists of files, and the names in its storage.

Source: WAL-G 3.0.9, docs/PostgreSQL.md ("backup-list") and docs/StorageTools.md ("st ls").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.json_answer import Answer, AnswerError, parse, understood
from pytest_pgrestore.sources.wal.timelines import require_few

_DELTA = "_D_"
"""Part of the name of a delta backup, before the segment of the backup it builds on."""

_OBJECT = re.compile(r"obj +\d+ +(\S+ \S+) \+0000 UTC +(\S+)")
_SEGMENT = re.compile(r"([0-9A-F]{24})(?:\.(?!backup)[a-z0-9]+)?")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history(\.[a-z0-9]+)?")
_LARGEST_OID = 0xFFFF_FFFF
_VERSIONS = (80000, 999999)
"""Least and greatest ``server_version_num`` of a backup."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One backup of the catalogue.

    Attributes:
        backup: Values of the entry that every tool has.
        start_file: The segment its WAL begins in.
        ended_at: When it ended.
    """

    backup: Backup
    start_file: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Sentinel:
    """The sentinel of a backup: WAL-G's description of it.

    Attributes:
        parent: Label of the backup that a delta builds on; None for a full backup.
        tablespaces: OID of each.
    """

    parent: str | None = None
    tablespaces: tuple[int, ...] = ()


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
        found = [_entry(row, location) for row in rows]
        # By the end that the sentinel says. A label shows a position, which begins again in a new
        # cluster; the time of an object is that of its last copy.
        return sorted(found, key=lambda entry: (entry.ended_at, entry.backup.label))


def _entry(row: Answer, location: str) -> Entry:
    label, start_file = row["backup_name"].name(), row["wal_file_name"].segment()
    identity = row.get("system_identifier")
    size, stored = row.get("uncompressed_size"), row.get("compressed_size")
    ended_at = row["finish_time"].moment()
    backup = Backup(
        label=label,
        location=location,
        form="tar parts",
        kind="incremental" if _DELTA in label else "full",
        server_major=row["pg_version"].number(*_VERSIONS) // 10000,
        started_at=row["start_time"].moment(),
        stopped_at=ended_at,
        start_lsn=Lsn(row["start_lsn"].number()),
        stop_lsn=Lsn(row["finish_lsn"].number()),
        timeline=int(start_file[:8], 16),
        system_identifier=None if identity is None else identity.number(),
        size_bytes=None if size is None else size.size(),
        repository_bytes=None if stored is None else stored.size(),
    )
    return Entry(backup, start_file, ended_at)


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
