"""What a dump file is: its form and compression, what its first lines tell, and whether its end is there."""

from __future__ import annotations

import bz2
import re
import tarfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, codec_of, open_plain, reading
from pytest_pgrestore.sources.dump.reading import archive_header, toc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEEK_BYTES = 1 << 20
"""Read of a plain dump to find its facts: in a cluster dump the server's version stands behind all roles."""

TAIL_BYTES = 4096
_TAR_MAGIC = (257, b"ustar")
_TAR_BLOCK = 512
_SINGLE = b"-- PostgreSQL database dump\n"
_CLUSTER = b"-- PostgreSQL database cluster dump\n"
_TITLE_WITHIN = 2000
_VERSION = re.compile(rb"^-- Dumped from database version (.*)$", re.MULTILINE)
_TOOL = re.compile(rb"^-- Dumped by pg_dump version (.*)$", re.MULTILINE)
_STARTED = re.compile(
    rb"^-- Started on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (UTC|GMT|[+-]\d\d(?::?\d\d)?)$", re.MULTILINE
)
_ENCODING = re.compile(rb"^SET client_encoding = '([A-Za-z0-9_]+)';$", re.MULTILINE)
_MAJOR = re.compile(r"(\d+)")
# What may follow: the end of the comment, newer minors' \unrestrict, and the time with --verbose.
_CLOSING = re.compile(
    rb"^-- PostgreSQL database (cluster )?dump complete\s*\n"
    rb"(?:--(?: Completed on [^\n]*)?\n|\\unrestrict[^\n]*\n|\s)*\Z",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpFile:
    """One dump, as its own bytes describe it. None means: it does not tell.

    Attributes:
        path: File, or the directory of the directory format.
        form: ``plain``, ``cluster`` (plain SQL of pg_dumpall), ``custom``, ``tar`` or ``directory``.
        codec: How a plain one is compressed; ``none`` for the others, which compress inside.
        server_version: Of the server it was taken from.
        tool_version: Of the pg_dump that took it: an older pg_restore cannot read its archive.
        database: The database it was taken from.
        encoding: Client encoding of a plain dump.
        started_at: When it began: its data are of that moment.
        stopped_at: When the file was last written.
        size_bytes: What is stored.
        readable: Whether its beginning could be decoded.
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
        """Major version of the server it was taken from."""
        return _major(self.server_version)

    @property
    def tool_major(self) -> int | None:
        """Major version of the pg_dump that took it."""
        return _major(self.tool_version)

    @property
    def is_archive(self) -> bool:
        """Tell whether pg_restore reads it, and not psql."""
        return self.form not in {"plain", "cluster"}

    @property
    def words(self) -> str:
        """Return form and compression, e.g. ``plain.gzip``."""
        return self.form if self.codec == "none" else f"{self.form}.{self.codec}"


def inspect(path: Path) -> DumpFile | None:
    """Return what the dump at `path` is; None when it is no dump of pg_dump or pg_dumpall.

    Raises:
        HarnessError: It may not be read.
    """
    try:
        if path.is_dir():
            contents = path / "toc.dat"
            return (
                _archive(path, "directory", _start(contents), contents)
                if contents.is_file()
                else None
            )
        if not path.is_file():
            return None
        start = _start(path)
        if start.startswith(archive_header.MAGIC):
            return _archive(path, "custom", start, path)
        if _is_tar(start):
            return (
                _archive(path, "tar", start[_TAR_BLOCK:], path)
                if start.startswith(b"toc.dat\0")
                else None
            )
        return _plain(path)
    except PermissionError as exc:
        raise HarnessError(
            f"{exc.filename or path} cannot be read: permission denied",
            hint="run the drill as a user who may read the backup.",
        ) from exc


def require_complete(dump: DumpFile) -> None:
    """Look for the end of a tar archive or an uncompressed plain dump, before anything is loaded.

    The others show it when they are loaded; pg_restore waits for ever on a tar archive that is cut short.

    Raises:
        BackupNotRestorable: The end is missing.
    """
    if dump.form == "tar":
        _require_tar_end(dump.path)
    elif not dump.is_archive and dump.codec == "none":
        with dump.path.open("rb") as stream:
            stream.seek(max(0, dump.path.stat().st_size - TAIL_BYTES))
            require_closing_line(dump, stream.read())


def has_closing_line(dump: DumpFile, tail: bytes) -> bool:
    """Tell whether `tail`, the last bytes of plain SQL, ends as pg_dump or pg_dumpall ends its output."""
    match = _CLOSING.search(tail.replace(b"\r\n", b"\n"))
    return match is not None and bool(match[1]) == (dump.form == "cluster")


def require_closing_line(dump: DumpFile, tail: bytes) -> None:
    """Refuse a plain dump without its closing line: psql loads what is left of it and ends with status 0.

    Raises:
        BackupNotRestorable: It is not there.
    """
    if not has_closing_line(dump, tail):
        word = "database cluster" if dump.form == "cluster" else "database"
        raise BackupNotRestorable(
            f"{dump.path} is cut short: the closing line `-- PostgreSQL {word} dump complete` is missing",
            hint="find out why the dump or its copy ended early: disk full, a killed job, an interrupted transfer.",
        )


def chunks(dump: DumpFile) -> Iterator[bytes]:
    """Yield plain SQL decompressed.

    Raises:
        BackupNotRestorable: The compressed stream is cut short or damaged.
        HarnessError: It may not be read.
    """
    with reading(dump.path), open_plain(dump.path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _major(version: str | None) -> int | None:
    match = _MAJOR.match(version or "")
    return int(match[1]) if match else None


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_TAR_BLOCK + archive_header.HEADER_BYTES)


def _is_tar(start: bytes) -> bool:
    offset, magic = _TAR_MAGIC
    return start[offset:].startswith(magic)


def _archive(path: Path, form: str, start: bytes, written: Path) -> DumpFile:
    header = archive_header.parse_header(start)
    stopped_at = _written(written)
    return DumpFile(
        path=path,
        form=form,
        server_version=header.server_version if header else None,
        tool_version=header.tool_version if header else None,
        database=header.database if header else None,
        started_at=archive_header.started_at(header, stopped_at) if header else None,
        stopped_at=stopped_at,
        size_bytes=_size(path),
    )


def _plain(path: Path) -> DumpFile | None:
    codec = codec_of(path)
    start = peek(path, codec)
    if start.startswith(archive_header.MAGIC) or _is_tar(start):
        raise HarnessError(
            f"{path} is a compressed archive of pg_dump's own format, which pg_restore does not read",
            hint="decompress it; the custom format is compressed by itself.",
        )
    title = start[:_TITLE_WITHIN].replace(b"\r\n", b"\n")
    unreadable = codec != "none" and not start
    if _CLUSTER not in title and _SINGLE not in title and not unreadable:
        return None
    facts = (_first(pattern, start) for pattern in (_VERSION, _TOOL, _STARTED, _ENCODING))
    version, tool, started, encoding = facts
    form = "cluster" if _CLUSTER in title else "plain"
    return DumpFile(
        path=path,
        form=form,
        codec=codec,
        server_version=version,
        tool_version=tool,
        database=toc.database_of(start.decode("utf-8", errors="replace"))
        if form == "plain"
        else None,
        encoding=encoding,
        started_at=_moment(started),
        stopped_at=_written(path),
        size_bytes=_size(path),
        readable=not unreadable,
    )


def peek(path: Path, codec: str, count: int = PEEK_BYTES) -> bytes:
    """Return up to about `count` decompressed bytes of the beginning, also of a file that is cut short."""
    import lz4.frame
    import zstandard

    with path.open("rb") as stream:
        raw = stream.read(count)
    try:
        match codec:
            case "gzip":
                return zlib.decompressobj(wbits=31).decompress(raw, count)
            case "bzip2":
                return bz2.BZ2Decompressor().decompress(raw, count)
            case "lz4":
                return bytes(lz4.frame.LZ4FrameDecompressor().decompress(raw, count))
            case "zstd":
                return zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    except (OSError, ValueError, EOFError, RuntimeError, zlib.error, zstandard.ZstdError):
        return b""
    return raw


def _first(pattern: re.Pattern[bytes], text: bytes) -> str | None:
    match = pattern.search(text.replace(b"\r\n", b"\n"))
    return b" ".join(match.groups()).decode("utf-8", errors="replace") if match else None


def _moment(text: str | None) -> datetime | None:
    """Return the time `--verbose` writes; other zones than UTC and offsets are abbreviations nobody can resolve."""
    if text is None:
        return None
    return datetime.fromisoformat(
        re.sub(r" (?:UTC|GMT)$", "+00:00", text).replace(" +", "+").replace(" -", "-")
    )


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(entry.stat().st_size for entry in path.rglob("*") if entry.is_file())
    return path.stat().st_size


def _require_tar_end(path: Path) -> None:
    try:
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
            end = (
                members[-1].offset_data + -(-members[-1].size // _TAR_BLOCK) * _TAR_BLOCK
                if members
                else 0
            )
    except (tarfile.TarError, EOFError, IndexError):
        members, end = [], 0
    # pg_dump writes restore.sql last, then two empty blocks.
    complete = (
        bool(members)
        and members[-1].name == "restore.sql"
        and path.stat().st_size >= end + 2 * _TAR_BLOCK
    )
    if not complete:
        raise BackupNotRestorable(
            f"{path} is cut short: the tar archive has no end",
            hint="find out why the dump or its copy ended early: disk full, a killed job, an interrupted transfer.",
        )
