"""Reading what pg_basebackup left: one directory, plain or tar. Facts only; nothing is unpacked here.

Source: PostgreSQL docs, pg_basebackup; "Backup Manifest Format"; the backup label's lines in xlogbackup.c.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.codecs import codec_of, open_plain, reading
from pytest_pgrestore.sources.copying import _stream
from pytest_pgrestore.sources.walheader import MAJOR_OF_MAGIC, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = "backup_manifest"
_LABEL_MEMBERS = 8
"""The label is the first member of base.tar; a few are allowed for other tools."""

_LINE = re.compile(r"^([A-Z ]+): (.*)$", re.MULTILINE)
_POSITION = re.compile(r"([0-9A-F]+/[0-9A-F]+)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? ?(UTC|GMT|[+-]\d\d(?::?\d\d)?)$")


@dataclass(frozen=True)
class BackupDirectory:
    """One backup as it lies there."""

    path: Path
    tar: bool
    label: dict[str, str] = field(default_factory=dict)
    """Lines of backup_label: ``START WAL LOCATION`` and so on; empty when the file is lost."""

    @cached_property
    def manifest(self) -> dict[str, Any] | None:
        """The parsed manifest; None when there is none or it does not parse (pg_verifybackup will say)."""
        try:
            document: dict[str, Any] = json.loads((self.path / MANIFEST).read_text())
        except (OSError, ValueError):
            return None
        return document

    @property
    def start_lsn(self) -> Lsn | None:
        """Where replay begins."""
        return _position(self.label.get("START WAL LOCATION", ""))

    @property
    def timeline(self) -> int:
        """Timeline the backup was taken on."""
        return int(self.label.get("START TIMELINE", "1"))

    @property
    def parent_lsn(self) -> Lsn | None:
        """Start of the backup this one is incremental to; None for a full one."""
        return _position(self.label.get("INCREMENTAL FROM LSN", ""))

    @property
    def base_tar(self) -> Path | None:
        """The tar of the data directory."""
        return next(iter(sorted(self.path.glob("base.tar*"))), None)

    @property
    def wal_tar(self) -> Path | None:
        """The tar of the WAL that came with the backup."""
        return next(iter(sorted(self.path.glob("pg_wal.tar*"))), None)

    def tablespace_tars(self) -> dict[str, Path]:
        """Return the tar of each tablespace by OID."""
        tars = self.path.glob("[0-9]*.tar*")
        return {path.name.partition(".")[0]: path for path in tars if path.name.partition(".")[0].isdigit()}

    def own_wal(self) -> dict[str, Path]:
        """Return the WAL files that came with the backup: name to path, or to the tar that holds them."""
        if not self.tar:
            folder = self.path / "pg_wal"
            return {entry.name: entry for entry in folder.iterdir() if entry.is_file()} if folder.is_dir() else {}
        if self.wal_tar is None:
            return {}
        with reading(self.wal_tar), open_plain(self.wal_tar) as stream, _stream(stream) as tar:
            return {member.name: self.wal_tar for member in tar if member.isfile()}

    def plain_bytes(self) -> int | None:
        """Return the size of the files as the manifest tells it; None without one."""
        if self.manifest is None:
            return None
        return sum(int(entry["Size"]) for entry in self.manifest.get("Files", ()))

    def unchecked_files(self) -> int:
        """Return how many files the manifest holds no checksum of."""
        files = (self.manifest or {}).get("Files", ())
        return sum("Checksum" not in entry for entry in files if not entry.get("Path", "").endswith("/"))


def find_backups(path: Path) -> list[BackupDirectory]:
    """Return `path` itself where it is a backup, else the backups directly below it.

    Raises:
        HarnessError: The directory is missing or cannot be read.
    """
    try:
        candidates = [path] if _kind(path) is not None else sorted(entry for entry in path.iterdir() if entry.is_dir())
        return [_read(entry) for entry in candidates if _kind(entry) is not None]
    except FileNotFoundError:
        raise HarnessError(
            f"the backup directory {path} is not there", hint="check `path` in the source, and whether it is mounted."
        ) from None
    except (PermissionError, NotADirectoryError) as exc:
        raise HarnessError(
            f"{exc.filename or path} cannot be read: {exc.strerror}",
            hint="run the drill as a user who may read the backup.",
        ) from None


def facts(directory: BackupDirectory, histories: dict[Lsn, dict[str, str]], chain: tuple[str, ...]) -> Backup:
    """Return the catalogue entry of a backup.

    Args:
        directory: The backup.
        histories: ``.backup`` files of the archive, by start position: they alone tell when a backup ended.
        chain: Labels of the backups it depends on.
    """
    manifest = directory.manifest or {}
    history = histories.get(directory.start_lsn or Lsn(0), {})
    modified = dict(_modification_times(manifest))
    ranges = manifest.get("WAL-Ranges") or [{}]
    stop_lsn = _position(history.get("STOP WAL LOCATION", "")) or _position(ranges[-1].get("End-LSN", ""))
    return Backup(
        label=directory.path.name,
        location=directory.path,
        form=_form(directory),
        kind="incremental" if directory.parent_lsn is not None else "full",
        server_major=server_major(directory),
        started_at=modified.get("backup_label") or parse_time(directory.label.get("START TIME", "")),
        stopped_at=parse_time(history.get("STOP TIME", "")) or _last(modified, directory.path),
        start_lsn=directory.start_lsn,
        stop_lsn=stop_lsn,
        timeline=directory.timeline,
        system_identifier=manifest.get("System-Identifier"),
        chain=chain,
        size_bytes=sum(entry.stat().st_size for entry in directory.path.rglob("*") if entry.is_file()),
    )


def server_major(directory: BackupDirectory) -> int | None:
    """Return the server's major version: from PG_VERSION, or from the WAL that came along, or from the tar."""
    if not directory.tar:
        text = (directory.path / "PG_VERSION").read_text().strip()
        return int(text) if text.isdigit() else None
    for member, data in members(directory.wal_tar):
        header = read_header(data)
        if header is not None and member:
            return MAJOR_OF_MAGIC.get(header.magic)
    for member, data in members(directory.base_tar):
        if member.endswith("PG_VERSION"):
            return int(data.decode().strip())
    return None


