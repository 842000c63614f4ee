"""Filling PGDATA from one base backup, plain or tar, with its tablespaces; and its WAL aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.basebackup.manifest import MANIFEST
from pytest_pgrestore.sources.basebackup.tars import extract, list_files
from pytest_pgrestore.sources.copying import copy_file, copy_tree, in_parallel
from pytest_pgrestore.sources.wal.header import HEADER_BYTES
from pytest_pgrestore.sources.wal.segments import WalFile, empty_wal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory

TABLESPACE_MAP = "tablespace_map"
"""Names production's directories; a server that finds it links them into the copy, so it never gets there."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of one backup go.

    Attributes:
        data: The data directory; there and empty.
        tablespaces: Holds a directory for each tablespace; there.
        wal: Where WAL that lies in tars goes; None leaves it out. WAL of a plain backup is read where it lies.
    """

    data: Path
    tablespaces: Path
    wal: Path | None


def lay_out(directory: BackupDirectory, places: Places) -> int:
    """Write the backup's files and the links between them; return their number.

    ``pg_wal`` stays empty and ``tablespace_map`` is left out.

    Raises:
        BackupNotRestorable: A part is missing, cut short or damaged.
        HarnessError: It cannot be read.
    """
    files = (_from_tars if directory.tar else _from_tree)(directory, places)
    empty_wal(places.data)
    _require_tablespaces(directory, places)
    return files


def wal_in_tars(directory: BackupDirectory, *, inside_base: bool) -> Iterator[WalFile]:
    """Yield the WAL segments a tar backup brings along.

    Args:
        directory: The backup.
        inside_base: Whether to read all of base.tar for them, where ``--wal-method=fetch`` puts them.
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
            raise BackupNotRestorable(
                f"tablespace {entry.name} of backup {directory.path.name}"
                + (
                    f" is a link to {entry.readlink()}, which is not there"
                    if entry.is_symlink()
                    else " is no directory"
                ),
                hint="copy the tablespace directories along with the backup, or take it in tar format.",
            )
        into = _tablespace(places, entry.name)
        files += copy_tree(entry.resolve(), into)
    return files


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
    """Return where a member goes, by the tar it lies in: base (""), pg_wal, or a tablespace's OID."""
    if part.isdigit():
        return places.tablespaces / part / name
    folder, _, rest = name.partition("/")
    if part == "pg_wal":
        folder, rest = "pg_wal", name
    if folder == "pg_wal":
        # Files directly in it; archive_status and summaries are a running server's business.
        return (
            places.wal / rest
            if places.wal is not None and rest and "/" not in rest and _is_wal(rest)
            else None
        )
    return None if name == TABLESPACE_MAP else places.data / name


def _is_wal(name: str) -> bool:
    return name not in {"archive_status", "summaries"}


def _tablespace(places: Places, oid: str) -> Path:
    into = places.tablespaces / oid
    into.mkdir(mode=0o700)
    (places.data / "pg_tblspc" / oid).symlink_to(into)
    return into


def _require_tablespaces(directory: BackupDirectory, places: Places) -> None:
    """Refuse a backup that lacks a tablespace: a server opens without it and fails only when it is touched."""
    missing = directory.tablespaces - {
        entry.name for entry in (places.data / "pg_tblspc").iterdir()
    }
    if missing:
        raise BackupNotRestorable(
            f"backup {directory.path.name} lacks tablespace {', '.join(sorted(missing))}",
            hint="keep the tar or directory of every tablespace with the backup.",
        )
