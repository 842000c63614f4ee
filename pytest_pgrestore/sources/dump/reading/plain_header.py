"""Reading the first lines of plain SQL of pg_dump or pg_dumpall, compressed or not.

Source: src/bin/pg_dump/pg_backup_archiver.c, RestoreArchive, and pg_dumpall.c, main, write the
comments.
"""

from __future__ import annotations

import bz2
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.codecs import WINDOW_BYTES, open_plain, reading
from pytest_pgrestore.sources.dump.reading import entries
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

PEEK_BYTES = 1 << 20
"""Bytes read for the facts. A cluster dump has all roles before the server's version."""

_TITLE = re.compile(rb"^-- PostgreSQL database (cluster )?dump$", re.MULTILINE)
_TITLE_WITHIN = 2000
"""Bytes that must contain the title."""

_VERSION = re.compile(rb"^-- Dumped from database version (.{1,200})$", re.MULTILINE)
_TOOL = re.compile(rb"^-- Dumped by pg_dump version (.{1,200})$", re.MULTILINE)
_STARTED = re.compile(rb"^-- Started on (.{1,100})$", re.MULTILINE)  # with --verbose only
_ENCODING = re.compile(rb"^SET client_encoding = '([A-Za-z0-9_]{1,63})';$", re.MULTILINE)
# The first lines with an object's SQL or comment: what follows can hold any text.
_OBJECTS = re.compile(
    rb"^(?:-- (?:Data for )?Name: |CREATE (?!DATABASE )|COPY |INSERT |ALTER |COMMENT )",
    re.MULTILINE,
)
_FIRST_ENTRY = re.compile(rb"^-- (Data for )?Name: [^\n]*; Type: [^\n]*$", re.MULTILINE)
_CREATES = re.compile(rb"^CREATE DATABASE (\"(?:[^\"\n]|\"\")+\"|[^\s;\"]+)", re.MULTILINE)
# What pg_dump and pg_dumpall set first. Source: _doSetFixedOutputState of
# src/bin/pg_dump/pg_backup_archiver.c, and main of pg_dumpall.c.
_SETTING = re.compile(
    rb"SET (?:statement_timeout|lock_timeout|idle_in_transaction_session_timeout"
    rb"|transaction_timeout|client_encoding|standard_conforming_strings|check_function_bodies"
    rb"|client_min_messages|session_replication_role|(?P<cluster>default_transaction_read_only))\b"
)
IS_SQL = re.compile(
    rb"--|/\*|\\|(?:ABORT|ALTER|ANALYSE|ANALYZE|BEGIN|CALL|CHECKPOINT|CLOSE|CLUSTER|COMMENT|COMMIT"
    rb"|COPY|CREATE|DEALLOCATE|DECLARE|DELETE|DISCARD|DO|DROP|END|EXECUTE|EXPLAIN|FETCH|GRANT"
    rb"|IMPORT|INSERT|LISTEN|LOAD|LOCK|MERGE|MOVE|NOTIFY|PREPARE|REASSIGN|REFRESH|REINDEX|RELEASE"
    rb"|RESET|REVOKE|ROLLBACK|SAVEPOINT|SECURITY|SELECT|SET|SHOW|START|TABLE|TRUNCATE|UNLISTEN"
    rb"|UPDATE|VACUUM|VALUES|WITH)\b",
    re.IGNORECASE,
)
_MARK = b"\xef\xbb\xbf"
"""Byte order mark of UTF-8, which psql skips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainHeader:
    """The facts in the first lines of plain SQL. None means that they do not contain a fact.

    Attributes:
        form: ``plain`` for pg_dump, ``cluster`` for pg_dumpall.
        server_version: Version of the server that was dumped.
        tool_version: Version of the pg_dump that wrote the dump.
        database: The database that the dump creates; None without --create.
        encoding: Client encoding of the dump.
        started: When the dump began, in its own words.
        is_titled: Whether it begins as its tool writes it. Some remove the comments.
        rows_only: Whether its first entry is of rows, so it has no definitions.
        junk_line: Number of the first line before the title that is no SQL; None without one.
    """

    form: str
    server_version: str | None = None
    tool_version: str | None = None
    database: str | None = None
    encoding: str | None = None
    started: str | None = None
    is_titled: bool = True
    rows_only: bool = False
    junk_line: int | None = None


def parse_plain_header(start: bytes) -> PlainHeader | None:
    """Return the facts in the first bytes of plain SQL; None if they are of no dump."""
    start = start.removeprefix(_MARK).replace(b"\r\n", b"\n")
    title = _TITLE.search(start[:_TITLE_WITHIN])
    setting = None if title is not None else _first_setting(start)
    if title is None and setting is None:
        return None
    is_cluster = bool(title[1]) if title is not None else bool(setting and setting["cluster"])
    objects = _OBJECTS.search(start)
    head = start if objects is None else start[: objects.start()]
    first = _FIRST_ENTRY.search(start)
    return PlainHeader(
        form="cluster" if is_cluster else "plain",
        # A cluster's dump has all roles before the versions.
        server_version=_first(_VERSION, start if is_cluster else head),
        tool_version=_first(_TOOL, start if is_cluster else head),
        database=None if is_cluster else _database(first, head),
        encoding=_first(_ENCODING, head),
        started=_first(_STARTED, head),
        is_titled=title is not None,
        rows_only=first is not None and bool(first[1]),
        junk_line=_junk_line(start[: title.start()]) if title is not None else None,
    )


def _first_setting(start: bytes) -> re.Match[bytes] | None:
    """Return the first statement if a dump without comments begins with it."""
    for line in start[:_TITLE_WITHIN].split(b"\n"):
        if line.strip() and not line.startswith((b"--", b"\\restrict ")):
            return _SETTING.match(line)
    return None


def _junk_line(lead: bytes) -> int | None:
    for number, line in enumerate(lead.split(b"\n"), 1):
        if line.strip():
            return None if IS_SQL.match(line.lstrip()) else number
    return None


def _database(first: re.Match[bytes] | None, head: bytes) -> str | None:
    """Return the database that the dump creates: that is its first entry or statement."""
    if first is not None:
        entry = entries.entry_of(first[0].decode("utf-8", errors="replace"))
        return entry.name if entry is not None and entry.type == "DATABASE" else None
    match = _CREATES.search(head)
    if match is None:
        return None
    name = match[1].decode("utf-8", errors="replace")
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def peek(path: Path, codec: str, count: int = PEEK_BYTES) -> bytes:
    """Return about `count` decompressed bytes of the beginning, of a truncated file, too.

    The result is empty if the beginning cannot be decompressed.
    """
    import lzma
    import zipfile

    import zstandard

    with open_regular(path) as stream:
        raw = stream.read(count)
    if codec == "none":
        return raw
    try:
        if codec == "zip":  # its table of contents is at its end
            with open_plain(path) as plain:
                return plain.read(count)
        return _decoded(raw, codec, count)
    except (
        *(OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile),
        *(zlib.error, zstandard.ZstdError, lzma.LZMAError),
    ):
        return b""


def lacking_here(path: Path) -> HarnessError | None:
    """Return what this machine lacks to decompress a file; None if the file is at fault."""
    try:
        with reading(path), open_plain(path) as stream:
            stream.read(1)
    except HarnessError as exc:
        return exc
    except BackupNotRestorable:
        return None
    return None


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
