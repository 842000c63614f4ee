"""Reading tars as a stream, compressed or not: a few members, or all of them into a directory.

A member that is a link, or has a path outside of the target, is refused.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, codec_of, open_plain, reading
from pytest_pgrestore.sources.copying import copy_part, create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_END_BYTES = 2 * tarfile.BLOCKSIZE
"""A tar ends with two blocks of zeros (POSIX, pax, "ustar Interchange Format").

If a tar was cut between two members, only these blocks show it: tar itself ends with status 0.
"""


def read_members(
    archive: Path,
    names: set[str],
    limit_bytes: int | None,
    also: frozenset[str] | set[str] = frozenset(),
) -> dict[str, bytes]:
    """Return the contents of the small files `names`, reading no further than needed.

    Args:
        archive: The tar.
        names: Paths inside the tar.
        limit_bytes: Where the search ends; None reads to the end of the tar.
        also: More paths, returned only if they come before the last of `names`.

    Raises:
        BackupNotRestorable: The tar is cut short or damaged before the files were found.
        HarnessError: The tar cannot be read.
    """
    found: dict[str, bytes] = {}
    with _opened(archive) as opened:
        for member in opened.tar:
            name = _normal(member.name)
            if name in names or name in also:
                found[name] = _content(opened.tar, member).read()
            if found.keys() >= names or (limit_bytes is not None and member.offset > limit_bytes):
                break
    return found


def list_files(archive: Path, head_bytes: int) -> Iterator[tuple[str, int, bytes]]:
    """Yield path, size and the first `head_bytes` bytes of every file in a tar.

    Raises:
        BackupNotRestorable: The tar is cut short or damaged.
    """
    with _opened(archive) as opened:
        for member in opened.tar:
            if member.isfile():
                yield (
                    _normal(member.name),
                    member.size,
                    _content(opened.tar, member).read(head_bytes),
                )


def extract(archive: Path, route: Callable[[str], Path | None]) -> int:
    """Unpack a tar; return the number of files.

    Args:
        archive: The tar, compressed or not.
        route: Returns the target of a path inside the tar; None leaves the file out.

    Raises:
        BackupNotRestorable: The tar is cut short, damaged, or has members no backup has.
        HarnessError: The tar cannot be read.
    """
    count = 0
    with _opened(archive) as opened:
        for member in opened.tar:
            target = route(_safe(member, archive))
            if target is None:
                continue
            if member.isdir():
                target.mkdir(mode=0o700, parents=True, exist_ok=True)
            else:
                _write(opened, member, target)
                count += 1
        end = opened.end()
    if end != bytes(_END_BYTES):
        raise BackupNotRestorable(
            f"{archive} is cut short: it ends without the zeros that end a tar,"
            f" after {count} files",
            hint="find out where the copy was interrupted, and take it again.",
        )
    return count


def extract_tar(archive: Path, target: Path, *, without: Iterable[str] = ()) -> int:
    """Unpack a tar into the directory `target`; return the number of files.

    Args:
        archive: The tar, compressed or not.
        target: Existing directory.
        without: Names at the top of the tar that are left out.

    Raises:
        BackupNotRestorable: The tar is cut short, damaged, or has members no backup has.
    """
    left_out = set(without)
    return extract(
        archive, lambda name: None if name.partition("/")[0] in left_out else target / name
    )


class _Tail:
    """A stream that remembers the last bytes read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._end = b""
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data = self._stream.read(size)
        self._end = (
            (self._end + data)[-_END_BYTES:] if len(data) < _END_BYTES else data[-_END_BYTES:]
        )
        return data

    def end(self) -> bytes:
        """Read to the end, where compressed formats have their checksum; return the last bytes."""
        while self.read(CHUNK_BYTES):
            pass
        return self._end


@dataclass(frozen=True, slots=True)
class _Opened:
    """A tar being read.

    Attributes:
        tar: The tar.
        tail: The decompressed stream it is read from.
        seekable: The file of an uncompressed tar: members can be skipped, and copied fast.
    """

    tar: tarfile.TarFile
    tail: _Tail
    seekable: IO[bytes] | None

    def end(self) -> bytes:
        """Return the last bytes of the tar."""
        if self.seekable is not None:
            self.seekable.seek(
                -min(_END_BYTES, os.fstat(self.seekable.fileno()).st_size), os.SEEK_END
            )
        return self.tail.end()


@contextmanager
def _opened(archive: Path) -> Iterator[_Opened]:
    with reading(archive), open_plain(archive) as stream:
        tail = _Tail(stream)
        if codec_of(archive) == "none":
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                yield _Opened(tar, tail, stream)
        else:
            with tarfile.open(
                fileobj=cast("IO[bytes]", tail), mode="r|", bufsize=CHUNK_BYTES
            ) as tar:
                yield _Opened(tar, tail, None)


def _normal(name: str) -> str:
    return name.removeprefix("./")


def _safe(member: tarfile.TarInfo, archive: Path) -> str:
    """Return the member's path.

    Raises:
        BackupNotRestorable: The member is no file or directory, or its path is outside.
    """
    name = _normal(member.name)
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts
    # Other tools than pg_basebackup write links to tablespaces. They are ignored: see `_write`.
    tablespace_link = member.issym() and path.parent.name == "pg_tblspc"
    if not inside or not (member.isfile() or member.isdir() or tablespace_link):
        raise BackupNotRestorable(
            f"{archive} holds {member.name!r}, which is not a file or directory below the data"
            " directory",
            hint="pg_basebackup writes no such member: find out what did.",
        )
    return name


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"{member.name} is not a file")
    return content


def _write(opened: _Opened, member: tarfile.TarInfo, target: Path) -> None:
    if member.issym():
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with create(target) as writer:
        if opened.seekable is not None and not member.issparse():
            copied = copy_part(opened.seekable, member.offset_data, member.size, writer)
        else:
            shutil.copyfileobj(_content(opened.tar, member), writer, CHUNK_BYTES)
            copied = writer.tell()
    if copied != member.size:
        raise EOFError(member.name)
