"""What a dump is: its format, what its first lines tell, and whether it ends as it should.

Source: PostgreSQL docs, pg_dump and pg_dumpall; the archive formats' magic in pg_backup_archiver.c.
"""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, codec_of, open_plain, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD_BYTES = 64 * 1024
TAIL_BYTES = 4096
"""Closing lines stand in the last few hundred bytes, also with psql's \\unrestrict line behind them."""

_FROM = re.compile(r"Dumped from database version:? (\d+)")
_BY = re.compile(r"Dumped by (?:pg_dump|pg_dumpall) version:? (\d+)")
_STARTED = re.compile(r"^-- Started on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (UTC|GMT)$", re.MULTILINE)
_CREATE = re.compile(r"^CREATE DATABASE (\"(?:[^\"]|\"\")+\"|\S+) WITH", re.MULTILINE)
_CLOSING = {
    "plain": b"-- PostgreSQL database dump complete",
    "cluster": b"-- PostgreSQL database cluster dump complete",
}
_TAR_END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True, slots=True)
class DumpFile:
    """One dump as it lies there.

    Attributes:
        path: File, or directory of the directory format.
        form: ``plain``, ``cluster`` (pg_dumpall), ``custom``, ``directory`` or ``tar``.
        codec: How the whole file is compressed from outside, e.g. ``gzip``; ``none`` for an archive's own compression.
        head: The first lines of a text dump; empty for archives.
    """

    path: Path
    form: str
    codec: str
    head: str = ""

    @property
    def text(self) -> bool:
        """Whether psql loads it, and not pg_restore."""
        return self.form in _CLOSING

    @property
    def creates(self) -> str | None:
        """Name of the database that a plain dump creates itself; None when it creates none."""
        match = _CREATE.search(self.head) if self.form == "plain" else None
        return match[1].strip('"').replace('""', '"') if match else None

    def described(self) -> str:
        """Return the form in words, for catalogue and reports."""
        return self.form if self.codec == "none" else f"{self.form}, {self.codec}"

    def size_bytes(self) -> int:
        """Return what is stored."""
        if self.path.is_dir():
            return sum(entry.stat().st_size for entry in self.path.iterdir())
        return self.path.stat().st_size


def sniff(path: Path) -> DumpFile | None:
    """Return what `path` is, by its content and not by its name; None when it is no dump.

    Raises:
        HarnessError: It cannot be read.
        BackupNotRestorable: It is compressed, and damaged in its first bytes.
    """
    with reading(path):
        if path.is_dir():
            return DumpFile(path, "directory", "none") if (path / "toc.dat").is_file() else None
        codec = codec_of(path)
        with open_plain(path) as stream:
            head = stream.read(HEAD_BYTES)
    if head.startswith(b"PGDMP"):
        return DumpFile(path, "custom", codec)
    if head[257:262] == b"ustar" and head.startswith(b"toc.dat\0"):
        return DumpFile(path, "tar", codec)
    text = head.decode("utf-8", errors="backslashreplace")
    if "-- PostgreSQL database cluster dump" in text:
        return DumpFile(path, "cluster", codec, text)
    return DumpFile(path, "plain", codec, text) if "-- PostgreSQL database dump" in text else None


def majors(text: str) -> tuple[int | None, int | None]:
    """Return the major of the server dumped from, and of the tool that dumped, as a header or listing tells."""
    origin, tool = _FROM.search(text), _BY.search(text)
    return (int(origin[1]) if origin else None), (int(tool[1]) if tool else None)


def started_at(head: str) -> datetime | None:
    """Return when a text dump began; only dumps taken with --verbose tell."""
    match = _STARTED.search(head)
    return datetime.fromisoformat(match[1]).replace(tzinfo=UTC) if match else None


def require_whole(dump: DumpFile) -> None:
    """See that the end is there, where that can be seen without reading the whole.

    psql ends with status 0 on a plain dump that was cut between two lines, and pg_restore hangs for ever on a
    tar that was cut.

    Raises:
        BackupNotRestorable: The dump is cut short.
    """
    if dump.codec != "none" or dump.path.is_dir():
        return
    with dump.path.open("rb") as stream:
        stream.seek(max(0, dump.path.stat().st_size - TAIL_BYTES))
        tail = stream.read()
    if dump.text:
        require_closing(dump, tail)
    if dump.form == "tar" and not tail.endswith(_TAR_END):
        raise _cut(dump, "its tar has no end")


def require_closing(dump: DumpFile, tail: bytes) -> None:
    """See that a text dump's last bytes hold the line that pg_dump writes last.

    Raises:
        BackupNotRestorable: They do not.
    """
    if _CLOSING[dump.form] not in tail:
        raise _cut(dump, f"its closing line {_CLOSING[dump.form].decode()!r} is missing")


def chunks(dump: DumpFile) -> Iterator[bytes]:
    """Yield a text dump decompressed, and see at the end that the end is there.

    Raises:
        BackupNotRestorable: It is cut short or damaged.
    """
    tail = b""
    with reading(dump.path), open_plain(dump.path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            tail = (tail + chunk)[-TAIL_BYTES:]
            yield chunk
    require_closing(dump, tail)


def _cut(dump: DumpFile, why: str) -> BackupNotRestorable:
    return BackupNotRestorable(
        f"{dump.path} is cut short: {why}", hint="find out where pg_dump or the copy of its file was interrupted."
    )
