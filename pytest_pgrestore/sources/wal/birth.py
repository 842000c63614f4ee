"""When a timeline began, by the checkpoint that a recovery ends with.

A standby that is promoted writes a record END_OF_RECOVERY, whose time pg_waldump prints. A recovery
without standby mode ends with a checkpoint instead, whose time it does not print. So the record is
read here.
Source: src/backend/access/transam/xlog.c, PerformRecoveryXLogAction; in src/include,
access/xlogrecord.h and catalog/pg_control.h, CheckPoint, whose `time` has one place from 12 to 18.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.codecs import CHUNK_BYTES, open_plain, reading
from pytest_pgrestore.sources.wal.backup_label import SEGMENT_SIZES
from pytest_pgrestore.sources.wal.header import HEADER_BYTES, read_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from pytest_pgrestore.sources.wal.segments import WalFile

_ENDS_RECOVERY = re.compile(
    r"lsn: ([0-9A-F]{1,8}/[0-9A-F]{1,8}),.*?desc: CHECKPOINT_SHUTDOWN redo [0-9A-F/]{3,17};"
    r" tli (\d{1,10}); prev tli (\d{1,10});"
)
_RUNNING = re.compile(r"lsn: ([0-9A-F]{1,8}/[0-9A-F]{1,8}),.*?desc: CHECKPOINT_ONLINE redo ")
_PAGE = 8192
_PAGE_HEADER = 24
"""Bytes at the start of each page but a segment's first (XLogPageHeaderData, aligned)."""

_TIME_AT = 24 + 2 + 64
"""Place of `time` in the record: its header, that of its data, and the fields before it."""

_TIME = struct.Struct("<q")
_SECOND = timedelta(seconds=1)


def born_by(line: str, files: Sequence[WalFile], after: Lsn) -> datetime | None:
    """Return the latest moment at which a timeline began, if `line` is about that.

    The record has whole seconds, so the timeline may have begun up to a second earlier.

    Args:
        line: One of pg_waldump's.
        files: The segments it was run on.
        after: Records before this position count as the old timeline's.

    Raises:
        BackupNotRestorable: A segment cannot be unpacked.
        HarnessError: A segment cannot be read.
    """
    match = _ENDS_RECOVERY.search(line)
    if match is None or match[2] == match[3]:
        return None
    lsn = Lsn.parse(match[1])
    if lsn < after:
        return None
    return next((moment for file in files if (moment := _time_in(file, lsn)) is not None), None)


def ran_by(line: str, files: Sequence[WalFile], after: Lsn) -> datetime | None:
    """Return when a server ran, if `line` is about a checkpoint of a running one.

    Only a server with something to write makes one. The checkpoint of a shutdown, or of a recovery,
    tells nothing: an old server that is started once more and stopped writes those.

    Raises:
        BackupNotRestorable: A segment cannot be unpacked.
        HarnessError: A segment cannot be read.
    """
    match = _RUNNING.search(line)
    if match is None or (lsn := Lsn.parse(match[1])) < after:
        return None
    found = next((moment for file in files if (moment := _time_in(file, lsn)) is not None), None)
    return None if found is None else found - _SECOND


def _time_in(file: WalFile, lsn: Lsn) -> datetime | None:
    """Return the end of the checkpoint's second; None if this segment does not hold it."""
    with reading(file.path), open_plain(file.path) as stream:
        header = read_header(stream.read(HEADER_BYTES))
        if header is None or header.major is None or header.segment_bytes not in SEGMENT_SIZES:
            return None
        offset = lsn - header.page_address
        if not 0 <= offset < header.segment_bytes:
            return None
        place = offset + _TIME_AT
        # A record goes on behind the header of the next page; so does its time.
        before = -place % _PAGE
        if offset // _PAGE != place // _PAGE:
            place += _PAGE_HEADER
            before = _TIME.size
        _skip(stream, place - HEADER_BYTES)
        content = stream.read(_TIME.size + _PAGE_HEADER)
    if before < _TIME.size:
        content = content[:before] + content[before + _PAGE_HEADER :]
    try:
        seconds = _TIME.unpack_from(content)[0]
        return datetime.fromtimestamp(seconds, UTC) + _SECOND
    except (struct.error, OverflowError, OSError, ValueError):
        return None


def _skip(stream: IO[bytes], count: int) -> None:
    """Read `count` bytes: not every decoder can seek."""
    while count > 0 and (chunk := stream.read(min(count, CHUNK_BYTES))):
        count -= len(chunk)
