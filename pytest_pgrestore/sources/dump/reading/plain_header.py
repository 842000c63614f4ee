"""Reading the first lines of plain SQL of pg_dump or pg_dumpall, compressed or not.

Source: src/bin/pg_dump/pg_backup_archiver.c, RestoreArchive, and pg_dumpall.c, main, write the
comments.
"""

from __future__ import annotations

import bz2
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.sources.codecs import WINDOW_BYTES
from pytest_pgrestore.sources.dump.reading import entries
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

PEEK_BYTES = 1 << 20
"""Bytes read for the facts. A cluster dump has all roles before the server's version."""

_SINGLE = b"-- PostgreSQL database dump\n"
_CLUSTER = b"-- PostgreSQL database cluster dump\n"
_TITLE_WITHIN = 2000
"""Bytes that must contain the title."""

_VERSION = re.compile(rb"^-- Dumped from database version (.{1,200})$", re.MULTILINE)
_TOOL = re.compile(rb"^-- Dumped by pg_dump version (.{1,200})$", re.MULTILINE)
# With --verbose only. Other zones than these are abbreviations, which may name several zones.
_STARTED = re.compile(
    rb"^-- Started on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (UTC|GMT|[+-]\d\d(?::?\d\d)?)$", re.MULTILINE
)
_ENCODING = re.compile(rb"^SET client_encoding = '([A-Za-z0-9_]{1,63})';$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainHeader:
    """The facts in the first lines of plain SQL. None means that they do not contain a fact.

    Attributes:
        form: ``plain`` for pg_dump, ``cluster`` for pg_dumpall.
        server_version: Version of the server that was dumped.
        tool_version: Version of the pg_dump that wrote the dump.
        database: The database that the dump creates; None without --create.
        encoding: Client encoding of the dump.
        started_at: When the dump began.
    """

    form: str
    server_version: str | None = None
    tool_version: str | None = None
    database: str | None = None
    encoding: str | None = None
    started_at: datetime | None = None


def parse_plain_header(start: bytes) -> PlainHeader | None:
    """Return the facts in the first bytes of plain SQL; None if they are of no dump."""
    start = start.replace(b"\r\n", b"\n")
    title = start[:_TITLE_WITHIN]
    if _CLUSTER in title:
        form, database = "cluster", None
    elif _SINGLE in title:
        form, database = "plain", entries.database_of(start.decode("utf-8", errors="replace"))
    else:
        return None
    return PlainHeader(
        form=form,
        server_version=_first(_VERSION, start),
        tool_version=_first(_TOOL, start),
        database=database,
        encoding=_first(_ENCODING, start),
        started_at=_moment(_first(_STARTED, start)),
    )


def peek(path: Path, codec: str, count: int = PEEK_BYTES) -> bytes:
    """Return about `count` decompressed bytes of the beginning, of a truncated file, too.

    The result is empty if the beginning cannot be decompressed.
    """
    import lzma

    import zstandard

    with open_regular(path) as stream:
        raw = stream.read(count)
    if codec == "none":
        return raw
    try:
        return _decoded(raw, codec, count)
    except (
        *(OSError, ValueError, EOFError, RuntimeError),
        *(zlib.error, zstandard.ZstdError, lzma.LZMAError),
    ):
        return b""


def _decoded(raw: bytes, codec: str, count: int) -> bytes:
    import lzma

    import lz4.frame
    import zstandard

    match codec:
        case "gzip":
            # zlib manual, inflateInit2: 16 + 15 means a gzip header and the largest window.
            return zlib.decompressobj(wbits=31).decompress(raw, count)
        case "bzip2":
            return bz2.BZ2Decompressor().decompress(raw, count)
        case "xz":
            return lzma.LZMADecompressor(memlimit=WINDOW_BYTES).decompress(raw, count)
        case "lz4":
            return bytes(lz4.frame.LZ4FrameDecompressor().decompress(raw, count))
        case _:
            decoder = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
            with decoder.stream_reader(raw) as plain:
                return plain.read(count)


def _first(pattern: re.Pattern[bytes], text: bytes) -> str | None:
    match = pattern.search(text)
    return b" ".join(match.groups()).decode("utf-8", errors="replace") if match else None


def _moment(text: str | None) -> datetime | None:
    """Return the time of the line ``-- Started on``."""
    if text is None:
        return None
    spelled = re.sub(r" (?:UTC|GMT)$", "+00:00", text).replace(" +", "+").replace(" -", "-")
    try:
        return datetime.fromisoformat(spelled)
    except ValueError:
        return None  # a date or zone that does not exist
