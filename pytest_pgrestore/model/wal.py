"""Positions in the write-ahead log and the names of its segment files. Imports only errors.

Source: PostgreSQL docs, "WAL Internals"; src/include/access/xlog_internal.h for the names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_pgrestore.model.errors import ConfigError

_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_BYTES_PER_LOG_ID = 0x1_0000_0000


class Lsn(int):
    """A byte position in the write-ahead log; prints as ``16/B374D848``."""

    @classmethod
    def parse(cls, text: str) -> Lsn:
        """Return the position written as two hexadecimal numbers and a slash.

        Raises:
            ConfigError: The text has another form.
        """
        match = _LSN.fullmatch(text.strip())
        if match is None:
            raise ConfigError(
                f"{text!r} is not a WAL position",
                hint="write it as PostgreSQL does, for example 16/B374D848.",
            )
        return cls(int(match[1], 16) << 32 | int(match[2], 16))

    def __str__(self) -> str:
        """Return PostgreSQL's spelling."""
        return f"{int(self) >> 32:X}/{int(self) & 0xFFFFFFFF:X}"

    __repr__ = __str__


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One WAL segment file: its timeline, and its number counted from position 0."""

    timeline: int
    number: int

    @classmethod
    def parse(cls, name: str, segment_bytes: int) -> Segment:
        """Return the segment of a 24-digit file name.

        Raises:
            ValueError: The name is not that of a segment.
        """
        if _SEGMENT.fullmatch(name) is None:
            raise ValueError(name)
        log_id, part = int(name[8:16], 16), int(name[16:24], 16)
        return cls(int(name[:8], 16), log_id * (_BYTES_PER_LOG_ID // segment_bytes) + part)

    @classmethod
    def holding(cls, lsn: int, timeline: int, segment_bytes: int) -> Segment:
        """Return the segment of `timeline` that holds the byte at `lsn`."""
        return cls(timeline, lsn // segment_bytes)

    def file_name(self, segment_bytes: int) -> str:
        """Return the name of the file: 24 hexadecimal digits (XLogFileName in PostgreSQL)."""
        per_log_id = _BYTES_PER_LOG_ID // segment_bytes
        return f"{self.timeline:08X}{self.number // per_log_id:08X}{self.number % per_log_id:08X}"

    def start(self, segment_bytes: int) -> Lsn:
        """Return the position of the segment's first byte."""
        return Lsn(self.number * segment_bytes)

    def end(self, segment_bytes: int) -> Lsn:
        """Return the position just after the segment's last byte."""
        return Lsn((self.number + 1) * segment_bytes)


def is_segment_name(name: str) -> bool:
    """Tell whether `name` is that of a complete segment: no ``.partial``, no ``.history``."""
    return _SEGMENT.fullmatch(name) is not None
