"""``backup_manifest``: the facts it contains about a backup.

pg_verifybackup compares the files with it. Source: PostgreSQL docs, "Backup Manifest Format".
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError, HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.basebackup.json_stream import JsonStream
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "backup_manifest"
UNFINISHED = "backup_manifest.tmp"
"""The manifest of an unfinished backup.

pg_basebackup renames it to `MANIFEST` when everything else is written. Source:
src/bin/pg_basebackup/pg_basebackup.c, BaseBackup.
"""

MAX_FILES = 10_000_000
"""Most files a backup may have, unless the user allows more.

A database of 100,000 tables has less than a million. Each file costs a header of a tar, a line of
a manifest and an inode: without a limit, a few megabytes of a compressed tar fill the disk's table.
"""

_BYTES_PER_FILE = 512
"""Most bytes of a manifest for each of the files allowed. An entry of PostgreSQL has about 200."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")


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


def read_manifest(path: Path, max_files: int = MAX_FILES) -> Manifest | None:
    """Return the facts of the manifest at `path`; None if the file is cut short or damaged.

    The file is read as a stream: a manifest of a million files has 200 MB.

    Raises:
        FileNotFoundError: The file does not exist.
        BackupNotRestorable: It is a link, or no regular file.
        HarnessError: The file cannot be read, or has more than `max_files`.
    """
    with reading(path), open_regular(path, follow=False) as stream:
        if os.fstat(stream.fileno()).st_size > max_files * _BYTES_PER_FILE:
            raise _too_many(path, max_files)
        facts = _Facts()
        try:
            for key, value in JsonStream(stream).members({"Files", "WAL-Ranges"}):
                facts.add(key, value)
                if facts.files > max_files:
                    raise _too_many(path, max_files)
            return facts.manifest()
        except (ValueError, KeyError, TypeError, ConfigError, RecursionError):
            return None


def _too_many(path: Path, max_files: int) -> HarnessError:
    return HarnessError(
        f"{path} lists more than {max_files:,} files, the most that a backup may have",
        hint="if it is a real backup, set max_files of the source.",
    )


class _Facts:
    """Collects the facts of a manifest, one part after the other."""

    def __init__(self) -> None:
        self.files = 0
        self._keys: set[str] = set()
        self._identifier: int | None = None
        self._label_at = ""
        self._newest_at = ""
        self._stop_lsn: Lsn | None = None
        self._size_bytes = 0
        self._unverifiable = 0

    def add(self, key: str, value: Any) -> None:
        """Add a member of the document; of a list, one item, or None when it begins.

        Raises:
            ValueError, KeyError, TypeError, ConfigError: The manifest is damaged.
        """
        if value is None or key not in {"Files", "WAL-Ranges"}:
            if key in self._keys:
                raise ValueError(key)
            self._keys.add(key)
        if key == "System-Identifier":
            self._identifier = _whole(value)
        elif key == "Files" and value is not None:
            self._add_file(value)
        elif key == "WAL-Ranges" and value is not None:
            end = Lsn.parse(_text(value["End-LSN"]))
            self._stop_lsn = end if self._stop_lsn is None else max(self._stop_lsn, end)

    def _add_file(self, entry: dict[str, Any]) -> None:
        path = _text(entry["Path"] if "Path" in entry else entry["Encoded-Path"])
        self.files += 1
        self._size_bytes += _whole(entry["Size"])
        when = _text(entry.get("Last-Modified", ""))
        # All times have one fixed form, so the texts sort like the times.
        if when and _TIME.fullmatch(when) is None:
            raise ValueError(when)
        self._newest_at = max(self._newest_at, when)
        if path == "backup_label":
            self._label_at = when
        # pg_combinebackup lists the WAL it copies without checksums. WAL records have their own.
        if "Checksum" not in entry and not path.startswith("pg_wal/"):
            self._unverifiable += 1

    def manifest(self) -> Manifest:
        """Return the facts.

        Raises:
            KeyError, ValueError: Something is missing or nonsense.
        """
        if missing := {"Files", "WAL-Ranges"} - self._keys:
            raise KeyError(missing)
        return Manifest(
            system_identifier=self._identifier,
            label_at=_moment(self._label_at),
            newest_at=_moment(self._newest_at),
            stop_lsn=self._stop_lsn,
            size_bytes=self._size_bytes,
            unverifiable=self._unverifiable,
            files=self.files,
        )


def _whole(value: object) -> int:
    """Return a size or an identifier: a whole number, not negative, that fits 64 bits.

    Raises:
        ValueError: It is something else; ``true`` too, which Python counts as 1.
    """
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise ValueError(value)
    return value


def _text(value: object) -> str:
    """Return a text.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - the manifest is wrong, not a type of ours
    return value


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S GMT").replace(tzinfo=UTC)
