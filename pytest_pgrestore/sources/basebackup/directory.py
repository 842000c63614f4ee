"""Reading the facts of a backup that pg_basebackup wrote: one directory, plain or tar.

Nothing is unpacked here. Source: PostgreSQL docs, pg_basebackup and "Backup Manifest Format".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.basebackup.manifest import (
    MANIFEST,
    UNFINISHED,
    Manifest,
    read_manifest,
)
from pytest_pgrestore.sources.basebackup.tars import read_members
from pytest_pgrestore.sources.codecs import SUFFIXES, plain_name, reading
from pytest_pgrestore.sources.wal.backup_label import BackupLabel, moment, parse_label

if TYPE_CHECKING:
    from pathlib import Path

LABEL = "backup_label"
_VERSION = "PG_VERSION"
_MAP = "tablespace_map"
_HEAD_BYTES = 64 << 20
"""How far into a tar PG_VERSION is searched.

pg_basebackup writes the files in the order of the directory, so PG_VERSION is mostly near the
start. Source: src/backend/backup/basebackup.c, sendDir.
"""


@dataclass(frozen=True, slots=True)
class BackupDirectory:
    """One stored backup.

    Attributes:
        path: The backup's directory.
        form: ``plain``, ``tar``, ``tar.gz`` ...
        label: Content of backup_label; None if the file is missing or cannot be read.
        manifest: Content of backup_manifest; None if the file is missing or damaged.
            pg_verifybackup reports a damaged one.
        major: Server major; None if only reading a whole tar would tell.
        tablespaces: OIDs in tablespace_map. The backup must have a part for each of them.
        problem: Why there is no label; empty if there is one.
        unfinished: True if pg_basebackup still runs or was interrupted.
        written_at: When the directory was last changed; used if no file has a date.
    """

    path: Path
    form: str
    label: BackupLabel | None
    manifest: Manifest | None
    major: int | None
    tablespaces: frozenset[str]
    problem: str
    unfinished: bool
    written_at: datetime

    @property
    def tar(self) -> bool:
        """Whether the backup is in tar format."""
        return self.form != "plain"

    @property
    def base_tar(self) -> Path | None:
        """The tar of the data directory."""
        return _tar(self.path, "base")

    @property
    def wal_tar(self) -> Path | None:
        """The tar of the backup's own WAL (``pg_basebackup --wal-method=stream``)."""
        return _tar(self.path, "pg_wal")

    def tablespace_tars(self) -> dict[str, Path]:
        """Return the tar of each tablespace by OID."""
        named = {plain_name(entry.name): entry for entry in sorted(self.path.iterdir())}
        return {
            name.removesuffix(".tar"): entry
            for name, entry in named.items()
            if _is_tablespace(name)
        }

    def needed_label(self) -> BackupLabel:
        """Return the label of a backup that is about to be restored.

        Raises:
            BackupNotRestorable: The label is missing or damaged.
        """
        if self.label is None:
            # PostgreSQL's own test of this accident: src/test/recovery/t/042_low_level_backup.pl.
            raise BackupNotRestorable(
                f"backup {self.path.name} cannot be used: {self.problem}",
                hint="a server would open a copy without its label with wrong rows and no word:"
                " take the backup with pg_basebackup, and keep everything it writes.",
            )
        return self.label

    def started_at(self) -> datetime | None:
        """Return when the backup began: from the manifest (in UTC), otherwise from the label."""
        if self.manifest is not None and self.manifest.label_at is not None:
            return self.manifest.label_at
        return moment(self.label.start_time) if self.label else None


def find_backups(path: Path) -> list[BackupDirectory]:
    """Return `path` if it is a backup; otherwise the backups directly below it, oldest first.

    Raises:
        HarnessError: The directory is missing or cannot be read.
    """
    try:
        with reading(path):
            if _form(path) is not None:
                found = [path]
            else:
                found = [
                    entry
                    for entry in sorted(path.iterdir())
                    if entry.is_dir() and _form(entry) is not None
                ]
            return sorted((read_backup(entry) for entry in found), key=_age)
    except (FileNotFoundError, NotADirectoryError):
        raise HarnessError(
            f"the backup directory {path} is not there",
            hint="check `path` in the source, and whether its storage is mounted.",
        ) from None


def read_backup(path: Path) -> BackupDirectory:
    """Read the facts of the backup in directory `path`."""
    form = _form(path) or "plain"
    texts, problem = _texts(path, form)
    label = None
    if not problem and LABEL in texts:
        try:
            label = parse_label(texts[LABEL], LABEL)
        except BackupNotRestorable as exc:
            problem = exc.problem
    version = texts.get(_VERSION, "").strip()
    manifest_path = path / MANIFEST
    return BackupDirectory(
        path=path,
        form=form,
        label=label,
        manifest=read_manifest(manifest_path) if manifest_path.exists() else None,
        major=int(version) if version.isdigit() else None,
        tablespaces=frozenset(
            line.split()[0] for line in texts.get(_MAP, "").splitlines() if line.strip()
        ),
        problem="" if label else problem or f"it has no {LABEL}",
        unfinished=(path / UNFINISHED).exists(),
        written_at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
    )


def scan_for_major(directory: BackupDirectory) -> int | None:
    """Return the server major from PG_VERSION; None without one. May read a whole tar."""
    if directory.major is not None or directory.base_tar is None:
        return directory.major
    version = read_members(directory.base_tar, {_VERSION}, None).get(_VERSION, b"").strip()
    return int(version) if version.isdigit() else None


def _texts(path: Path, form: str) -> tuple[dict[str, str], str]:
    """Return the text of the small files that describe the backup, and why they cannot be read."""
    if form == "plain":
        there = [path / name for name in (LABEL, _VERSION, _MAP) if (path / name).is_file()]
        return {file.name: file.read_text(errors="backslashreplace") for file in there}, ""
    base = _tar(path, "base")
    if base is None:
        return {}, "base.tar is missing"
    try:
        members = read_members(base, {LABEL, _VERSION}, _HEAD_BYTES, also={_MAP})
    except BackupNotRestorable as exc:
        # This is a finding only if this backup is chosen: see needed_label.
        return {}, exc.problem
    return {
        name: content.decode(errors="backslashreplace") for name, content in members.items()
    }, ""


def _form(path: Path) -> str | None:
    """Return the form of the backup in `path`; None if `path` is no backup."""
    base = _tar(path, "base")
    if base is not None:
        return base.name.removeprefix("base.")
    if (path / _VERSION).is_file() or (path / LABEL).is_file():
        return "plain"
    # A manifest without a base.tar is a damaged backup in tar format.
    return "tar" if (path / MANIFEST).is_file() else None


def _tar(path: Path, stem: str) -> Path | None:
    names = [f"{stem}.tar", *(f"{stem}.tar{suffix}" for suffix in SUFFIXES), f"{stem}.tgz"]
    return next((path / name for name in names if (path / name).is_file()), None)


def _is_tablespace(name: str) -> bool:
    return name.endswith(".tar") and name.removesuffix(".tar").isdigit()


def _age(directory: BackupDirectory) -> tuple[datetime, int, str]:
    label = directory.label
    return (
        directory.started_at() or directory.written_at,
        label.start_lsn if label else 0,
        directory.path.name,
    )
