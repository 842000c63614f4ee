"""The header of a WAL segment file: does it belong to this name and this cluster?

Source: src/include/access/xlog_internal.h, XLogLongPageHeaderData. Only little-endian machines are
supported.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_pgrestore.model.wal import Segment

_LONG_HEADER = struct.Struct("<HHIQI4xQII")
HEADER_BYTES = _LONG_HEADER.size
_IS_LONG = 0x0002
_MAGIC_PAGES = {0xD0, 0xD1}
"""High bytes of XLOG_PAGE_MAGIC since PostgreSQL 8."""

FOREIGN = "is from another database cluster"
"""What is wrong with a segment of another system identifier."""

MAJOR_OF_MAGIC = {
    0xD101: 12,
    0xD106: 13,
    0xD10D: 14,
    0xD110: 15,
    0xD113: 16,
    0xD116: 17,
    0xD118: 18,
}
"""XLOG_PAGE_MAGIC of each server major. Source: src/include/access/xlog_internal.h."""


@dataclass(frozen=True, slots=True)
class WalHeader:
    """The long page header that begins every segment.

    Attributes:
        magic: XLOG_PAGE_MAGIC of the server major that wrote the segment.
        timeline: Timeline of the page. It is not newer than the timeline in the file's name.
        page_address: Position of the page in WAL.
        system_identifier: The cluster that wrote the segment.
        segment_bytes: Size of the segment.
    """

    magic: int
    timeline: int
    page_address: Lsn
    system_identifier: int
    segment_bytes: int

    @property
    def major(self) -> int | None:
        """Server major that wrote the segment; None for an unknown magic number."""
        return MAJOR_OF_MAGIC.get(self.magic)


@dataclass(frozen=True, slots=True)
class Expected:
    """Facts that every segment of one recovery shares with its backup.

    Attributes:
        segment_bytes: Size of a segment.
        system_identifier: The cluster; None if the backup does not name it.
        major: The server major; None if the backup does not name it.
    """

    segment_bytes: int
    system_identifier: int | None
    major: int | None


def read_header(start: bytes) -> WalHeader | None:
    """Return the header in the first bytes of a segment; None if they are no long header."""
    if len(start) < HEADER_BYTES:
        return None
    magic, info, timeline, address, _, system_identifier, segment_bytes, _ = (
        _LONG_HEADER.unpack_from(start)
    )
    if not info & _IS_LONG or magic >> 8 not in _MAGIC_PAGES:
        return None
    return WalHeader(magic, timeline, Lsn(address), system_identifier, segment_bytes)


def fault(start: bytes, size: int | None, segment: Segment, expected: Expected) -> str | None:
    """Return what is wrong with a segment file, in words; None if nothing is.

    Args:
        start: The first bytes of the file, decompressed.
        size: Size in bytes; None for a compressed file.
        segment: The segment that the file's name stands for.
        expected: Facts that it must share with the backup.
    """
    if size is not None and size != expected.segment_bytes:
        right = f"{expected.segment_bytes:,}"
        return f"is {size:,} bytes long instead of {right}: cut short, or no segment"
    if not any(start):
        return (
            "does not begin like WAL but with zeros: it was allocated and never written, or wiped"
        )
    header = read_header(start)
    if header is None:
        return "does not begin like WAL"
    return next(_differences(header, segment, expected), None)


def _differences(header: WalHeader, segment: Segment, expected: Expected) -> Iterator[str]:
    """Yield a message for each difference between the header and what it should be."""
    if expected.system_identifier not in {None, header.system_identifier}:
        yield (
            f"{FOREIGN}: it has the system identifier"
            f" {header.system_identifier}, not {expected.system_identifier}"
        )
    # A major that is not in the table writes an unknown number in all of its segments.
    if expected.major in MAJOR_OF_MAGIC.values() and header.major != expected.major:
        yield (
            f"was not written by PostgreSQL {expected.major},"
            f" but by {header.major or 'an unknown version'}"
        )
    if header.segment_bytes != expected.segment_bytes:
        yield (
            f"is of a cluster with segments of {header.segment_bytes} bytes,"
            f" not {expected.segment_bytes}"
        )
    if header.page_address != segment.start(expected.segment_bytes):
        yield f"holds the bytes of {header.page_address}: it is a copy of another segment"
    if header.timeline > segment.timeline:
        yield f"belongs to timeline {header.timeline}"


def control_identifier(data: Path) -> int | None:
    """Return the system identifier of a data directory; None without a pg_control file.

    Raises:
        BackupNotRestorable: It is a link, a FIFO or a device.
        HarnessError: It cannot be read.

    It is the first eight bytes of pg_control. Source: src/include/catalog/pg_control.h,
    ControlFileData.
    """
    path = data / "global" / "pg_control"
    try:
        with reading(path), open_regular(path, follow=False) as stream:
            start = stream.read(8)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return int.from_bytes(start, "little") if any(start) else None
