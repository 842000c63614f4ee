"""A tar being read, compressed or not, within limits.

What PostgreSQL never writes and what costs without limit is refused before tarfile acts on it:
sparse members, long headers, endless streams.
"""

from __future__ import annotations

import os
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self, cast

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, codec_of, open_plain, reading
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

END_BYTES = 2 * tarfile.BLOCKSIZE
"""A tar ends with two blocks of zeros (POSIX, pax, "ustar Interchange Format").

If a tar was cut between two members, only these blocks show it: tar itself ends with status 0.
"""

_PADDING_BYTES = 16 << 20
"""Most bytes after the end of a tar. GNU tar pads to blocks of 10 KB, others of up to 1 MB."""

_EXTENSION_BYTES = 1 << 20
"""Largest header that extends another one. It has a name, times, attributes and access lists.

tarfile reads it into memory. pg_basebackup writes none: src/port/tar.c, tarCreateHeader.
"""

_LARGEST_SIZE = 1 << 62
"""Sizes from here on are nonsense: no file system has them."""

_EXPANSION = 300
_FREE_EXPANSION_BYTES = 64 << 30
"""A tar may unpack to 300 times its size, and in any case to 64 GB.

Data of a server compresses to a tenth, mostly empty WAL to a thousandth or less. What unpacks to
more would hold the drill for hours.
"""

_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_NEVER = (tarfile.XGLTYPE, tarfile.GNUTYPE_SPARSE)
"""Headers for all later members, which tarfile collects for ever, and files with holes."""


class _Member(tarfile.TarInfo):
    """A member whose headers are checked before tarfile acts on them."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the member that a header describes.

        Raises:
            tarfile.ReadError: The header would cost too much, or PostgreSQL never writes it.
        """
        member = super().frombuf(buf, encoding, errors)
        if not 0 <= member.size < _LARGEST_SIZE:
            raise tarfile.ReadError(f"a member has the size {member.size}")
        if member.type in _EXTENSIONS and member.size > _EXTENSION_BYTES:
            raise tarfile.ReadError(f"a header has {member.size:,} bytes")
        if member.type in _NEVER:
            raise tarfile.ReadError("it has a sparse file or a global header, and no backup has")
        return member

    def _refuse_sparse(self, *_: object) -> None:
        raise tarfile.ReadError("it has a sparse file, and no backup has")

    # tarfile calls these for files with holes in the formats of GNU tar 0.0, 0.1 and 1.0. They
    # collect the list of parts in memory, however long it is.
    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


class FarEnoughError(Exception):
    """The search in a tar has come to its limit."""


class _Tail:
    """A stream that remembers the last bytes read from it, and how many there were.

    Args:
        stream: The decompressed tar.
        limit_bytes: Most bytes to read.
        error: Raised after them.
    """

    def __init__(self, stream: IO[bytes], limit_bytes: int, error: Exception) -> None:
        self._end = b""
        self._stream = stream
        self._left = limit_bytes
        self._error = error

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise self._error
        self._end = (self._end + data)[-END_BYTES:] if len(data) < END_BYTES else data[-END_BYTES:]
        return data

    def end(self) -> bytes:
        """Read to the end, where compressed formats have their checksum; return the last bytes.

        Raises:
            tarfile.ReadError: The end is too far away.
        """
        padding = 0
        while data := self.read(CHUNK_BYTES):
            padding += len(data)
            if padding > _PADDING_BYTES:
                raise tarfile.ReadError(f"more than {_PADDING_BYTES:,} bytes follow its end")
        return self._end


@dataclass(frozen=True, slots=True)
class OpenedTar:
    """A tar being read.

    Attributes:
        archive: Its path.
        tar: The tar.
        tail: The decompressed stream it is read from.
        seekable: The file of an uncompressed tar: members can be skipped, and copied fast.
        stored_bytes: Size of the file.
    """

    archive: Path
    tar: tarfile.TarFile
    tail: _Tail
    seekable: IO[bytes] | None
    stored_bytes: int

    def members(self, max_files: int) -> Iterator[tarfile.TarInfo]:
        """Yield the members, in order.

        Raises:
            BackupNotRestorable: A header is nonsense.
            HarnessError: There are more than `max_files`.
        """
        for _ in range(max_files):
            member = self._next()
            if member is None:
                return
            yield member
            # tarfile keeps all members, for its methods that look for one by its name.
            self.tar.members.clear()  # type: ignore[attr-defined]  # typeshed does not list it
        if self._next() is not None:
            raise HarnessError(
                f"{self.archive} has more than {max_files:,} members, the most that a backup may"
                " have",
                hint="if it is a real backup, set max_files of the source.",
            )

    def _next(self) -> tarfile.TarInfo | None:
        with _reading_headers():
            member = self.tar.next()
        if member is None:
            return None
        if not 0 <= member.size < _LARGEST_SIZE:
            raise tarfile.ReadError(f"a member has the size {member.size}")
        if (
            self.seekable is not None
            and member.isfile()
            and member.offset_data + member.size > self.stored_bytes
        ):
            raise EOFError(member.name)
        return member

    def end(self) -> bytes:
        """Return the last bytes of the tar."""
        if self.seekable is not None:
            self.seekable.seek(-min(END_BYTES, self.stored_bytes), os.SEEK_END)
        return self.tail.end()


@contextmanager
def opened_tar(archive: Path, limit_bytes: int | None = None) -> Iterator[OpenedTar]:
    """Open a tar.

    Args:
        archive: Its path.
        limit_bytes: Where the search for a member ends, with FarEnoughError.
    """
    with reading(archive):
        with open_regular(archive, follow=False) as stream:
            stored = os.fstat(stream.fileno()).st_size
        most = max(_FREE_EXPANSION_BYTES, stored * _EXPANSION)
        error: Exception = tarfile.ReadError(f"it unpacks to more than {most:,} bytes")
        if limit_bytes is not None:
            most, error = limit_bytes, FarEnoughError()
        with open_plain(archive) as stream:
            tail = _Tail(stream, most, error)
            plain = codec_of(archive) == "none"
            with _reading_headers():
                tar = tarfile.open(  # noqa: SIM115 - closed below; the first header is read here
                    fileobj=stream if plain else cast("IO[bytes]", tail),
                    mode="r:" if plain else "r|",
                    bufsize=CHUNK_BYTES,
                    tarinfo=_Member,
                )
            with tar:
                yield OpenedTar(archive, tar, tail, stream if plain else None, stored)


@contextmanager
def _reading_headers() -> Iterator[None]:
    """Translate what tarfile raises on nonsense in headers.

    Raises:
        tarfile.ReadError: A header is nonsense.
    """
    try:
        yield
    except (ValueError, OverflowError, IndexError, TypeError, RecursionError) as exc:
        # tarfile trusts numbers in extended headers, and calls itself for each of them.
        raise tarfile.ReadError(f"a header is nonsense: {exc}") from exc
