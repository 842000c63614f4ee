"""Filling a data directory and its tablespaces from one base backup, plain or tar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.basebackup.manifest import MANIFEST
from pytest_pgrestore.sources.basebackup.tars import extract, list_files
from pytest_pgrestore.sources.copying import copy_file, copy_tree, in_parallel
from pytest_pgrestore.sources.wal.header import HEADER_BYTES
from pytest_pgrestore.sources.wal.segments import WalFile
from pytest_pgrestore.sources.wal.staging import empty_wal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory

TABLESPACE_MAP = "tablespace_map"
"""This file names production's directories, so it is never copied.

A server that finds it makes the links in pg_tblspc from it. Source:
src/backend/access/transam/xlogrecovery.c, InitWalRecovery and read_tablespace_map.
"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of one backup go.

    Attributes:
        data: The data directory, existing and empty.
        tablespaces: Existing directory; each tablespace becomes a directory in it.
        wal: Existing directory for the WAL of tars; None leaves it out. The WAL of a plain backup
            is read in place.
    """

    data: Path
    tablespaces: Path
    wal: Path | None


def lay_out(directory: BackupDirectory, places: Places) -> int:
    """Write the backup's files and the links to tablespaces; return the number of files.

    ``pg_wal`` stays empty and ``tablespace_map`` is left out.

    Raises:
        BackupNotRestorable: A part is missing, cut short or damaged.
        HarnessError: A part cannot be read.
    """
    files = (_from_tars if directory.tar else _from_tree)(directory, places)
    empty_wal(places.data)
    _require_tablespaces(directory, places)
    return files


def wal_in_tars(directory: BackupDirectory, *, inside_base: bool) -> Iterator[WalFile]:
    """Yield the WAL segments inside a tar backup.

    Args:
        directory: The backup.
        inside_base: Whether all of base.tar is searched if there is no pg_wal.tar:
            ``pg_basebackup --wal-method=fetch`` puts WAL there.
    """
    if directory.wal_tar is not None:
        for name, size, start in list_files(directory.wal_tar, HEADER_BYTES):
            yield WalFile(name, directory.wal_tar, (size, start))
    elif inside_base and directory.base_tar is not None:
        for name, size, start in list_files(directory.base_tar, HEADER_BYTES):
            folder, _, file = name.rpartition("/")
            if folder == "pg_wal":
                yield WalFile(file, directory.base_tar, (size, start))


def _from_tree(directory: BackupDirectory, places: Places) -> int:
    files = copy_tree(directory.path, places.data, without=("pg_wal", "pg_tblspc", TABLESPACE_MAP))
    links = places.data / "pg_tblspc"
    links.mkdir(mode=0o700)
    spaces = directory.path / "pg_tblspc"
    for entry in sorted(spaces.iterdir()) if spaces.is_dir() else ():
        if not entry.is_dir():
            raise _no_tablespace(directory, entry)
        into = _tablespace(places, entry.name)
        files += copy_tree(entry.resolve(), into)
    return files


def _no_tablespace(directory: BackupDirectory, entry: Path) -> BackupNotRestorable:
    what = "is no directory"
    if entry.is_symlink():
        what = f"is a link to {entry.readlink()}, which is not there"
    return BackupNotRestorable(
        f"tablespace {entry.name} of backup {directory.path.name} {what}",
        hint="copy the tablespace directories along with the backup, or take it in tar format.",
    )


def _from_tars(directory: BackupDirectory, places: Places) -> int:
    if directory.base_tar is None:
        raise BackupNotRestorable(
            f"backup {directory.path.name} has no base.tar",
            hint="the backup is incomplete: take a new one.",
        )
    counts: list[int] = []
    jobs = [(directory.base_tar, "")]
    jobs += [(archive, oid) for oid, archive in directory.tablespace_tars().items()]
    if directory.wal_tar is not None and places.wal is not None:
        jobs.append((directory.wal_tar, "pg_wal"))
    (places.data / "pg_tblspc").mkdir(mode=0o700)
    for _, oid in jobs:
        if oid.isdigit():
            _tablespace(places, oid)

    def unpack(job: tuple[Path, str]) -> None:
        archive, part = job
        counts.append(extract(archive, lambda name: _target(name, part, places)))

    in_parallel(unpack, jobs)
    if (directory.path / MANIFEST).is_file():
        copy_file(directory.path / MANIFEST, places.data / MANIFEST)
    return sum(counts)


def _target(name: str, part: str, places: Places) -> Path | None:
    """Return the target of a member; None leaves it out.

    Args:
        name: Path of the member.
        part: The tar that contains it: ``""`` for base.tar, ``pg_wal``, or a tablespace's OID.
        places: Where the parts go.
    """
    if part.isdigit():
        return places.tablespaces / part / name
    folder, _, rest = name.partition("/")
    if part == "pg_wal":
        folder, rest = "pg_wal", name
    if folder == "pg_wal":
        return places.wal / rest if places.wal is not None and _is_wal(rest) else None
    return None if name == TABLESPACE_MAP else places.data / name


def _is_wal(rest: str) -> bool:
    """Return whether a path below pg_wal is a file of WAL: not in a directory of the server."""
    return rest != "" and "/" not in rest and rest not in {"archive_status", "summaries"}


def _tablespace(places: Places, oid: str) -> Path:
    into = places.tablespaces / oid
    into.mkdir(mode=0o700)
    (places.data / "pg_tblspc" / oid).symlink_to(into)
    return into


def _require_tablespaces(directory: BackupDirectory, places: Places) -> None:
    """Refuse a backup without one of its tablespaces.

    A server starts without it, and fails only when a query reads it.
    """
    missing = directory.tablespaces - {
        entry.name for entry in (places.data / "pg_tblspc").iterdir()
    }
    if missing:
        raise BackupNotRestorable(
            f"backup {directory.path.name} lacks tablespace {', '.join(sorted(missing))}",
            hint="keep the tar or directory of every tablespace with the backup.",
        )
