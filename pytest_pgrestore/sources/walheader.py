"""The first bytes of a WAL segment: whose it is, and which one.

Source: src/include/access/xlog_internal.h, XLogLongPageHeaderData; one magic number per major version.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_LAYOUT = struct.Struct("<HHIQI4xQII")
HEADER_BYTES = _LAYOUT.size

MAJOR_OF_MAGIC = {0xD101: 12, 0xD106: 13, 0xD10D: 14, 0xD110: 15, 0xD113: 16, 0xD116: 17, 0xD118: 18}


@dataclass(frozen=True, slots=True)
class WalHeader:
    """The long page header that begins every segment."""

    magic: int
    timeline: int
    page_address: int
    system_identifier: int
    segment_bytes: int


def read_header(data: bytes) -> WalHeader | None:
    """Return the header in the first bytes of a segment; None where there is none."""
    if len(data) < HEADER_BYTES:
        return None
    magic, _, timeline, address, _, system, segment_bytes, _ = _LAYOUT.unpack_from(data)
    if magic not in MAJOR_OF_MAGIC and magic >> 8 != 0xD1:  # noqa: PLR2004 - the high byte since 8.0
        return None
    return WalHeader(magic, timeline, address, system, segment_bytes)
