"""Reading the first bytes of a pg_dump archive without any tool.

They are at the start of a dump in custom format, and of the toc.dat of the other formats. Source:
WriteHead, WriteInt and WriteStr of src/bin/pg_dump/pg_backup_archiver.c; archive versions 1.12 to
1.16.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

MAGIC = b"PGDMP"
HEADER_BYTES = 4096
"""More than the size of a header: its longest parts are a name and two version strings."""

_ALGORITHM_BYTE = (1, 15)
"""First archive version with one byte for the compression algorithm instead of a level."""

_SKIPPED_BYTES = 1 << 16
"""Bytes held of a string that is not wanted."""

_YEAR_ZERO = 1900
"""pg_dump stores `tm_year` of C's struct tm."""


@dataclass(frozen=True, slots=True)
class ArchiveHeader:
    """The facts in an archive's header.

    Attributes:
        version: Version of the archive's format, for example ``(1, 15)``.
        database: The database that was dumped.
        server_version: Version of the server that was dumped.
        tool_version: Version of the pg_dump that wrote the archive.
        clock: When the dump began, in local time of pg_dump's machine. The zone is not stored.
        daylight_saving: Whether `clock` is daylight saving time. Then it is not UTC.
    """

    version: tuple[int, int]
    database: str
    server_version: str
    tool_version: str
    clock: datetime
    daylight_saving: bool


def parse_header(data: bytes) -> ArchiveHeader | None:
    """Return the header of an archive; None if it is cut short or has another layout."""
    try:
        return read_header(ValueReader(io.BytesIO(data)))
    except (EOFError, ValueError):
        return None


def read_header(reader: ValueReader) -> ArchiveHeader:
    """Read the header of an archive.

    Raises:
        EOFError: It is cut short, or no header.
        ValueError: Its values make no sense.
    """
    if reader.take(len(MAGIC)) != MAGIC:
        raise ValueError(MAGIC)
    version = (reader.byte(), reader.byte())
    reader.byte()  # revision
    reader.int_bytes = reader.byte()
    reader.take(2)  # size of an offset, format
    if version >= _ALGORITHM_BYTE:
        reader.byte()
    else:
        reader.integer()
    second, minute, hour, day, month, year, summer = (reader.integer() for _ in range(7))
    database, server_version, tool_version = (reader.string(HEADER_BYTES) for _ in range(3))
    clock = _clock(year, month, day, hour, minute, second)
    return ArchiveHeader(version, database, server_version, tool_version, clock, summer > 0)


def _clock(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime:
    try:
        return datetime(  # noqa: DTZ001 - no zone is stored
            year + _YEAR_ZERO, month + 1, day, hour, minute, second
        )
    except OverflowError as exc:  # of numbers beyond C's int
        raise ValueError(str(exc)) from exc


def started_at(header: ArchiveHeader, latest: datetime) -> datetime | None:
    """Return when the dump began; None if the clock cannot be read so that it is before `latest`.

    The archive stores local time without a zone. The clock is read as UTC and as this machine's
    zone. Of the results before `latest`, the earlier one is returned: an earlier start means more
    data loss, so it never hides any.

    Args:
        header: The archive's header.
        latest: When the archive's file was last written.
    """
    try:
        local = datetime.fromtimestamp(time.mktime(header.clock.timetuple()), UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a year that this machine's clock does not know
    readings = [local] if header.daylight_saving else [local, header.clock.replace(tzinfo=UTC)]
    return min((moment for moment in readings if moment <= latest), default=None)


class ValueReader:
    """Reads the values of an archive one after another; raises EOFError at the end of the data.

    Args:
        stream: The archive, from its beginning.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.int_bytes = 4
        self._stream = stream

    def take(self, count: int) -> bytes:
        """Read `count` bytes."""
        data = self._stream.read(count)
        if len(data) != count:
            raise EOFError
        return data

    def byte(self) -> int:
        """Read one byte."""
        return self.take(1)[0]

    def integer(self) -> int:
        """Read a sign byte and `int_bytes` bytes, little endian."""
        sign = self.byte()
        value = int.from_bytes(self.take(self.int_bytes), "little")
        return -value if sign else value

    def string(self, limit: int) -> str:
        """Read a length and as many bytes; a negative length stands for NULL.

        Raises:
            ValueError: It has more than `limit` bytes.
        """
        length = self.integer()
        if length > limit:
            raise ValueError(length)
        return "" if length < 0 else self.take(length).decode("utf-8", errors="backslashreplace")

    def skip_string(self) -> bool:
        """Read past a string, without holding it; return whether it is not NULL."""
        return self.skip_bytes() >= 0

    def skip_bytes(self) -> int:
        """Read past a string, without holding it; return its length, negative for NULL."""
        length = left = self.integer()
        while left > 0:
            left -= len(self.take(min(left, _SKIPPED_BYTES)))
        return length
