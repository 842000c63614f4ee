"""Walking and copying the directories of backups, without leaving them.

Each name is opened inside an open directory, so nobody can lead us elsewhere by putting a link in
place of a directory meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.sources.copying import changed, copy_whole, create, in_parallel
from pytest_pgrestore.system.regular_file import NotRegularError, open_regular

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

DEEPEST = 32
"""Most directories inside each other. PostgreSQL makes five (pg_tblspc/OID/PG_17_.../DB/file)."""


def copy_tree(
    source: Path | int, target: Path, *, without: Iterable[str] = (), name: str = ""
) -> int:
    """Copy the tree below `source` into the directory `target`; return the number of files.

    Args:
        source: Directory to copy, or its descriptor. Links in it are copied as links. The socket of
            a server is left out.
        target: Existing directory.
        without: Names directly below `source` that are left out.
        name: Name of the directory in messages, if `source` is a descriptor.

    Raises:
        BackupNotRestorable: It has a FIFO or a device, or is deeper than any data directory.
        HarnessError: It cannot be read, or a file became shorter meanwhile.
    """
    place = name or str(source)
    with reading(Path(place)), open_directory(source) as origin, open_directory(target) as into:
        return _copy_level(origin, into, place, frozenset(without), DEEPEST)


@contextmanager
def open_directory(
    path: Path | str | int, inside: int | None = None, *, follow: bool = True
) -> Iterator[int]:
    """Open a directory and yield its descriptor; a descriptor is yielded as it is.

    Args:
        path: Its path.
        inside: Descriptor of the directory that `path` is relative to; None for ours.
        follow: Whether a link as the last part of the path is followed.
    """
    if isinstance(path, int):
        yield path
        return
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags, dir_fd=inside)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Entries:
    """The names in one directory of a backup, by kind."""

    files: list[str]
    folders: list[str]
    links: list[str]


def entries_of(directory: int, place: str, without: Container[str] = ()) -> Entries:
    """Return what an open directory contains.

    Args:
        directory: Its descriptor.
        place: Its name in messages.
        without: Names that are left out.

    Raises:
        BackupNotRestorable: It has a FIFO, a device, or a socket that is none of a server.
    """
    found = Entries([], [], [])
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name in without:
                continue
            if entry.is_symlink():
                found.links.append(entry.name)
            elif entry.is_dir(follow_symlinks=False):
                found.folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                found.files.append(entry.name)
            elif not _is_socket_of_server(entry):
                raise BackupNotRestorable(
                    f"{place}/{entry.name} is a FIFO, a device or a socket, and a backup has a"
                    " regular file there",
                    hint="find out what made it, and put the file itself into the backup.",
                )
    return found


def _is_socket_of_server(entry: os.DirEntry[str]) -> bool:
    """Return whether it is the socket of a server that was copied with its data directory.

    Source: src/include/libpq/pqcomm.h, UNIXSOCK_PATH.
    """
    mode = entry.stat(follow_symlinks=False).st_mode
    return stat.S_ISSOCK(mode) and entry.name.startswith(".s.PGSQL.")


def _require_depth(left: int, place: str) -> None:
    """Refuse a directory deeper than any of PostgreSQL's, when no level is `left`.

    Raises:
        BackupNotRestorable: It is.
    """
    if left < 0:
        raise BackupNotRestorable(
            f"{place} is more than {DEEPEST} directories deep, and no data directory is",
            hint="PostgreSQL makes no such directory: find out what did.",
        )


def require_no_links(source: int, place: str, without: Container[str] = ()) -> None:
    """Check that a tree has directories and regular files only, for a tool that follows links.

    Raises:
        BackupNotRestorable: It has something else.
    """
    _inspect(source, place, without, DEEPEST)


def _inspect(source: int, place: str, without: Container[str], left: int) -> None:
    _require_depth(left, place)
    found = entries_of(source, place, without)
    if found.links:
        raise BackupNotRestorable(
            f"{place}/{found.links[0]} is a link, and a backup has the file itself there",
            hint="pg_basebackup makes no such link: find out what did.",
        )
    for folder in found.folders:
        inside = f"{place}/{folder}"
        with ExitStack() as opened:
            with _unchanged(inside):
                inner = opened.enter_context(open_directory(folder, source, follow=False))
            _inspect(inner, inside, (), left - 1)


def _copy_level(origin: int, into: int, place: str, without: Container[str], left: int) -> int:
    _require_depth(left, place)
    found = entries_of(origin, place, without)
    with _unchanged(place):
        for link in found.links:
            os.symlink(os.readlink(link, dir_fd=origin), link, dir_fd=into)

    def copy(file: str) -> None:
        with _unchanged(f"{place}/{file}"):
            reader = open_regular(file, follow=False, directory=origin)
        with reader, create(file, into) as writer:
            copy_whole(reader, writer, f"{place}/{file}")

    in_parallel(copy, found.files)
    count = len(found.files)
    for folder in found.folders:
        os.mkdir(folder, 0o700, dir_fd=into)
        inside = f"{place}/{folder}"
        with ExitStack() as opened:
            with _unchanged(inside):
                inner = opened.enter_context(open_directory(folder, origin, follow=False))
            copied = opened.enter_context(open_directory(folder, into, follow=False))
            count += _copy_level(inner, copied, inside, (), left - 1)
    return count


@contextmanager
def _unchanged(place: str) -> Iterator[None]:
    """Say what happened if a name of a backup is gone, or is another kind of thing than before."""
    try:
        yield
    except NotRegularError as exc:
        exc.filename = place
        raise
    except OSError as exc:
        if exc.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL}:
            raise changed(place) from exc
        if exc.errno in {errno.EACCES, errno.EPERM}:
            exc.filename = place
        raise
