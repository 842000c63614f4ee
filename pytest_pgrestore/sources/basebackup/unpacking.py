"""Filling a data directory and its tablespaces from one base backup, plain or tar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.basebackup.budget import Budget
from pytest_pgrestore.sources.basebackup.links import TABLESPACES, open_tablespace, tablespaces_of
from pytest_pgrestore.sources.basebackup.manifest import MANIFEST
from pytest_pgrestore.sources.basebackup.tars import extract, list_files
from pytest_pgrestore.sources.copying import LARGEST_WAL_FILE, copy_file, in_parallel
from pytest_pgrestore.sources.trees import copy_tree, open_directory
from pytest_pgrestore.sources.wal.header import HEADER_BYTES
from pytest_pgrestore.sources.wal.segments import WalFile
from pytest_pgrestore.sources.wal.staging import empty_wal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory
    from pytest_pgrestore.sources.basebackup.links import Tablespace

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
    most = directory.rules.max_files
    wal_tar, base_tar = directory.wal_tar, directory.base_tar
    if wal_tar is not None:
        for name, size, start in list_files(wal_tar, HEADER_BYTES, most):
            yield WalFile(name, wal_tar, (size, start))
    elif inside_base and base_tar is not None:
        for name, size, start in list_files(base_tar, HEADER_BYTES, most):
            folder, _, file = name.rpartition("/")
            if folder == "pg_wal":
                yield WalFile(file, base_tar, (size, start))


def _from_tree(directory: BackupDirectory, places: Places) -> int:
    files = copy_tree(directory.path, places.data, without=("pg_wal", TABLESPACES, TABLESPACE_MAP))
    (places.data / TABLESPACES).mkdir(mode=0o700)
    for oid in tablespaces_of(directory.path):
        into = _tablespace(places, oid)
        with open_tablespace(directory.path, oid, directory.rules) as space:
            if space.content is None:
                files += copy_tree(space.descriptor, into, name=str(space.place))
            else:
                files += _copy_content(space, space.content, into)
    return files


def _copy_content(space: Tablespace, content: str, into: Path) -> int:
    """Copy what belongs to the backup in a directory that a link leads to."""
    target = into / content
    target.mkdir(mode=0o700)
    with open_directory(content, space.descriptor, follow=False) as descriptor:
        return copy_tree(descriptor, target, name=str(space.place / content))


def _from_tars(directory: BackupDirectory, places: Places) -> int:
    base_tar, wal_tar = directory.base_tar, directory.wal_tar
    if base_tar is None:
        raise BackupNotRestorable(
            f"backup {directory.path.name} has no base.tar",
            hint="the backup is incomplete: take a new one.",
        )
    counts: list[int] = []
    jobs = [(base_tar, "")]
    jobs += [(archive, oid) for oid, archive in directory.tablespace_tars().items()]
    if wal_tar is not None and places.wal is not None:
        jobs.append((wal_tar, "pg_wal"))
    (places.data / TABLESPACES).mkdir(mode=0o700)
    for _, oid in jobs:
        if oid.isdigit():
            _tablespace(places, oid)
    budget = Budget(places.data, directory.manifest, directory.path.name)

    def unpack(job: tuple[Path, str]) -> None:
        archive, part = job

        def route(name: str, size: int) -> Path | None:
            target = _target(name, part, places)
            if target is not None:
                in_wal = places.wal is not None and target.parent == places.wal
                _require_wal_size(archive, name, size if in_wal else 0)
                budget.take(size, listed=not in_wal)
            return target

        counts.append(extract(archive, route, directory.rules.max_files))

    in_parallel(unpack, jobs)
    manifest = directory.manifest_file
    if manifest is not None:
        copy_file(manifest, places.data / MANIFEST)
    return sum(counts)


def _require_wal_size(archive: Path, name: str, size_bytes: int) -> None:
    if size_bytes > LARGEST_WAL_FILE:
        raise BackupNotRestorable(
            f"{archive} is damaged: {name} has {size_bytes:,} bytes, more than any WAL segment",
            hint="find out what wrote it, and take the backup again.",
        )


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
    (places.data / TABLESPACES / oid).symlink_to(into)
    return into


def _require_tablespaces(directory: BackupDirectory, places: Places) -> None:
    """Refuse a backup without one of its tablespaces.

    A server starts without it, and fails only when a query reads it.
    """
    missing = directory.tablespaces - {
        entry.name for entry in (places.data / TABLESPACES).iterdir()
    }
    if missing:
        raise BackupNotRestorable(
            f"backup {directory.path.name} lacks tablespace {', '.join(sorted(missing))}",
            hint="keep the tar or directory of every tablespace with the backup.",
        )
