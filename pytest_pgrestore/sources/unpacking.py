"""Filling PGDATA from base backups: plain or tar, with tablespaces, full or as a chain of incremental ones."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.copying import copy_file, copy_tree, extract_tar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox
    from pytest_pgrestore.sources.backupdir import BackupDirectory

_COMBINE_SINCE = 17


def unpack_one(directory: BackupDirectory, sandbox: Sandbox) -> str:
    """Fill the sandbox from a full backup; return words for the phase."""
    files = _lay_out(directory, sandbox.data, sandbox.tablespaces)
    return f"{files} files from {directory.path.name}"


def unpack_chain(chain: tuple[BackupDirectory, ...], sandbox: Sandbox, timeout_seconds: float) -> str:
    """Combine a full backup with its incremental ones through pg_combinebackup; return words for the phase.

    Plain backups are read where they lie and never linked to: recovery writes into its files.

    Raises:
        BackupNotRestorable: The tool refuses the chain.
    """
    if sandbox.tools.major < _COMBINE_SINCE:
        raise HarnessError(
            f"incremental backups need pg_combinebackup of PostgreSQL {_COMBINE_SINCE}, and this is"
            f" {sandbox.tools.major}",
            hint="set sandbox.bindir to newer programs.",
        )
    workshop = sandbox.root / "chain"
    workshop.mkdir(mode=0o700)
    inputs = [_as_plain(directory, workshop) for directory in chain]
    mappings = [
        f"--tablespace-mapping={link.resolve()}={sandbox.tablespaces / link.name}" for link in _links(inputs[-1])
    ]
    how = _combine(inputs, mappings, sandbox, timeout_seconds)
    shutil.rmtree(workshop)
    _empty_wal(sandbox.data, inputs[-1])
    return f"{len(chain)} backups combined ({how}): {' + '.join(directory.path.name for directory in chain)}"


def _combine(inputs: list[Path], mappings: list[str], sandbox: Sandbox, timeout_seconds: float) -> str:
    """Run pg_combinebackup, sharing blocks where the file system can; return the way that worked."""
    words = [*(str(path) for path in inputs), "--output", str(sandbox.data), "--no-sync", *mappings]
    # Cloning first: where the file system cannot, the tool says so at the first file and leaves nothing.
    for how in ("--clone", "--copy"):
        way = ["--clone"] if how == "--clone" else []
        done = sandbox.tools.run(
            "pg_combinebackup", *words, *way, timeout_seconds=timeout_seconds, check=False, as_caller=True
        )
        if done.status == 0:
            return how.removeprefix("--")
        _clear(sandbox)
    if "No space left" in done.stderr:
        raise HarnessError("pg_combinebackup: no space left on device", hint="free the disk or set sandbox.directory.")
    raise BackupNotRestorable(
        f"pg_combinebackup refused the chain: {done.tail()}",
        hint="a full backup and every incremental one after it are needed, unchanged.",
    )


def _clear(sandbox: Sandbox) -> None:
    for folder in (sandbox.data, sandbox.tablespaces):
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _as_plain(directory: BackupDirectory, workshop: Path) -> Path:
    if not directory.tar:
        return directory.path
    data, tablespaces = workshop / directory.path.name, workshop / f"{directory.path.name}.tablespaces"
    data.mkdir(mode=0o700)
    tablespaces.mkdir(mode=0o700)
    _lay_out(directory, data, tablespaces)
    return data


def _lay_out(directory: BackupDirectory, data: Path, tablespaces: Path) -> int:
    """Write the backup's files below `data` and `tablespaces`, with links between them; return their number."""
    return (_from_tars if directory.tar else _from_tree)(directory, data, tablespaces)


def _from_tree(directory: BackupDirectory, data: Path, tablespaces: Path) -> int:
    files = copy_tree(directory.path, data, without=("pg_wal", "pg_tblspc"))
    (data / "pg_tblspc").mkdir(mode=0o700)
    for entry in sorted((directory.path / "pg_tblspc").iterdir()):
        if not entry.is_dir():
            raise BackupNotRestorable(
                f"tablespace {entry.name} is a link to {entry.readlink()}, which is not there",
                hint="copy the tablespace directories along with the backup, or take it in tar format.",
            )
        files += _tablespace(entry.name, data, tablespaces, lambda into, entry=entry: copy_tree(entry.resolve(), into))  # type: ignore[misc]
    _empty_wal(data, directory.path)
    return files


def _from_tars(directory: BackupDirectory, data: Path, tablespaces: Path) -> int:
    if directory.base_tar is None:
        raise BackupNotRestorable(f"{directory.path} has no base.tar", hint="the backup is incomplete: take a new one.")
    files = extract_tar(directory.base_tar, data, without=("pg_wal",))
    (data / "pg_tblspc").mkdir(mode=0o700, exist_ok=True)
    for oid, archive in directory.tablespace_tars().items():
        files += _tablespace(oid, data, tablespaces, lambda into, archive=archive: extract_tar(archive, into))  # type: ignore[misc]
    manifest = directory.path / "backup_manifest"
    if manifest.is_file():
        copy_file(manifest, data / "backup_manifest")
    _empty_wal(data, directory.path)
    if directory.wal_tar is not None:
        extract_tar(directory.wal_tar, data / "pg_wal")
    return files


def _tablespace(oid: str, data: Path, tablespaces: Path, fill: Callable[[Path], int]) -> int:
    into = tablespaces / oid
    into.mkdir(mode=0o700)
    (data / "pg_tblspc" / oid).symlink_to(into)
    return fill(into)


def _links(data: Path) -> list[Path]:
    return [entry for entry in sorted((data / "pg_tblspc").iterdir()) if entry.is_symlink()]


def _empty_wal(data: Path, origin: Path) -> None:
    """Leave pg_wal empty but for the directories a server expects; WAL is staged later, checked."""
    wal = data / "pg_wal"
    if wal.is_symlink():
        wal.unlink()
    shutil.rmtree(wal, ignore_errors=True)
    for folder in (
        wal,
        wal / "archive_status",
        *((wal / "summaries",) if (origin / "pg_wal/summaries").exists() else ()),
    ):
        folder.mkdir(mode=0o700)
