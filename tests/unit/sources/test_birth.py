"""The time in the checkpoint that a recovery ends with."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.wal.birth import born_by, ran_by
from pytest_pgrestore.sources.wal.segments import WalFile
from tests.unit.sources.backup_files import MIB, header

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
SEGMENT = Segment(2, 5)
PAGE = 8192


def segment_with(path: Path, offset: int) -> WalFile:
    """Write a segment with a checkpoint at an offset; a page begins with a header of 24 bytes."""
    record = bytes(24 + 2 + 64) + struct.pack("<q", int(NOON.timestamp())) + bytes(16)
    content = bytearray(header(SEGMENT).ljust(3 * PAGE, b"\xff"))
    place = offset
    for byte in record:
        if place % PAGE == 0:
            place += 24
        content[place] = byte
        place += 1
    path.write_bytes(content)
    return WalFile(SEGMENT.file_name(MIB), path)


def line(lsn: Lsn, timeline: int = 2, parent: int = 1) -> str:
    """Return pg_waldump's line of a checkpoint."""
    return (
        f"rmgr: XLOG        len (rec/tot):    114/   114, tx:          0, lsn: {lsn}, prev"
        f" 0/00A00A60, desc: CHECKPOINT_SHUTDOWN redo {lsn}; tli {timeline}; prev tli {parent};"
        " fpw true; xid 0:745; oid 24576; shutdown"
    )


@pytest.mark.parametrize("offset", [40, *range(PAGE - 120, PAGE, 8), PAGE + 24, 2 * PAGE - 96])
def test_the_time_of_the_checkpoint(tmp_path: Path, offset: int) -> None:
    """Also where the record, or the time itself, goes on behind the header of the next page."""
    file = segment_with(tmp_path / "segment", offset)
    lsn = Lsn(SEGMENT.start(MIB) + offset)

    assert born_by(line(lsn), [file], Lsn(0)) == NOON + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (line(Lsn(5 * MIB + 40), parent=2), 0),
        (line(Lsn(5 * MIB + 40)), 5 * MIB + 41),
        (line(Lsn(6 * MIB + 40)), 0),
        (line(Lsn(5 * MIB + MIB - 8)), 0),
        ("rmgr: XLOG desc: CHECKPOINT_ONLINE redo 0/1;", 0),
    ],
    ids=["an ordinary shutdown", "older", "another segment", "cut off", "no shutdown"],
)
def test_what_is_no_birth(tmp_path: Path, text: str, after: int) -> None:
    """Most checkpoints are none."""
    assert born_by(text, [segment_with(tmp_path / "segment", 40)], Lsn(after)) is None


@pytest.mark.parametrize(
    ("kind", "after", "found"),
    [("ONLINE", 0, NOON), ("SHUTDOWN", 0, None), ("ONLINE", 5 * MIB + 41, None)],
)
def test_the_checkpoint_of_a_running_server(
    tmp_path: Path, kind: str, after: int, found: datetime | None
) -> None:
    """A stopped or older one tells nothing."""
    text = line(Lsn(5 * MIB + 40), parent=2).replace("SHUTDOWN", kind)

    assert ran_by(text, [segment_with(tmp_path / "segment", 40)], Lsn(after)) == found
