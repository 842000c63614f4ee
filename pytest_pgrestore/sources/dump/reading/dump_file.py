"""What a dump file is: its form, its compression, and the facts in its first bytes."""

from __future__ import annotations

import os
import re
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, codec_of, open_plain, reading
from pytest_pgrestore.sources.dump.reading import archive_header
from pytest_pgrestore.sources.dump.reading.plain_header import (
    PlainHeader,
    parse_plain_header,
    peek,
)
from pytest_pgrestore.system.regular_file import NotRegularError, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TAR_MAGIC = (257, b"ustar")
"""Offset and value of the magic field of a tar header (POSIX, pax, "ustar Interchange Format")."""

_MAJOR = re.compile(r"([0-9]{1,4})(?![0-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpFile:
    """One dump, as its own bytes describe it. None means that they do not contain a fact.

    Attributes:
        path: A file, or the directory of a dump in directory format.
        form: ``plain``, ``cluster`` (plain SQL of pg_dumpall), ``custom``, ``tar`` or
            ``directory``.
        codec: Compression of plain SQL; ``none`` for the other forms, which compress inside.
        server_version: Version of the server that was dumped.
        tool_version: Version of the pg_dump that wrote the dump. An older pg_restore cannot read
            its archive.
        database: The database that was dumped.
        encoding: Client encoding of a plain dump.
        started_at: When the dump began. Its data are of that moment.
        stopped_at: When the file was last written.
        size_bytes: Size of the stored files.
        readable: Whether the beginning could be decompressed.
    """

    path: Path
    form: str
    codec: str = "none"
    server_version: str | None = None
    tool_version: str | None = None
    database: str | None = None
    encoding: str | None = None
    started_at: datetime | None = None
    stopped_at: datetime
    size_bytes: int
    readable: bool = True

    @property
    def server_major(self) -> int | None:
        """Major version of the server that was dumped."""
        return _major(self.server_version)

    @property
    def tool_major(self) -> int | None:
        """Major version of the pg_dump that wrote the dump."""
        return _major(self.tool_version)

    @property
    def is_archive(self) -> bool:
        """Whether pg_restore reads the dump; psql reads the other forms."""
        return self.form not in {"plain", "cluster"}

    @property
    def words(self) -> str:
        """Form and compression, for example ``plain.gzip``."""
        return self.form if self.codec == "none" else f"{self.form}.{self.codec}"


def inspect(path: Path) -> DumpFile | None:
    """Return the facts of the dump at `path`; None if it is no dump of pg_dump or pg_dumpall.

    Raises:
        HarnessError: The file cannot be read, or is an archive that somebody compressed.
    """
    try:
        if path.is_dir():
            contents = path / "toc.dat"
            return _archive(path, "directory", contents) if contents.is_file() else None
        return _inspect_file(path) if path.is_file() else None
    except NotRegularError:
        return None
    except PermissionError as exc:
        raise HarnessError(
            f"{exc.filename or path} cannot be read: permission denied",
            hint="run the drill as a user who may read the backup.",
        ) from exc


def _inspect_file(path: Path) -> DumpFile | None:
    start = _start(path)
    if start.startswith(archive_header.MAGIC):
        return _archive(path, "custom", path)
    if not _is_tar(start):
        return _plain(path)
    # pg_dump writes toc.dat first. Source: src/bin/pg_dump/pg_backup_tar.c, _CloseArchive.
    return _archive(path, "tar", path) if start.startswith(b"toc.dat\0") else None


def chunks(dump: DumpFile) -> Iterator[bytes]:
    """Yield the decompressed bytes of plain SQL.

    Raises:
        BackupNotRestorable: The compressed stream is cut short or damaged.
        HarnessError: The file cannot be read.
    """
    with reading(dump.path), open_plain(dump.path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _major(version: str | None) -> int | None:
    match = _MAJOR.match(version or "")
    return int(match[1]) if match else None


def _start(path: Path) -> bytes:
    with open_regular(path) as stream:
        return stream.read(tarfile.BLOCKSIZE + archive_header.HEADER_BYTES)


def _is_tar(start: bytes) -> bool:
    offset, magic = _TAR_MAGIC
    return start[offset:].startswith(magic)


def _archive(path: Path, form: str, file: Path) -> DumpFile:
    """Return the facts of an archive; `file` contains its header."""
    start = _start(file)
    header = archive_header.parse_header(start[tarfile.BLOCKSIZE :] if form == "tar" else start)
    stopped_at = _written(file)
    if header is None:
        return DumpFile(path=path, form=form, stopped_at=stopped_at, size_bytes=_size(path))
    return DumpFile(
        path=path,
        form=form,
        server_version=header.server_version,
        tool_version=header.tool_version,
        database=header.database,
        started_at=archive_header.started_at(header, stopped_at),
        stopped_at=stopped_at,
        size_bytes=_size(path),
    )


def _plain(path: Path) -> DumpFile | None:
    """Return the facts of plain SQL; None if the file is no dump.

    Raises:
        HarnessError: The file is a compressed archive.
    """
    codec = codec_of(path)
    start = peek(path, codec)
    if start.startswith(archive_header.MAGIC) or _is_tar(start):
        raise HarnessError(
            f"{path} is a compressed archive of pg_dump's own format, which pg_restore does not"
            " read",
            hint="decompress it; the custom format is compressed by itself.",
        )
    header = parse_plain_header(start)
    readable = codec == "none" or start != b""
    if header is None and readable:
        return None
    header = header or PlainHeader(form="plain")
    return DumpFile(
        path=path,
        form=header.form,
        codec=codec,
        server_version=header.server_version,
        tool_version=header.tool_version,
        database=header.database,
        encoding=header.encoding,
        started_at=header.started_at,
        stopped_at=_written(path),
        size_bytes=_size(path),
        readable=readable,
    )


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    with os.scandir(path) as found:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in found)
