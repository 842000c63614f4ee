"""Reading tars of backups: a few members, a list, or all of them into a directory.

A member that is a link, or has a path outside of the target, is refused.
"""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.basebackup.manifest import MAX_FILES
from pytest_pgrestore.sources.basebackup.tar_stream import (
    END_BYTES,
    FarEnoughError,
    OpenedTar,
    opened_tar,
)
from pytest_pgrestore.sources.codecs import CHUNK_BYTES
from pytest_pgrestore.sources.copying import copy_part, create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAME_BYTES = 1023
"""Longest path that a server can open: MAXPGPATH, src/include/pg_config_manual.h."""

_ERRORS_OF_NAMES = {
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EILSEQ,
}
"""Errors of a file system that refuses a path for what it is."""


def read_members(
    archive: Path,
    names: set[str],
    limit_bytes: int | None,
    member_bytes: int,
    also: frozenset[str] | set[str] = frozenset(),
) -> dict[str, bytes]:
    """Return the contents of the small files `names`, reading no further than needed.

    Args:
        archive: The tar.
        names: Paths inside the tar.
        limit_bytes: Where the search ends; None reads to the end of the tar.
        member_bytes: Most bytes that each of the files may have.
        also: More paths, returned only if they come before the last of `names`.

    Raises:
        BackupNotRestorable: The tar is cut short or damaged before the files were found, or one of
            them is too large.
        HarnessError: The tar cannot be read.
    """
    found: dict[str, bytes] = {}
    with suppress(FarEnoughError), opened_tar(archive, limit_bytes) as opened:
        for member in opened.members(MAX_FILES):
            name = _normal(member.name)
            if name in names or name in also:
                found[name] = _small(opened, member, member_bytes)
            if found.keys() >= names:
                break
            if limit_bytes is not None and member.offset > limit_bytes:
                break
    return found


def list_files(
    archive: Path, head_bytes: int, max_files: int = MAX_FILES
) -> Iterator[tuple[str, int, bytes]]:
    """Yield path, size and the first `head_bytes` bytes of every file in a tar.

    Raises:
        BackupNotRestorable: The tar is cut short or damaged.
        HarnessError: The tar cannot be read, or has more than `max_files`.
    """
    with opened_tar(archive) as opened:
        for member in opened.members(max_files):
            if member.isfile():
                yield (
                    _normal(member.name),
                    member.size,
                    _content(opened.tar, member).read(head_bytes),
                )


def extract(
    archive: Path, route: Callable[[str, int], Path | None], max_files: int = MAX_FILES
) -> int:
    """Unpack a tar; return the number of files.

    Args:
        archive: The tar, compressed or not.
        route: Returns the target of a path inside the tar, given its size too; None leaves the file
            out.
        max_files: Most members of the tar.

    Raises:
        BackupNotRestorable: The tar is cut short, damaged, or has members no backup has.
        HarnessError: The tar cannot be read, or has more than `max_files`.
    """
    count = 0
    with opened_tar(archive) as opened:
        for member in opened.members(max_files):
            target = route(_safe(member, archive), member.size)
            if target is None or member.issym():
                continue
            with _blaming_the_tar(archive, member):
                if member.isdir():
                    target.mkdir(mode=0o700, parents=True, exist_ok=True)
                else:
                    _write(opened, member, target)
                    count += 1
        end = opened.end()
    if end != bytes(END_BYTES):
        raise BackupNotRestorable(
            f"{archive} is cut short: it ends without the zeros that end a tar,"
            f" after {count} files",
            hint="find out where the copy was interrupted, and take it again.",
        )
    return count


@contextmanager
def _blaming_the_tar(archive: Path, member: tarfile.TarInfo) -> Iterator[None]:
    """Say what is wrong with a member if the file system refuses its path.

    Raises:
        BackupNotRestorable: It does.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno not in _ERRORS_OF_NAMES:
            raise
        raise BackupNotRestorable(
            f"{archive} is damaged: {member.name[:_NAME_BYTES]!r} is in it twice, is in it as a"
            f" file and as a directory, or has a name that no file can have"
            f" ({(exc.strerror or str(exc)).lower()})",
            hint="find out what wrote it, and take the backup again.",
        ) from exc


def _normal(name: str) -> str:
    return name.removeprefix("./")


def _safe(member: tarfile.TarInfo, archive: Path) -> str:
    """Return the member's path.

    Raises:
        BackupNotRestorable: The member is no file or directory, or its path is outside or too long.
    """
    name = _normal(member.name)
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts and "\0" not in name
    # Other tools than pg_basebackup write links to tablespaces. They are ignored.
    tablespace_link = member.issym() and path.parent.name == "pg_tblspc"
    if not inside or not (member.isfile() or member.isdir() or tablespace_link):
        raise BackupNotRestorable(
            f"{archive} holds {member.name[:_NAME_BYTES]!r}, which is not a file or directory below"
            " the data directory",
            hint="pg_basebackup writes no such member: find out what did.",
        )
    if len(os.fsencode(name)) > _NAME_BYTES:
        raise BackupNotRestorable(
            f"{archive} is damaged: it holds a name of more than {_NAME_BYTES} bytes, beginning"
            f" with {name[:64]!r}",
            hint="no server can open such a file: find out what wrote it.",
        )
    return name


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member) if member.isfile() else None
    if content is None:
        raise tarfile.ReadError(f"{member.name} is not a file")
    return content


def _small(opened: OpenedTar, member: tarfile.TarInfo, limit_bytes: int) -> bytes:
    if member.size > limit_bytes:
        raise tarfile.ReadError(f"{member.name} has {member.size:,} bytes")
    return _content(opened.tar, member).read()


def _write(opened: OpenedTar, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with create(target) as writer:
        if opened.seekable is not None:
            copied = copy_part(opened.seekable, member.offset_data, member.size, writer)
        else:
            shutil.copyfileobj(_content(opened.tar, member), writer, CHUNK_BYTES)
            copied = writer.tell()
    if copied != member.size:
        raise EOFError(member.name)
