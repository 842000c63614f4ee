"""Reading the first bytes of a pg_dump archive (custom format, or the toc.dat of the others) without any tool.

Source: WriteHead, WriteInt and WriteStr of src/bin/pg_dump/pg_backup_archiver.c; the same from 1.12 to 1.16.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from datetime import UTC, datetime

MAGIC = b"PGDMP"
HEADER_BYTES = 4096
"""More than a header takes: its longest parts are a database name and two version strings."""

_ALGORITHM_BYTE = (1, 15)
"""Archive version that replaced the compression level by one byte for the algorithm."""

_YEAR_ZERO = 1900


@dataclass(frozen=True, slots=True)
class ArchiveHeader:
    """What an archive says about itself.

    Attributes:
        version: Of the archive's format, e.g. ``1.15``.
        database: Where it was taken from.
        server_version: Of that server.
        tool_version: Of the pg_dump that took it.
        clock: When the dump began, by the wall clock of the machine it ran on; its zone is not stored.
        daylight_saving: Whether that clock stood on summer time, so that it cannot have been UTC.
    """

    version: tuple[int, int]
    database: str
    server_version: str
    tool_version: str
    clock: datetime
    daylight_saving: bool


def parse_header(data: bytes) -> ArchiveHeader | None:
    """Return what the first bytes of an archive tell; None when they are cut short or of another layout."""
    reader = _Reader(data)
    try:
        if reader.take(len(MAGIC)) != MAGIC:
            return None
        version = (reader.byte(), reader.byte())
        reader.byte()
        reader.int_bytes = reader.byte()
        reader.take(2)
        if version >= _ALGORITHM_BYTE:
            reader.byte()
        else:
            reader.integer()
        second, minute, hour, day, month, year, summer = (reader.integer() for _ in range(7))
        database, server_version, tool_version = reader.string(), reader.string(), reader.string()
        clock = datetime(year + _YEAR_ZERO, month + 1, day, hour, minute, second)  # noqa: DTZ001 - no zone is stored
    except (EOFError, ValueError):
        return None
    return ArchiveHeader(version, database, server_version, tool_version, clock, summer > 0)


def started_at(header: ArchiveHeader, latest: datetime) -> datetime | None:
    """Return when the dump began, at most `latest` (the file's time); None when no reading of its clock fits.

    The archive stores a wall clock without its zone. It is read as UTC and as this machine's zone; the earlier of
    the readings that fit is taken, because an earlier start makes for more data loss and never hides any.
    """
    local = datetime.fromtimestamp(time.mktime(header.clock.timetuple()), UTC)
    readings = [local] if header.daylight_saving else [local, header.clock.replace(tzinfo=UTC)]
    return min((moment for moment in readings if moment <= latest), default=None)


class _Reader:
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
        sign = self.byte()
        value = int.from_bytes(self.take(self.int_bytes), "little")
        return -value if sign else value

    def string(self) -> str:
        length = self.integer()
        return "" if length < 0 else self.take(length).decode("utf-8", errors="backslashreplace")
