"""The two text files that describe a base backup.

The backup contains ``backup_label``; the WAL archive contains a ``.backup`` file.
Source: src/backend/access/transam/xlogbackup.c, build_backup_content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.wal import Lsn, Segment

if TYPE_CHECKING:
    from pytest_pgrestore.model.backup import Backup

SEGMENT_SIZES = tuple(1 << power for power in range(20, 31))
"""WAL segment sizes that ``initdb --wal-segsize`` accepts: 1 MiB to 1 GiB."""

LARGEST_LABEL = 1 << 16
"""Bytes of a label: 64 KiB. PostgreSQL writes ten lines, of which one has at most 1,024 bytes."""

_LSN = re.compile(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}")
_START = re.compile(rf"({_LSN.pattern}) \(file ([0-9A-F]{{24}})\)")
_TIMELINE = re.compile(r"[0-9]{1,10}")
_LARGEST_TIMELINE = 0xFFFF_FFFF
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\S+)")
_OFFSET = re.compile(r"<?([+-])(\d\d)(?::?(\d\d))?>?")
_QUARTER = 900
"""Seconds. Offsets of time zones are multiples of a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class BackupLabel:
    """Content of ``backup_label`` or a ``.backup`` file. Only the latter has the stop fields.

    Attributes:
        start_lsn: Where replay begins (START WAL LOCATION).
        start_file: Name of the segment that contains `start_lsn`.
        start_timeline: The backup's timeline.
        start_time: Text of the start time. Its zone may be ambiguous; see `moment`.
        incremental_from: Start of the backup's parent; None for a full backup.
        stop_lsn: Where the backup ended.
        stop_time: Text of the end time.
    """

    start_lsn: Lsn
    start_file: str
    start_timeline: int
    start_time: str
    incremental_from: Lsn | None = None
    stop_lsn: Lsn | None = None
    stop_time: str = ""

    def segment_bytes(self) -> int | None:
        """Return the size of a WAL segment; None if no size fits position and file name."""
        for size in SEGMENT_SIZES:
            if (
                Segment.holding(self.start_lsn, int(self.start_file[:8], 16), size).file_name(size)
                == self.start_file
            ):
                return size
        return None


def beginning_of(backup: Backup, start_file: str) -> tuple[Lsn, int, int]:
    """Return where replay of a backup begins, on which timeline, and the size of a segment.

    Args:
        backup: An entry of a catalogue.
        start_file: Name of the segment in which the backup starts.

    Raises:
        BackupNotRestorable: The catalogue contradicts itself.
    """
    timeline = int(start_file[:8], 16)
    if backup.start_lsn is not None:
        segment_bytes = BackupLabel(backup.start_lsn, start_file, timeline, "").segment_bytes()
        if segment_bytes is not None:
            return backup.start_lsn, timeline, segment_bytes
    raise BackupNotRestorable(
        f"the catalogue says that backup {backup.label} starts at {backup.start_lsn} in"
        f" {start_file}, which cannot be",
        hint="the catalogue is damaged: take a new backup.",
    )


def parse_label(text: str, where: str) -> BackupLabel:
    """Parse the text of a ``backup_label`` or ``.backup`` file.

    Args:
        text: Content of the file.
        where: Name of the file, for the error.

    Raises:
        BackupNotRestorable: The text is too long, has no START WAL LOCATION, or another format.
    """
    if len(text) > LARGEST_LABEL:
        raise _malformed(where, f"it has more than {LARGEST_LABEL} characters")
    fields = {
        key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())
    }
    start = _START.match(fields.get("START WAL LOCATION", ""))
    if start is None:
        raise BackupNotRestorable(
            f"{where} does not say where replay begins (START WAL LOCATION)",
            hint="the backup is cut short or its label was edited: take a new one.",
        )
    stop = _START.match(fields.get("STOP WAL LOCATION", ""))
    incremental = fields.get("INCREMENTAL FROM LSN")
    if incremental is not None and _LSN.fullmatch(incremental) is None:
        raise _malformed(where, "INCREMENTAL FROM LSN is no WAL position")
    # PostgreSQL 11 and later write START TIMELINE; the file name contains it, too.
    written = fields.get("START TIMELINE", str(int(start[2][:8], 16)))
    timeline = int(written) if _TIMELINE.fullmatch(written) else 0
    if not 0 < timeline <= _LARGEST_TIMELINE:
        raise _malformed(where, "START TIMELINE is no timeline")
    return BackupLabel(
        start_lsn=Lsn.parse(start[1]),
        start_file=start[2],
        start_timeline=timeline,
        start_time=fields.get("START TIME", ""),
        incremental_from=None if incremental is None else Lsn.parse(incremental),
        stop_lsn=None if stop is None else Lsn.parse(stop[1]),
        stop_time=fields.get("STOP TIME", ""),
    )


def _malformed(where: str, why: str) -> BackupNotRestorable:
    return BackupNotRestorable(
        f"{where} is damaged: {why}",
        hint="the backup is cut short or its label was edited: take a new one.",
    )


def moment(written: str, reference: tuple[str, datetime] | None = None) -> datetime | None:
    """Return the time that `written` stands for, in UTC; None if its zone is ambiguous.

    Args:
        written: Local time and zone. The zone is ``UTC``, a number, or letters such as ``CET``,
            which may name several zones.
        reference: Text of another time, and that time in UTC. It shows what the letters mean.
    """
    match = _TIME.fullmatch(written)
    if match is None:
        return None
    try:
        local, zone = datetime.fromisoformat(match[1]), match[2]
        offset = _offset(zone)
        if offset is None and reference is not None:
            offset = _offset_by(zone, *reference)
        return None if offset is None else local.replace(tzinfo=timezone(offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        # There is no such day, no such offset, or the time in UTC is before the year 1.
        return None


def _offset(zone: str) -> timedelta | None:
    if zone in {"UTC", "GMT", "Etc/UTC", "UCT"}:
        return timedelta()
    number = _OFFSET.fullmatch(zone)
    if number is None:
        return None
    amount = timedelta(hours=int(number[2]), minutes=int(number[3] or 0))
    return amount if number[1] == "+" else -amount


def _offset_by(zone: str, written: str, known: datetime) -> timedelta | None:
    match = _TIME.fullmatch(written)
    if match is None or match[2] != zone:
        return None
    difference = (datetime.fromisoformat(match[1]).replace(tzinfo=UTC) - known).total_seconds()
    return timedelta(seconds=round(difference / _QUARTER) * _QUARTER)
