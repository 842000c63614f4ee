"""The two text files that describe a base backup: ``backup_label`` inside it, the ``.backup`` file in the archive.

Source: src/backend/access/transam/xlogbackup.c, build_backup_content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.wal import Lsn, Segment

SEGMENT_SIZES = tuple(1 << power for power in range(20, 31))
"""WAL segment sizes initdb offers: 1 MiB to 1 GiB."""

_START = re.compile(r"([0-9A-F]+/[0-9A-F]+) \(file ([0-9A-F]{24})\)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\S+)")
_OFFSET = re.compile(r"<?([+-])(\d\d)(?::?(\d\d))?>?")
_QUARTER = 900
"""Seconds; offsets of time zones are multiples of it."""


@dataclass(frozen=True, slots=True)
class BackupLabel:
    """What ``backup_label`` or a ``.backup`` file says; the stop fields are known to the latter only.

    Attributes:
        start_lsn: Where replay begins (START WAL LOCATION).
        start_file: Segment file that holds it.
        start_timeline: The backup's timeline.
        start_time: As written, with a zone that may be ambiguous; see `moment`.
        incremental_from: Start of the backup an incremental one builds on.
        stop_lsn: Where the backup ended.
        stop_time: As written.
    """

    start_lsn: Lsn
    start_file: str
    start_timeline: int
    start_time: str
    incremental_from: Lsn | None = None
    stop_lsn: Lsn | None = None
    stop_time: str = ""

    def segment_bytes(self) -> int | None:
        """Return the size of a WAL segment, which the pair of position and file name gives away."""
        for size in SEGMENT_SIZES:
            if (
                Segment.holding(self.start_lsn, int(self.start_file[:8], 16), size).file_name(size)
                == self.start_file
            ):
                return size
        return None


def parse_label(text: str, where: str) -> BackupLabel:
    """Return what the text of a ``backup_label`` or ``.backup`` file says.

    Raises:
        BackupNotRestorable: It lacks where replay begins.
    """
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
    timeline = fields.get("START TIMELINE", "")
    return BackupLabel(
        start_lsn=Lsn.parse(start[1]),
        start_file=start[2],
        # Written since PostgreSQL 11; the file name has it too.
        start_timeline=int(timeline) if timeline.isdigit() else int(start[2][:8], 16),
        start_time=fields.get("START TIME", ""),
        incremental_from=None if incremental is None else Lsn.parse(incremental),
        stop_lsn=None if stop is None else Lsn.parse(stop[1]),
        stop_time=fields.get("STOP TIME", ""),
    )


def moment(written: str, reference: tuple[str, datetime] | None = None) -> datetime | None:
    """Return the moment `written` stands for; None where its zone is ambiguous.

    Args:
        written: Local time and a zone: ``UTC``, a number, or letters such as ``CET`` that name several zones.
        reference: Another time as written, and the moment it is known to be: tells what those letters mean.
    """
    match = _TIME.fullmatch(written)
    if match is None:
        return None
    local, zone = datetime.fromisoformat(match[1]), match[2]
    offset = _offset(zone)
    if offset is None and reference is not None:
        offset = _offset_by(zone, *reference)
    return None if offset is None else local.replace(tzinfo=timezone(offset)).astimezone(UTC)


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
