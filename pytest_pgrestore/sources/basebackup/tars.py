"""Reading tars as a stream, compressed or not: a few members, or all of them into a directory.

Nothing leaves the target: a member that is a link, or names a path outside, is refused.
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
"""A tar ends with two blocks of zeros. One that was cut between two members lacks them, and nothing else."""


def read_members(
    archive: Path,
    names: set[str],
    limit_bytes: int | None,
    also: frozenset[str] | set[str] = frozenset(),
) -> dict[str, bytes]:
    """Return the contents of the small files `names`, reading no further than needed.

    Args:
        archive: The tar.
        names: Paths inside it.
        limit_bytes: Give up on those not found that far into the tar; None reads to its end.
        also: Taken along where they come before the last of `names`, but not waited for.

    Raises:
        BackupNotRestorable: It is cut short or damaged before they were found.
        HarnessError: It cannot be read.
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
    """Yield path, size and first bytes of every file in a tar.

    Raises:
        BackupNotRestorable: It is cut short or damaged.
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
        route: From a path inside it to where that goes; None leaves it out.

    Raises:
        BackupNotRestorable: It is cut short, damaged, or holds what no backup holds.
        HarnessError: It cannot be read.
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
            f"{archive} is cut short: it ends without the zeros that end a tar, after {count} files",
            hint="find out where the copy was interrupted, and take it again.",
        )
    return count


def extract_tar(archive: Path, target: Path, *, without: Iterable[str] = ()) -> int:
    """Unpack a tar into the directory `target`, but for what is `without` or below it; return the number of files.

    Raises:
        BackupNotRestorable: It is cut short, damaged, or holds what no backup holds.
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
        """Read on."""
        data = self._stream.read(size)
        self._end = (
            (self._end + data)[-_END_BYTES:] if len(data) < _END_BYTES else data[-_END_BYTES:]
        )
        return data

    def end(self) -> bytes:
        """Return the last bytes there are, having read to the end, where compressed formats keep their checksum."""
        while self.read(CHUNK_BYTES):
            pass
        return self._end


@dataclass(frozen=True, slots=True)
class _Opened:
    """A tar being read; `seekable` is its file where it is not compressed: members can be skipped and copied fast."""

    tar: tarfile.TarFile
    tail: _Tail
    seekable: IO[bytes] | None

    def end(self) -> bytes:
        """Return the bytes it ends with."""
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
    """Return the member's path when it is a file or directory that stays below the target.

    Raises:
        BackupNotRestorable: It is something else.
    """
    name = _normal(member.name)
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts
    # Tablespaces may be links in a tar made by other means; ours are made from the tars beside it.
    tablespace_link = member.issym() and path.parent.name == "pg_tblspc"
    if not inside or not (member.isfile() or member.isdir() or tablespace_link):
        raise BackupNotRestorable(
            f"{archive} holds {member.name!r}, which is not a file or directory below the data directory",
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
