"""A WAL archive that somebody else can write to: nothing in it makes us wait, grow or stumble."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.codecs import CHUNK_BYTES
from pytest_pgrestore.sources.copying import copy_plain
from pytest_pgrestore.sources.wal import archive_names, segments, tablespaces, timelines
from pytest_pgrestore.sources.wal.backup_label import BackupLabel, moment, parse_label
from pytest_pgrestore.sources.wal.header import control_identifier
from pytest_pgrestore.sources.wal.history_graph import HistoryGraph
from pytest_pgrestore.sources.wal.staging import empty_wal
from pytest_pgrestore.sources.wal.timelines import TimelinePath
from tests.memory import LIMIT_BYTES, measured
from tests.unit.sources.backup_files import CODECS, EXPECTED, MIB, header, write_segments
from tests.unit.sources.histories import a_backup
from tests.unit.sources.hostile_files import BOMBS, NO_FILES, bomb

pytestmark = pytest.mark.long

HISTORY = "1\t0/300500\tno recovery target specified\n"
LABEL = (
    "START WAL LOCATION: 0/300028 (file 000000010000000000000003)\n"
    "START TIME: 2026-06-15 14:30:00 UTC\nSTART TIMELINE: 1\n"
)
SEGMENT = Segment(1, 3)
NAME = SEGMENT.file_name(MIB)


def histories_of(archive: Path) -> dict[int, str]:
    """Return the histories of an archive."""
    return segments.scan(archive).history_texts()


def backup_file_of(archive: Path) -> BackupLabel | None:
    """Return the `.backup` file of the backup with `LABEL`."""
    return segments.scan(archive).history_of(parse_label(LABEL, "backup_label"))


def fault_in(archive: Path) -> str | None:
    """Return what is wrong with the only segment of an archive."""
    return segments.fault_of(segments.scan(archive).segments[NAME], SEGMENT, EXPECTED)


def copied_from(path: Path) -> int:
    """Copy a segment as for a restore; return the size of the copy."""
    copy = path.with_name("copy")
    copy_plain(path, copy, MIB)
    return copy.stat().st_size


@pytest.mark.parametrize("kind", NO_FILES)
def test_a_segment_that_is_no_file(tmp_path: Path, kind: str) -> None:
    """A FIFO made every open wait for ever, before any deadline began."""
    NO_FILES[kind](tmp_path / NAME)

    found = measured(fault_in, tmp_path)

    assert found.error is None
    assert "is no regular file" in str(found.value)
    assert isinstance(measured(copied_from, tmp_path / NAME).error, BackupNotRestorable)


@pytest.mark.parametrize("kind", NO_FILES)
def test_a_history_that_is_no_file(tmp_path: Path, kind: str) -> None:
    """Histories are read whole; /dev/zero has no end."""
    NO_FILES[kind](tmp_path / "00000002.history")

    found = measured(histories_of, tmp_path)

    assert isinstance(found.error, BackupNotRestorable)
    assert "is no regular file" in str(found.error)
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.parametrize("kind", NO_FILES)
def test_a_backup_file_that_is_none(tmp_path: Path, kind: str) -> None:
    """It only adds facts, so a bad one is left out."""
    NO_FILES[kind](tmp_path / f"{NAME}.00000028.backup")

    found = measured(backup_file_of, tmp_path)

    assert (found.value, found.error) == (None, None)


@pytest.mark.parametrize("kind", NO_FILES)
def test_a_control_file_that_is_none(tmp_path: Path, kind: str) -> None:
    """It is read before the server starts."""
    (tmp_path / "global").mkdir()
    NO_FILES[kind](tmp_path / "global" / "pg_control")

    assert isinstance(measured(control_identifier, tmp_path).error, BackupNotRestorable)


def test_links_to_regular_files_are_read(tmp_path: Path) -> None:
    """An archive may lie on another storage, file by file."""
    store, archive = tmp_path / "store", tmp_path / "archive"
    for place in (store, archive):
        place.mkdir()
    write_segments(store, SEGMENT)
    (store / "00000002.history").write_text(HISTORY)
    for path in store.iterdir():
        (archive / path.name).symlink_to(path)

    assert fault_in(archive) is None
    assert histories_of(archive) == {2: HISTORY}
    assert copied_from(archive / NAME) == MIB


@pytest.mark.parametrize("codec", BOMBS)
def test_a_history_that_grows(tmp_path: Path, codec: str) -> None:
    """28 MB of gzip took all memory."""
    (tmp_path / "00000002.history.gz").write_bytes(bomb(codec, HISTORY.encode()))

    found = measured(histories_of, tmp_path)

    assert isinstance(found.error, BackupNotRestorable)
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.parametrize("codec", BOMBS)
def test_a_segment_that_grows(tmp_path: Path, codec: str) -> None:
    """A copy ends as soon as it is longer than a segment, and the disk stays free."""
    (tmp_path / f"{NAME}.gz").write_bytes(bomb(codec, header(SEGMENT)))

    found = measured(copied_from, tmp_path / f"{NAME}.gz")

    assert isinstance(found.error, BackupNotRestorable)
    assert found.peak_bytes < LIMIT_BYTES
    assert (tmp_path / "copy").stat().st_size <= MIB + CHUNK_BYTES
    assert measured(fault_in, tmp_path).peak_bytes < LIMIT_BYTES


@pytest.mark.parametrize("codec", CODECS)
def test_a_segment_of_the_right_size(tmp_path: Path, codec: str) -> None:
    """It is copied, with whatever compressor."""
    (tmp_path / NAME).write_bytes(CODECS[codec](header(SEGMENT).ljust(MIB, b"\0")))

    assert copied_from(tmp_path / NAME) == MIB


@pytest.mark.parametrize(
    "text",
    ["\n" * 300_000, " " * 300_000, "1" * 300_000, "1\t" * 150_000, "1\t0/" * 100_000],
    ids=["newlines", "spaces", "digits", "numbers", "positions"],
)
def test_a_history_is_read_in_one_pass(text: str) -> None:
    """300 KB of line ends took hours."""
    measured(timelines.parse_history, text, 2, timeout_seconds=20)


@pytest.mark.parametrize(
    "text",
    [
        "x\t0/300500\treason\n",
        "1\t100000000/0\treason\n",
        "0\t0/300500\treason\n",
        "2\t0/300500\treason\n",
        "9\t0/300500\treason\n",
        "1\t0/300500\tx\n1\t0/400000\tx\n",
        "99999999999999999999\t0/300500\treason\n",
        "#" * (timelines.LARGEST_HISTORY + 1),
    ],
    ids=["text", "position", "zero", "itself", "younger", "twice", "huge", "long"],
)
def test_a_history_that_is_damaged(text: str) -> None:
    """PostgreSQL would refuse it in the middle of a disaster. The message does not quote it."""
    with pytest.raises(BackupNotRestorable, match=r"00000002\.history is damaged") as raised:
        HistoryGraph({2: text}, (), MIB).way(a_backup())

    assert "reason" not in str(raised.value)


def test_a_damaged_history_can_be_left_out() -> None:
    """The hint says how."""
    path = HistoryGraph({2: HISTORY, 3: "x"}, (), MIB).way(a_backup(), 2).path

    assert path is not None
    assert path.last == 2


def test_too_many_timelines(tmp_path: Path) -> None:
    """Each is a file to read, and for some tools a process to start."""
    for number in range(2, timelines.MOST_TIMELINES + 3):
        (tmp_path / f"{number:08X}.history").touch()

    with pytest.raises(HarnessError, match="at most 4096 are read"):
        histories_of(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        ("START WAL LOCATION: 0/300028", "START WAL LOCATION: FFFFFFFFF/300028"),
        ("START TIMELINE: 1", "START TIMELINE: \N{SUPERSCRIPT TWO}"),
        ("START TIMELINE: 1", f"START TIMELINE: {'9' * 5000}"),
        ("START TIMELINE: 1", "START TIMELINE: 0"),
        ("START TIMELINE: 1", "INCREMENTAL FROM LSN: x"),
        ("START TIME", "x" * (1 << 16)),
    ],
    ids=["position", "digit", "digits", "zero", "incremental", "long"],
)
def test_a_label_that_is_malformed(changed: tuple[str, str]) -> None:
    """Each was a traceback, called an interruption."""
    with pytest.raises(BackupNotRestorable, match="HINT: "):
        parse_label(LABEL.replace(*changed), "backup_label")


@pytest.mark.parametrize(
    "written",
    ["2026-13-15 14:30:00 UTC", "2026-06-15 14:30:00 +99", "0001-01-01 00:00:00 +14"],
)
def test_a_time_that_does_not_exist(written: str) -> None:
    """Then the label says nothing of the time."""
    assert moment(written) is None


def supply_of(archive: Path) -> tuple[int, str]:
    """Return how many segments of an archive recovery can use, and why no more."""
    path = TimelinePath(((1, None),))
    found = segments.supply(segments.scan(archive).segments, path, Lsn(0), MIB)
    return len(found.files), found.broken


def test_an_archive_of_many_names(tmp_path: Path) -> None:
    """Memory grows with the names; at this rate the most that are listed stay below the limit."""
    count = archive_names.MOST_NAMES // 10
    for number in range(count):
        (tmp_path / Segment(1, number).file_name(MIB)).touch()

    found = measured(supply_of, tmp_path)

    assert (found.value, found.error) == ((count, ""), None)
    alone = measured(supply_of, tmp_path / "none").peak_bytes
    assert alone + 10 * (found.peak_bytes - alone) < LIMIT_BYTES


def test_more_files_than_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of ours is no finding about the backup."""
    monkeypatch.setattr(archive_names, "MOST_NAMES", 3)
    write_segments(tmp_path, *(Segment(1, number) for number in range(4)))

    with pytest.raises(HarnessError, match="more than 3 files"):
        segments.scan(tmp_path)


