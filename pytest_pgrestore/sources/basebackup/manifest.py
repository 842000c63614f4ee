"""``backup_manifest``: the facts it contains about a backup.

pg_verifybackup compares the files with it. Source: PostgreSQL docs, "Backup Manifest Format".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.wal import Lsn

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "backup_manifest"
UNFINISHED = "backup_manifest.tmp"
"""The manifest of an unfinished backup.

pg_basebackup renames it to `MANIFEST` when everything else is written. Source:
src/bin/pg_basebackup/pg_basebackup.c, BaseBackup.
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The facts of a manifest that are needed before a restore.

    Attributes:
        system_identifier: Identifier of the cluster; None before PostgreSQL 17.
        label_at: When ``backup_label`` was written, which is when the backup began.
        newest_at: The newest change of any file. The backup ended then or later.
        stop_lsn: End of the WAL the backup needs.
        size_bytes: Size of the restored files.
        unverifiable: Number of files without a checksum.
        files: Number of files.
    """

    system_identifier: int | None
    label_at: datetime | None
    newest_at: datetime | None
    stop_lsn: Lsn | None
    size_bytes: int
    unverifiable: int
    files: int


def read_manifest(path: Path) -> Manifest | None:
    """Return the facts of the manifest at `path`; None if the file is cut short or damaged.

    Raises:
        FileNotFoundError: The file does not exist.
        PermissionError: The file cannot be read.
    """
    try:
        return _facts(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def _facts(document: dict[str, Any]) -> Manifest:
    files = document["Files"]
    ranges = document["WAL-Ranges"]
    times = [entry["Last-Modified"] for entry in files if "Last-Modified" in entry]
    of_label = [entry["Last-Modified"] for entry in files if entry.get("Path") == "backup_label"]
    return Manifest(
        system_identifier=document.get("System-Identifier"),
        label_at=_moment(of_label[0]) if of_label else None,
        # All times have one fixed form, so the texts sort like the times.
        newest_at=_moment(max(times)) if times else None,
        stop_lsn=max((Lsn.parse(entry["End-LSN"]) for entry in ranges), default=None),
        size_bytes=sum(entry["Size"] for entry in files),
        # pg_combinebackup lists the WAL it copies without checksums. WAL records have their own.
        unverifiable=sum(
            "Checksum" not in entry
            for entry in files
            if not entry.get("Path", "").startswith("pg_wal/")
        ),
        files=len(files),
    )


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S GMT").replace(tzinfo=UTC)
