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

MAGIC = b"PGDMP"
HEADER_BYTES = 4096
"""More than the size of a header: its longest parts are a name and two version strings."""

_ALGORITHM_BYTE = (1, 15)
"""First archive version with one byte for the compression algorithm instead of a level."""

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
    reader = _Reader(data)
    try:
        if reader.take(len(MAGIC)) != MAGIC:
            return None
        version = (reader.byte(), reader.byte())
        reader.byte()  # revision
        reader.int_bytes = reader.byte()
        reader.take(2)  # size of an offset, format
        if version >= _ALGORITHM_BYTE:
            reader.byte()
        else:
            reader.integer()
        second, minute, hour, day, month, year, summer = (reader.integer() for _ in range(7))
        database, server_version, tool_version = reader.string(), reader.string(), reader.string()
        clock = datetime(  # noqa: DTZ001 - no zone is stored
            year + _YEAR_ZERO, month + 1, day, hour, minute, second
        )
    except (EOFError, ValueError):
        return None
    return ArchiveHeader(version, database, server_version, tool_version, clock, summer > 0)


def started_at(header: ArchiveHeader, latest: datetime) -> datetime | None:
    """Return when the dump began; None if the clock cannot be read so that it is before `latest`.

    The archive stores local time without a zone. The clock is read as UTC and as this machine's
    zone. Of the results before `latest`, the earlier one is returned: an earlier start means more
    data loss, so it never hides any.

    Args:
        header: The archive's header.
        latest: When the archive's file was last written.
    """
    local = datetime.fromtimestamp(time.mktime(header.clock.timetuple()), UTC)
    readings = [local] if header.daylight_saving else [local, header.clock.replace(tzinfo=UTC)]
    return min((moment for moment in readings if moment <= latest), default=None)


class _Reader:
    """Reads the values of a header one after another; raises EOFError at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)
        self.int_bytes = 4

    def take(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) != count:
            raise EOFError
        return data

    def byte(self) -> int:
        return self.take(1)[0]

    def integer(self) -> int:
        """Read a sign byte and `int_bytes` bytes, little endian."""
        sign = self.byte()
        value = int.from_bytes(self.take(self.int_bytes), "little")
        return -value if sign else value

    def string(self) -> str:
        """Read a length and as many bytes; a negative length stands for NULL."""
        length = self.integer()
        return "" if length < 0 else self.take(length).decode("utf-8", errors="backslashreplace")
