"""Tablespaces created after the backup began: replay would write to production's directories.

The WAL record of CREATE TABLESPACE names a path of production's host. If that path exists on this
machine, recovery uses it: it changes the directory's permissions, links to it and writes the copy's
files over production's. So the path is removed from the staged copy of the record. The server reads
an empty path as a tablespace "in place", inside the data directory.

Source: src/backend/commands/tablespace.c, tblspc_redo and create_tablespace_directories (an empty
location is in place in 15 and later, and in the minor releases since August 2022 of 14 and older);
src/include/access/xlogrecord.h.
"""

from __future__ import annotations

import os
import re
import struct
from typing import IO, TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.wal import Lsn, Segment, is_segment_name
from pytest_pgrestore.sources.wal import waldump
from pytest_pgrestore.sources.wal.segments import WalFile
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sandboxes.protocol import Sandbox

# The path is read from the record: pg_waldump prints it unquoted, and it may contain line ends.
_MADE = re.compile(r"lsn: ([0-9A-F]{1,8}/[0-9A-F]{1,8}),.*?desc: CREATE (\d+) ")
_PAGE_BYTES = 8192
_SHORT_HEADER_BYTES = 24
_LONG_HEADER_BYTES = 40
_RECORD_HEADER_BYTES = 24
_CHECKSUM_AT = 20
_LARGEST_RECORD_BYTES = 4096
"""Bytes of the record of CREATE TABLESPACE: its headers, and a path of at most MAXPGPATH, 1,024."""

_MOST_RECORDS = 1000
"""Records about tablespaces after a backup began. Each is changed by hand and named in a note."""

_OID_BYTES = 4
_LENGTH_OF_HEADER = {0xFC: 4, 0xFD: 2}
"""Bytes after the markers XLR_BLOCK_ID_TOPLEVEL_XID and XLR_BLOCK_ID_ORIGIN."""

_LENGTH_OF_LENGTH = {0xFE: 4, 0xFF: 1}
"""Bytes of the length after XLR_BLOCK_ID_DATA_LONG and XLR_BLOCK_ID_DATA_SHORT."""

_CASTAGNOLI = 0x82F63B78
_ALL_ONES = 0xFFFFFFFF


