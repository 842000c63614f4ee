"""Copies of a stopped server's directory: they have no backup_label, and need none.

Source: PostgreSQL docs, "File System Level Backup". pg_control tells that the server was shut down,
and where its last checkpoint is. A copy of a running server has the state "in production".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.codecs import reading
from pytest_pgrestore.sources.wal.backup_label import SEGMENT_SIZES, BackupLabel
from pytest_pgrestore.sources.wal.segments import WalFiles, fault_of
from pytest_pgrestore.system.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_pgrestore.sources.basebackup.directory import BackupDirectory
    from pytest_pgrestore.sources.wal.header import Expected

_CONTROL = struct.Struct("<QIIi4xqQQI52xq16xQQI60xdIIII")
"""ControlFileData of src/include/catalog/pg_control.h, 12 to 18, as far as it is read here.

Of the CheckPoint in it: redo and ThisTimeLineID, and its time. The size is that of PostgreSQL on
machines of 64 bits and little-endian order, which alone are supported.
"""

_STATES = {
    0: "starting up",
    1: "shut down",
    2: "shut down in recovery",
    3: "shutting down",
    4: "in crash recovery",
    5: "in archive recovery",
    6: "in production",
}
"""DBState of the same file, in the words of pg_controldata."""

STOPPED = ("shut down", "shut down in recovery")
"""States of a server that was stopped in order: a primary, a standby."""

_FLOAT = 1234567.0
"""FLOATFORMAT_VALUE: with another value, the file is of another kind of machine, or none."""

_BLOCK_BYTES = 8192

_PID_FILE = "postmaster.pid"
"""A server removes it when it is stopped in order (UnlinkLockFiles in miscinit.c)."""


@dataclass(frozen=True, slots=True)
class Control:
    """What pg_control tells of a copy.

    Attributes:
        state: In the words of pg_controldata.
        redo: Where replay begins.
        timeline: Of the last checkpoint.
        end: Where a standby's copy becomes consistent; the same as `redo` for a primary.
        written_at: Time of the last checkpoint, or of the shutdown.
        segment_bytes: Size of a WAL segment.
    """

    state: str
    redo: Lsn
    timeline: int
    end: Lsn
    written_at: datetime
    segment_bytes: int

    def label(self) -> BackupLabel:
        """Return what a backup_label of this copy would say."""
        when = f"{self.written_at:%Y-%m-%d %H:%M:%S} UTC"
        segment = Segment.holding(self.redo, self.timeline, self.segment_bytes)
        return BackupLabel(
            start_lsn=self.redo,
            start_file=segment.file_name(self.segment_bytes),
            start_timeline=self.timeline,
            start_time=when,
            stop_lsn=self.end,
            stop_time=when,
        )


def label_of_stopped(data: Path) -> tuple[BackupLabel | None, str]:
    """Return the label of a copy without one, or None and why it has none.

    Raises:
        BackupNotRestorable: Its pg_control is a link, a FIFO or a device.
        HarnessError: It cannot be read.
    """
    control = read_control(data)
    if control is None:
        return None, "it has no backup_label"
    if control.state in STOPPED:
        with reading(data):
            running = _PID_FILE in {entry.name for entry in data.iterdir()}
        if not running:
            return control.label(), ""
        return None, (
            f"it has no backup_label, its pg_control says {control.state!r}, and it has a"
            f" {_PID_FILE}: the server ran while its directory was copied"
        )
    return None, (
        f"it has no backup_label, and its pg_control says {control.state!r}: a copy of a server"
        " that was not stopped"
    )


def read_control(data: Path) -> Control | None:
    """Return what pg_control tells; None if there is none, or none that can be understood.

    Its checksum is left to pg_controldata, which reads it before any server does.

    Raises:
        BackupNotRestorable: It is a link, a FIFO or a device.
        HarnessError: It cannot be read.
    """
    path = data / "global" / "pg_control"
    try:
        with reading(path), open_regular(path, follow=False) as stream:
            content = stream.read(_CONTROL.size)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return parse_control(content)


def parse_control(content: bytes) -> Control | None:
    """Return what the first bytes of pg_control tell; None if they are no such file."""
    if len(content) < _CONTROL.size:
        return None
    found = _CONTROL.unpack(content)
    _, _, _, state, changed, _, redo, timeline, at, _, least, _ = found[:12]
    number_format, block, _, wal_block, segment_bytes = found[12:]
    if number_format != _FLOAT or (block, wal_block) != (_BLOCK_BYTES, _BLOCK_BYTES):
        return None
    if segment_bytes not in SEGMENT_SIZES or state not in _STATES or not timeline:
        return None
    try:
        written_at = datetime.fromtimestamp(changed or at, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return Control(
        state=_STATES[state],
        redo=Lsn(redo),
        timeline=timeline,
        end=Lsn(max(redo, least)),
        written_at=written_at,
        segment_bytes=segment_bytes,
    )


def precedes(files: WalFiles, directory: BackupDirectory) -> bool:
    """Tell whether an archive reaches up to the shutdown of a stopped server, and ends there.

    A server ends its segment and archives it when it is stopped. It writes the checkpoint of the
    shutdown into the next one, which is archived only when the server runs again (ShutdownXLOG in
    src/backend/access/transam/xlog.c). So the archive has nothing of the backup yet.
    """
    label = directory.label
    size = label.segment_bytes() if label is not None else None
    if not directory.stopped or label is None or size is None:
        return False
    number = label.start_lsn // size
    before = Segment(label.start_timeline, number - 1).file_name(size)
    return before in files.segments


def without_recycled(own: WalFiles, end: Lsn, expected: Expected) -> WalFiles:
    """Return the WAL in a stopped server's directory without the segments made ready for reuse.

    They have names of later segments and hold old bytes (RemoveOldXlogFiles in xlog.c).

    Args:
        own: The files in its pg_wal.
        end: Where the server ended, or became consistent.
        expected: Facts that all segments share.
    """
    size = expected.segment_bytes
    last = end // size
    kept = {}
    for name, file in own.segments.items():
        segment = Segment.parse(name, size)
        if segment.number <= last or fault_of(file, segment, expected) is None:
            kept[name] = file
    return WalFiles(kept, own.histories, own.backups, own.partial)
