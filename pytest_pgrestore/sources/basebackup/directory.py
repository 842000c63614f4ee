"""Reading what pg_basebackup left: one directory, plain or tar. Facts only; nothing is unpacked here.

Source: PostgreSQL docs, pg_basebackup and "Backup Manifest Format".
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.backup import Backup
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
from pytest_pgrestore.sources.wal.header import control_identifier

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.model.wal import Lsn

LABEL = "backup_label"
_VERSION = "PG_VERSION"
_MAP = "tablespace_map"
_HEAD_BYTES = 64 << 20
"""How far into a tar PG_VERSION is looked for: pg_basebackup writes it near the start, directory order permitting."""


@dataclass(frozen=True, slots=True)
class BackupDirectory:
    """One backup as it lies there.

    Attributes:
        path: Its directory.
        form: ``plain``, ``tar``, ``tar.gz`` ...
        label: What backup_label says; None when it is lost or cannot be read.
        manifest: What backup_manifest says; None when there is none or it does not parse (pg_verifybackup will say).
        major: Server major, where it is cheap to know.
        tablespaces: OIDs its tablespace_map names: parts that must be there.
        problem: Why there is no label; empty where there is one.
        unfinished: Whether pg_basebackup is still at it, or was interrupted.
        written_at: When the directory was last changed: the last resort for dates.
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
        """Whether it is in tar format."""
        return self.form != "plain"

    @property
    def base_tar(self) -> Path | None:
        """The tar of the data directory."""
        return _tar(self.path, "base")

    @property
    def wal_tar(self) -> Path | None:
        """The tar of the WAL that came with the backup (``--wal-method=stream``)."""
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
            BackupNotRestorable: It is lost.
        """
        if self.label is None:
            raise BackupNotRestorable(
                f"backup {self.path.name} cannot be used: {self.problem}",
                hint="a server would open a copy without its label with wrong rows and no word: take the backup with"
                " pg_basebackup, and keep everything it writes.",
            )
        return self.label

    def started_at(self) -> datetime | None:
        """Return when the backup began: from the manifest, whose times are UTC, else from the label."""
        if self.manifest is not None and self.manifest.label_at is not None:
            return self.manifest.label_at
        return moment(self.label.start_time) if self.label else None


def find_backups(path: Path) -> list[BackupDirectory]:
    """Return `path` itself where it is a backup, else the backups directly below it, oldest first.

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


def facts(
    directory: BackupDirectory, history: BackupLabel | None, chain: tuple[str, ...]
) -> Backup:
    """Return the catalogue entry of a backup.

    Args:
        directory: The backup.
        history: Its ``.backup`` file from the archive, which alone tells exactly when it ended.
        chain: Labels of the backups it depends on.
    """
    label, manifest = directory.label, directory.manifest
    incremental = label is not None and label.incremental_from is not None
    return Backup(
        label=directory.path.name,
        location=directory.path,
        form=directory.form,
        kind="incremental" if incremental else "full",
        server_major=directory.major,
        started_at=directory.started_at(),
        stopped_at=_stopped_at(directory, history),
        start_lsn=label.start_lsn if label else None,
        stop_lsn=_stop_lsn(manifest, history),
        timeline=label.start_timeline if label else None,
        system_identifier=_system_identifier(directory),
        chain=chain,
        size_bytes=stored_bytes(directory),
    )


def stored_bytes(directory: BackupDirectory) -> int:
    """Return what the backup takes where it lies."""
    if directory.tar:
        return sum(entry.stat().st_size for entry in directory.path.iterdir() if entry.is_file())
    if directory.manifest is not None:
        return directory.manifest.size_bytes
    found = 0
    for folder, _, files in os.walk(directory.path):
        found += sum(os.lstat(os.path.join(folder, name)).st_size for name in files)  # noqa: PTH118 - hot
    return found


def restored_bytes(directory: BackupDirectory) -> int | None:
    """Return what the backup takes when it is restored; None where only unpacking would tell."""
    if directory.manifest is not None:
        return directory.manifest.size_bytes
    return stored_bytes(directory) if directory.form in {"plain", "tar"} else None


def scan_for_major(directory: BackupDirectory) -> int | None:
    """Return the server major from PG_VERSION, reading a whole tar if need be: the last resort."""
    if directory.major is not None or directory.base_tar is None:
        return directory.major
    version = read_members(directory.base_tar, {_VERSION}, None).get(_VERSION, b"").strip()
    return int(version) if version.isdigit() else None


def _texts(path: Path, form: str) -> tuple[dict[str, str], str]:
    """Return the small files that describe the backup, and why they cannot be had."""
    if form == "plain":
        there = [path / name for name in (LABEL, _VERSION, _MAP) if (path / name).is_file()]
        return {file.name: file.read_text(errors="backslashreplace") for file in there}, ""
    base = _tar(path, "base")
    if base is None:
        return {}, "base.tar is missing"
    try:
        members = read_members(base, {LABEL, _VERSION}, _HEAD_BYTES, also={_MAP})
    except BackupNotRestorable as exc:
        # A finding only when this backup is the one that is wanted.
        return {}, exc.problem
    return {
        name: content.decode(errors="backslashreplace") for name, content in members.items()
    }, ""


def _form(path: Path) -> str | None:
    """Return the form of the backup in `path`; None when it is none."""
    base = _tar(path, "base")
    if base is not None:
        return base.name.removeprefix("base.")
    if (path / _VERSION).is_file() or (path / LABEL).is_file():
        return "plain"
    # A tar backup that lost base.tar is a damaged backup, and not nothing.
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


def _stopped_at(directory: BackupDirectory, history: BackupLabel | None) -> datetime:
    """Return when the backup ended, as exactly as the files tell."""
    manifest = directory.manifest
    if history is not None:
        # The manifest knows the start in UTC, which tells what the letters of the local zone mean.
        known = manifest.label_at if manifest else None
        stopped = moment(history.stop_time, (history.start_time, known) if known else None)
        if stopped is not None:
            return stopped
    if manifest is not None and manifest.newest_at is not None:
        return manifest.newest_at
    return directory.written_at


def _stop_lsn(manifest: Manifest | None, history: BackupLabel | None) -> Lsn | None:
    if history is not None and history.stop_lsn is not None:
        return history.stop_lsn
    return manifest.stop_lsn if manifest else None


def _system_identifier(directory: BackupDirectory) -> int | None:
    if directory.manifest is not None and directory.manifest.system_identifier is not None:
        return directory.manifest.system_identifier
    return None if directory.tar else control_identifier(directory.path)