def keep_inside(sandbox: Sandbox, start: Lsn | None, segment_bytes: int) -> list[str]:
    """Remove the paths of tablespaces from the WAL staged in ``sandbox.data/pg_wal``.

    Args:
        sandbox: Contains the staged WAL. Its files are no links to other files.
        start: Where replay begins; None begins at the first segment.
        segment_bytes: Size of a segment.

    Returns:
        A sentence for each removed path.

    Raises:
        HarnessError: A record cannot be changed, so the copy must not be started.
    """
    files = _staged(sandbox.data / "pg_wal", segment_bytes)
    if start is not None:
        files = {number: file for number, file in files.items() if number >= start // segment_bytes}
    notes = []
    ordered = [files[number] for number in sorted(files)]
    lines = waldump.lines_of(
        ordered, sandbox.programs, "Tablespace", start=start, most=_MOST_RECORDS
    )
    if len(lines) > _MOST_RECORDS:
        # Not read in parts: a path may look like a line that names a later position.
        raise HarnessError(
            f"production made or dropped {_MOST_RECORDS} tablespaces or more after the backup"
            " began, and no more than that are kept inside the sandbox",
            hint="take a new base backup, which holds the tablespaces from their beginning.",
        )
    for line in lines:
        match = _MADE.search(line)
        if match is None:
            continue
        path = _StagedRecord(files, Lsn.parse(match[1]), segment_bytes).without_path()
        if path:
            notes.append(
                f"tablespace {match[2]}, which production made at {path} after the backup began,"
                " lies inside the data directory of the copy"
            )
    return notes


def _staged(folder: Path, segment_bytes: int) -> dict[int, WalFile]:
    """Return the segment a server reads for each number: the one of the newest timeline."""
    names = sorted(path.name for path in folder.iterdir() if is_segment_name(path.name))
    return {
        Segment.parse(name, segment_bytes).number: WalFile(name, folder / name) for name in names
    }


class _StagedRecord:
    """One WAL record in staged files. It may span pages and segments."""

    def __init__(self, files: dict[int, WalFile], lsn: Lsn, segment_bytes: int) -> None:
        self._files = files
        self._lsn = lsn
        self._segment_bytes = segment_bytes

    def without_path(self) -> str:
        """Empty the path at the record's end and correct the record's checksum; return the path.

        Raises:
            HarnessError: The record has another layout than expected.
        """
        size = int.from_bytes(self._read(4), "little")
        record = bytearray(
            self._read(size) if _RECORD_HEADER_BYTES < size <= _LARGEST_RECORD_BYTES else b""
        )
        begin = _path_begins(record) if len(record) == size else 0
        if not begin or _stored(record) != checksum(record):
            raise HarnessError(
                "production made a tablespace after the backup began, and its WAL record at"
                f" {self._lsn} cannot be pointed into the sandbox: recovery would write to"
                " production's path on this machine",
                hint="take a new base backup, which holds the tablespace from its beginning.",
            )
        path = record[begin:].partition(b"\0")[0].decode(errors="backslashreplace")
        if path:
            record[begin] = 0
            struct.pack_into("<I", record, _CHECKSUM_AT, checksum(record))
            self._write(bytes(record))
        return path

    def _places(self, size: int) -> list[tuple[WalFile, int, int]]:
        """Return the pieces of the record between page headers: file, offset and length."""
        position, found = int(self._lsn), []
        while size > 0:
            number, offset = divmod(position, self._segment_bytes)
            if offset % _PAGE_BYTES == 0:
                position += _SHORT_HEADER_BYTES if offset else _LONG_HEADER_BYTES
                continue
            length = min(size, _PAGE_BYTES - offset % _PAGE_BYTES)
            if number not in self._files:
                break
            found.append((self._files[number], offset, length))
            position, size = position + length, size - length
        return found

    def _read(self, size: int) -> bytes:
        parts = []
        for file, offset, length in self._places(size):
            with open_regular(file.path, follow=False) as stream:
                stream.seek(offset)
                parts.append(stream.read(length))
        return b"".join(parts)

    def _write(self, record: bytes) -> None:
        done = 0
        for file, offset, length in self._places(len(record)):
            with _open_for_change(file.path) as stream:
                stream.seek(offset)
                stream.write(record[done : done + length])
            done += length


def _open_for_change(path: Path) -> IO[bytes]:
    """Open a staged segment to change its middle. A link, which a server may make, is refused."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags), "r+b")


def _path_begins(record: bytes | bytearray) -> int:
    """Return where the path begins: after all headers and the tablespace's OID; 0 if unknown."""
    place = _RECORD_HEADER_BYTES
    while place < len(record) - 1:
        kind, place = record[place], place + 1
        if kind in _LENGTH_OF_HEADER:
            place += _LENGTH_OF_HEADER[kind]
        elif kind in _LENGTH_OF_LENGTH:
            length = int.from_bytes(record[place : place + _LENGTH_OF_LENGTH[kind]], "little")
            place += _LENGTH_OF_LENGTH[kind]
            return (
                place + _OID_BYTES if place + length == len(record) and length > _OID_BYTES else 0
            )
        else:
            return 0
    return 0


def _stored(record: bytes | bytearray) -> int:
    return int.from_bytes(record[_CHECKSUM_AT:_RECORD_HEADER_BYTES], "little")


def checksum(record: bytes | bytearray) -> int:
    """Return the CRC-32C of a WAL record: of its data, then of its header up to the checksum.

    Source: src/backend/access/transam/xloginsert.c, XLogRecordAssemble.
    """
    value = _ALL_ONES
    for byte in (*record[_RECORD_HEADER_BYTES:], *record[:_CHECKSUM_AT]):
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (_CASTAGNOLI if value & 1 else 0)
    return value ^ _ALL_ONES
