"""What a dump file is: its form, its compression, and the facts in its first bytes."""

from __future__ import annotations

import os
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, codec_of, open_plain, reading
from pytest_pgrestore.sources.dump.reading import archive_header, moments
from pytest_pgrestore.sources.dump.reading.moments import Moment
from pytest_pgrestore.sources.dump.reading.plain_header import (
    PlainHeader,
    parse_plain_header,
    peek,
)
from pytest_pgrestore.system.regular_file import NotRegularError, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_TAR_MAGIC = (257, b"ustar")
"""Offset and value of the magic field of a tar header (POSIX, pax, "ustar Interchange Format")."""

_FIRST_IN_TAR = b"toc.dat\0"
"""Name of the first member. Source: src/bin/pg_dump/pg_backup_tar.c, _CloseArchive."""

_MAJOR = re.compile(r"([0-9]{1,4})(?![0-9])")
_RELEASE = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?")
_NAMES_PARENTS = (9, 6)
_CLOCK = (
    "the archive's clock, which stores no zone: {} is the earliest moment before the file's time"
    " that it can mean"
)
_LATE = "the archive's clock, which is later than the file's time and stores no zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpFile:
    """One dump, as its own bytes describe it. None means that they do not contain a fact.

    Attributes:
        path: A file, or the directory of a dump in directory format.
        form: ``plain``, ``cluster`` (plain SQL of pg_dumpall), ``custom``, ``tar`` or
            ``directory``.
        codec: Compression of plain SQL; ``none`` for the other forms, which compress inside.
        stored: The file of the backup, if `path` is what it was decrypted to.
        encrypted: What encrypted the stored file; empty if nothing did.
        server_version: Version of the server that was dumped.
        tool_version: Version of the pg_dump that wrote the dump. An older pg_restore cannot read
            its archive.
        database: The database that was dumped.
        encoding: Client encoding of a plain dump.
        moment: When the dump began, by whose word; None if nobody says so. Its data are of that
            moment.
        written_at: When the file was last written, which proves nothing: a copy is new.
        size_bytes: Size of the stored files.
        readable: Whether the beginning could be decompressed.
        is_titled: Whether plain SQL begins as its tool writes it. Some remove the comments.
        rows_only: Whether plain SQL has rows and no definitions.
        junk_line: Number of the first line before the title that is no SQL; None without one.
    """

    path: Path
    form: str
    codec: str = "none"
    stored: Path | None = None
    encrypted: str = ""
    server_version: str | None = None
    tool_version: str | None = None
    database: str | None = None
    encoding: str | None = None
    moment: Moment | None = None
    written_at: datetime
    size_bytes: int
    readable: bool = True
    is_titled: bool = True
    rows_only: bool = False
    junk_line: int | None = None

    @property
    def location(self) -> Path:
        """The file or directory of the backup."""
        return self.stored or self.path

    @property
    def started_at(self) -> datetime | None:
        """When the dump began; None if that is not known."""
        return self.moment.at if self.moment is not None else None

    @property
    def names_parents(self) -> bool:
        """Whether the entry of a constraint, trigger, rule, policy or default names its table.

        Source: pg_dump.c since PostgreSQL 9.6.
        """
        match = _RELEASE.match(self.tool_version or "")
        return match is None or (int(match[1]), int(match[2] or 0)) >= _NAMES_PARENTS

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
        """Form, compression and encryption, for example ``plain.gzip``."""
        form = self.form if self.codec == "none" else f"{self.form}.{self.codec}"
        return f"{form}, encrypted ({self.encrypted})" if self.encrypted else form


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
    return _archive(path, "tar", path) if start.startswith(_FIRST_IN_TAR) else None


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
    written_at = _written(file)
    if header is None:
        return DumpFile(path=path, form=form, written_at=written_at, size_bytes=_size(path))
    at = archive_header.started_at(header, written_at)
    return DumpFile(
        path=path,
        form=form,
        server_version=header.server_version,
        tool_version=header.tool_version,
        database=header.database,
        moment=Moment(at, _LATE if at is None else _CLOCK.format(at.isoformat())),
        written_at=written_at,
        size_bytes=_size(path),
    )


def _plain(path: Path) -> DumpFile | None:
    """Return the facts of plain SQL; None if the file is no dump.

    Raises:
        HarnessError: The file is a compressed archive.
    """
    codec = codec_of(path)
    start = peek(path, codec)
    if _is_tar(start) and not start.startswith(_FIRST_IN_TAR):
        return None
    if start.startswith((archive_header.MAGIC, _FIRST_IN_TAR)):
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
        moment=moments.started_on(header.started) if header.started is not None else None,
        written_at=_written(path),
        size_bytes=_size(path),
        readable=readable,
        is_titled=header.is_titled,
        rows_only=header.rows_only,
        junk_line=header.junk_line,
    )


def _written(path: Path) -> datetime:
    return moments.file_time(path.stat().st_mtime)


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    with os.scandir(path) as found:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in found)
