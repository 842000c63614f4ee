"""Finding the backups in a directory, and reading their facts. Nothing is unpacked here."""

from __future__ import annotations

import errno
import re
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.sources.basebackup.directory import (
    LABEL,
    VERSION,
    BackupDirectory,
    form_of,
    is_there,
    tar_of,
)
from pytest_pgrestore.sources.basebackup.links import Rules, real_file
from pytest_pgrestore.sources.basebackup.manifest import MANIFEST, UNFINISHED, read_manifest
from pytest_pgrestore.sources.basebackup.stopped import label_of_stopped
from pytest_pgrestore.sources.basebackup.tars import read_members
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.sources.wal.backup_label import parse_label
from pytest_pgrestore.sources.wal.header import control_identifier
from pytest_pgrestore.system.regular_file import read_limited

if TYPE_CHECKING:
    from pathlib import Path

_MAP = "tablespace_map"
_SMALL_BYTES = 1 << 20
"""Most bytes of the files that describe a backup: a line of 1 KB for each of 1,000 tablespaces."""

_VERSION_TEXT = re.compile(r"[0-9]{1,4}")
_HEAD_BYTES = 64 << 20
"""How far into a tar PG_VERSION is searched.

pg_basebackup writes the files in the order of the directory, so PG_VERSION is mostly near the
start. Source: src/backend/backup/basebackup.c, sendDir.
"""


def find_backups(path: Path, rules: Rules | None = None) -> list[BackupDirectory]:
    """Return `path` if it is a backup; otherwise the backups directly below it, oldest first.

    A directory that cannot be read is one of them, with its error: it may be the newest backup.

    Raises:
        HarnessError: The directory is missing or cannot be read.
    """
    allowed = rules or Rules()
    try:
        with reading(path):
            itself = [path] if form_of(path) is not None else []
            candidates = itself or sorted(path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        raise HarnessError(
            f"the backup directory {path} is not there",
            hint="check `path` in the source, and whether its storage is mounted.",
        ) from None
    found = [_candidate(entry, allowed) for entry in candidates]
    return sorted((entry for entry in found if entry is not None), key=_age)


def _candidate(path: Path, rules: Rules) -> BackupDirectory | None:
    """Return the backup in `path`, readable or not; None if `path` is no backup."""
    try:
        with reading(path):
            if not stat.S_ISDIR(path.stat().st_mode) or form_of(path) is None:
                return None
            return read_backup(path, rules)
    except (FileNotFoundError, NotADirectoryError):
        return None  # a link to nothing, or removed meanwhile
    except PgRestoreError as exc:
        error = exc
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return None
        error = HarnessError(
            f"{exc.filename or path} cannot be read: {(exc.strerror or str(exc)).lower()}",
            hint="run the drill as a user who may read the backup, from storage that works.",
        )
    return BackupDirectory(
        path=path,
        form="unknown",
        label=None,
        manifest=None,
        major=None,
        tablespaces=frozenset(),
        problem=error.problem,
        unfinished=False,
        written_at=_written_at(path),
        rules=rules,
        error=error,
    )


def read_backup(path: Path, rules: Rules | None = None) -> BackupDirectory:
    """Read the facts of the backup in directory `path`.

    Raises:
        BackupNotRestorable: It has something else where a small file belongs.
        HarnessError: It cannot be read.
    """
    allowed = rules or Rules()
    form = form_of(path) or "plain"
    texts, problem = _texts(path, form, allowed)
    label = None
    if not problem and LABEL in texts:
        try:
            label = parse_label(texts[LABEL], LABEL)
        except BackupNotRestorable as exc:
            problem = exc.problem
    stopped, without_label = None, f"it has no {LABEL}"
    if form == "plain" and LABEL not in texts:
        stopped, without_label = label_of_stopped(path)
    label = label or stopped
    manifest_path = path / MANIFEST
    manifest = None
    if is_there(manifest_path):
        manifest = read_manifest(real_file(manifest_path, allowed), allowed.max_files)
    return BackupDirectory(
        path=path,
        form=form,
        label=label,
        manifest=manifest,
        major=_major(texts.get(VERSION, "")),
        tablespaces=frozenset(
            line.split()[0] for line in texts.get(_MAP, "").splitlines() if line.strip()
        ),
        problem="" if label else problem or without_label,
        unfinished=is_there(path / UNFINISHED),
        written_at=_written_at(path),
        control_identifier=control_identifier(path) if form == "plain" else None,
        stopped=stopped is not None,
        rules=allowed,
    )


def _written_at(path: Path) -> datetime:
    """Return when a directory was last changed; now, if its time is nonsense.

    A file system can hold times that Python cannot. A backup of today is at least not passed over.
    """
    try:
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return datetime.now(UTC)


def _major(text: str) -> int | None:
    version = text.strip()
    return int(version) if _VERSION_TEXT.fullmatch(version) else None


def scan_for_major(directory: BackupDirectory) -> int | None:
    """Return the server major from PG_VERSION; None without one. May read a whole tar."""
    if directory.major is not None or directory.base_tar is None:
        return directory.major
    found = read_members(directory.base_tar, {VERSION}, None, _SMALL_BYTES).get(VERSION, b"")
    return _major(found.decode(errors="replace"))


def _texts(path: Path, form: str, rules: Rules) -> tuple[dict[str, str], str]:
    """Return the text of the small files that describe the backup, and why they cannot be read."""
    if form == "plain":
        there = [path / name for name in (LABEL, VERSION, _MAP) if is_there(path / name)]
        return {
            file.name: read_limited(real_file(file, rules), _SMALL_BYTES, follow=False).decode(
                errors="backslashreplace"
            )
            for file in there
        }, ""
    base = tar_of(path, "base")
    if base is None:
        return {}, "base.tar is missing"
    try:
        members = read_members(
            real_file(base, rules), {LABEL, VERSION}, _HEAD_BYTES, _SMALL_BYTES, also={_MAP}
        )
    except BackupNotRestorable as exc:
        # This is a finding only if this backup is chosen: see needed_label.
        return {}, exc.problem
    return {
        name: content.decode(errors="backslashreplace") for name, content in members.items()
    }, ""


def _age(directory: BackupDirectory) -> tuple[datetime, int, str]:
    label = directory.label
    return (
        directory.started_at() or directory.written_at,
        label.start_lsn if label else 0,
        directory.path.name,
    )