def parse_label(text: str) -> dict[str, str]:
    """Return the lines of a backup label or a ``.backup`` file by their names."""
    return {match[1]: match[2].strip() for match in _LINE.finditer(text)}


def parse_time(text: str) -> datetime | None:
    """Return the time a label tells where its zone can be known: UTC, GMT or an offset, never an abbreviation."""
    match = _TIME.search(text)
    if match is None:
        return None
    zone = match[2] if match[2][0] in "+-" else "+00:00"
    return datetime.fromisoformat(f"{match[1]}{zone}").astimezone(UTC)


def _kind(path: Path) -> str | None:
    if (path / "PG_VERSION").is_file() or (path / "backup_label").is_file():
        return "plain"
    return "tar" if any(path.glob("base.tar*")) else None


def _read(path: Path) -> BackupDirectory:
    tar = _kind(path) == "tar"
    directory = BackupDirectory(path, tar)
    if not tar:
        label = path / "backup_label"
        text = label.read_text(errors="backslashreplace") if label.is_file() else ""
    else:
        text = _label_in_tar(directory)
    return BackupDirectory(path, tar, parse_label(text))


def _label_in_tar(directory: BackupDirectory) -> str:
    try:
        for number, (member, data) in enumerate(members(directory.base_tar)):
            if member.removeprefix("./") == "backup_label":
                return data.decode(errors="backslashreplace")
            if number >= _LABEL_MEMBERS:
                break
    except BackupNotRestorable:
        # A damaged backup is a finding only when it is the one that is wanted: `fetch` will meet it again.
        return ""
    return ""


def members(archive: Path | None) -> Iterator[tuple[str, bytes]]:
    """Yield name and first bytes of each file in a tar, reading no further than asked."""
    if archive is None:
        return
    with reading(archive), open_plain(archive) as stream, _stream(stream) as tar:
        for member in tar:
            reader = tar.extractfile(member) if member.isfile() else None
            if reader is not None:
                yield member.name, reader.read(4096)


def _form(directory: BackupDirectory) -> str:
    if not directory.tar or directory.base_tar is None:
        return "plain"
    codec = codec_of(directory.base_tar)
    return "tar" if codec == "none" else f"tar, {codec}"


def _modification_times(manifest: dict[str, Any]) -> Iterator[tuple[str, datetime]]:
    for entry in manifest.get("Files", ()):
        text = str(entry.get("Last-Modified", "")).removesuffix(" GMT")
        try:
            yield str(entry.get("Path", "")), datetime.fromisoformat(text).replace(tzinfo=UTC)
        except ValueError:
            continue


def _last(modified: dict[str, datetime], path: Path) -> datetime:
    """Return the end of the backup as well as it can be known without the archive: its newest file."""
    if modified:
        return max(modified.values())
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _position(text: str) -> Lsn | None:
    match = _POSITION.search(text)
    return Lsn.parse(match[1]) if match else None