def test_many_timelines_and_many_segments() -> None:
    """Each segment was compared with each timeline."""
    steps = [(timeline, Lsn(timeline * MIB)) for timeline in range(1, 4000)]
    path = TimelinePath((*steps, (4000, None)))
    names = [Segment(number + 1, number).file_name(MIB) for number in range(3999)]
    names += [Segment(4000, number).file_name(MIB) for number in range(4000, 60_000)]

    found = measured(TimelinePath.choose, path, names, MIB, timeout_seconds=20)

    assert len(cast("dict[int, str]", found.value)) == len(names)


def test_a_name_of_another_size_of_segments(tmp_path: Path) -> None:
    """...00000000 00001000 would be the first segment of the second log, with segments of 1 MiB."""
    (tmp_path / "000000010000000000001000").write_bytes(header(Segment(1, 4096)))
    write_segments(tmp_path, Segment(1, 4096))

    found = segments.scan(tmp_path).segments

    assert TimelinePath(((1, None),)).choose(found, MIB) == {4096: (0, "000000010000000100000000")}


@pytest.mark.parametrize("kind", ["a file", "a link to a directory", "a FIFO"])
def test_pg_wal_of_a_backup_may_be_anything(tmp_path: Path, kind: str) -> None:
    """It is replaced by an empty directory, and what a link leads to stays."""
    data, outside = tmp_path / "data", tmp_path / "outside"
    for place in (data, outside):
        place.mkdir()
    (outside / "kept").touch()
    if kind == "a file":
        (data / "pg_wal").touch()
    elif kind == "a FIFO":
        NO_FILES[kind](data / "pg_wal")
    else:
        (data / "pg_wal").symlink_to(outside)

    empty_wal(data)

    assert [path.name for path in (data / "pg_wal").iterdir()] == ["archive_status"]
    assert (outside / "kept").exists()


def test_a_staged_segment_that_became_a_link(tmp_path: Path) -> None:
    """Its record is not changed in the file that the link leads to."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    (tmp_path / NAME).symlink_to(outside)

    with pytest.raises(OSError, match="symbolic links"):
        tablespaces._open_for_change(tmp_path / NAME)

    assert outside.read_bytes() == b"kept"
