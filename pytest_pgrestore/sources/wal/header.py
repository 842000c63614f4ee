"""The header of a WAL segment file: is this the segment its name says, of this cluster?

Source: src/include/access/xlog_internal.h, XLogLongPageHeaderData; little endian, as all machines we run on.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_pgrestore.model.wal import Lsn

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.model.wal import Segment

_LONG_HEADER = struct.Struct("<HHIQI4xQII")
HEADER_BYTES = _LONG_HEADER.size
_IS_LONG = 0x0002
_MAGIC_PAGES = {0xD0, 0xD1}
"""High bytes of the magic numbers there have been since PostgreSQL 8."""

MAJOR_OF_MAGIC = {
    0xD101: 12,
    0xD106: 13,
    0xD10D: 14,
    0xD110: 15,
    0xD113: 16,
    0xD116: 17,
    0xD118: 18,
}
"""XLOG_PAGE_MAGIC of each server major."""


@dataclass(frozen=True, slots=True)
class WalHeader:
    """The long page header that begins every segment.

    Attributes:
        magic: Says which server major wrote it.
        timeline: Timeline of the page: not newer than that of the file's name.
        page_address: Where the page belongs.
        system_identifier: Cluster that wrote it.
        segment_bytes: Size of the file.
    """

    magic: int
    timeline: int
    page_address: Lsn
    system_identifier: int
    segment_bytes: int

    @property
    def major(self) -> int | None:
        """Server major that wrote it; None for a magic number we do not know."""
        return MAJOR_OF_MAGIC.get(self.magic)


@dataclass(frozen=True, slots=True)
class Expected:
    """What every segment of one recovery has in common with its backup.

    Attributes:
        segment_bytes: Size of a segment.
        system_identifier: The cluster; None where the backup does not tell.
        major: The server; None where the backup does not tell.
    """

    segment_bytes: int
    system_identifier: int | None
    major: int | None


def read_header(start: bytes) -> WalHeader | None:
    """Return the header in the first bytes of a segment; None where there is none."""
    if len(start) < HEADER_BYTES:
        return None
    magic, info, timeline, address, _, system_identifier, segment_bytes, _ = (
        _LONG_HEADER.unpack_from(start)
    )
    if not info & _IS_LONG or magic >> 8 not in _MAGIC_PAGES:
        return None
    return WalHeader(magic, timeline, Lsn(address), system_identifier, segment_bytes)


def fault(start: bytes, size: int | None, segment: Segment, expected: Expected) -> str | None:
    """Return what is wrong with a segment file, in words; None when nothing is.

    Args:
        start: Its first bytes, uncompressed.
        size: Its size; None where it is known only after unpacking.
        segment: What its name says it is.
        expected: What it must have in common with the backup.
    """
    if size is not None and size != expected.segment_bytes:
        return f"is {size:,} bytes long instead of {expected.segment_bytes:,}: cut short, or no segment"
    if not any(start):
        return (
            "does not begin like WAL but with zeros: it was allocated and never written, or wiped"
        )
    header = read_header(start)
    if header is None:
        return "does not begin like WAL"
    return next((words for wrong, words in _differences(header, segment, expected) if wrong), None)


def _differences(header: WalHeader, segment: Segment, expected: Expected) -> list[tuple[bool, str]]:
    """Return each way to be the wrong segment: whether it is so, and in words."""
    return [
        (
            expected.system_identifier not in {None, header.system_identifier},
            f"is from another database cluster: {header.system_identifier}, not {expected.system_identifier}",
        ),
        (
            # A major newer than this table has a number we do not know, in all of its segments.
            expected.major in MAJOR_OF_MAGIC.values() and header.major != expected.major,
            f"was not written by PostgreSQL {expected.major}, but by {header.major or 'an unknown version'}",
        ),
        (
            header.segment_bytes != expected.segment_bytes,
            f"is of a cluster with segments of {header.segment_bytes} bytes, not {expected.segment_bytes}",
        ),
        (
            header.page_address != segment.start(expected.segment_bytes),
            f"holds the bytes of {header.page_address}: it is a copy of another segment",
        ),
        (header.timeline > segment.timeline, f"belongs to timeline {header.timeline}"),
    ]


def control_identifier(data: Path) -> int | None:
    """Return the system identifier in a data directory's pg_control, which are its first eight bytes.

    Source: src/include/catalog/pg_control.h, ControlFileData.
    """
    try:
        with (data / "global" / "pg_control").open("rb") as stream:
            start = stream.read(8)
    except FileNotFoundError:
        return None
    return int.from_bytes(start, "little") if any(start) else None
