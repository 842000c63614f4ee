"""Archived WAL on fabricated files: names, gaps and damage; no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.wal.segments import WalFile, scan, sound, supply
from pytest_pgrestore.sources.wal.staging import empty_wal
from pytest_pgrestore.sources.wal.timelines import TimelinePath
from tests.unit.sources.backup_files import EXPECTED, MIB, write_segments

ALONE = TimelinePath(((1, None),))
SWITCHED = TimelinePath(((1, Lsn(3 * MIB + 500)), (2, None)))


def names(files: tuple[WalFile, ...]) -> list[tuple[int, int]]:
    """Return timeline and number of each file."""
    parsed = [Segment.parse(file.name, MIB) for file in files]
    return [(segment.timeline, segment.number) for segment in parsed]


def test_a_directory_is_sorted_into_segments_and_the_rest(tmp_path: Path) -> None:
    """Segments may be compressed or in subdirectories; incomplete ones are not used."""
    shelf = tmp_path / "0000000100000000"
    shelf.mkdir()
    for name in (
        "000000010000000000000001",
        "000000010000000000000002.gz",
        "000000010000000000000003.zst",
        "000000010000000000000003",
        "000000010000000000000004.partial",
        "000000010000000000000001.00000028.backup",
        "00000002.history.lz4",
        "README",
        "00000001000000000000000g",
        "000000010000000000000006.gpg",
        "000000010000000000000007.gz.age",
        "000000010000000000000008.tmp",
        "000000010000000000000008.gpg.part",
        "000000010000000000000008.sha256",
    ):
        (tmp_path / name).touch()
    (shelf / "000000010000000000000005.bz2").touch()

    found = scan(tmp_path)

    assert sorted(found.segments) == [f"00000001000000000000000{number}" for number in (1, 2, 3, 5)]
    assert found.segments["000000010000000000000003"].path.name == "000000010000000000000003"
    assert list(found.histories) == [2]
    assert list(found.backups) == ["000000010000000000000001"]
    assert found.partial == ["000000010000000000000004.partial"]
    assert sorted(found.unread) == [
        "000000010000000000000006.gpg",
        "000000010000000000000007.gz.age",
    ]


@pytest.mark.parametrize(
    ("there", "run", "broken", "cut_off"),
    [
        ([3, 4, 5], [3, 4, 5], "", 0),
        ([1, 2, 3], [3], "", 0),
        ([3, 5, 6], [3], "WAL segment 000000010000000000000004 is missing from the archive", 2),
        ([4, 5], [], "WAL segment 000000010000000000000003 is missing from the archive", 2),
        ([], [], "", 0),
    ],
    ids=["whole", "older too", "hole", "first missing", "nothing"],
)
def test_a_hole_ends_the_run(
    tmp_path: Path, there: list[int], run: list[int], broken: str, cut_off: int
) -> None:
    """Only segments before the gap can be replayed."""
    write_segments(tmp_path, *(Segment(1, number) for number in there))

    found = supply(scan(tmp_path).segments, ALONE, Lsn(3 * MIB + 40), MIB)

    assert [number for _, number in names(found.files)] == run
    assert (found.broken, found.cut_off) == (broken, cut_off)
    assert found.end == Lsn((3 + len(run)) * MIB)


def test_names_go_on_behind_the_last_segment_of_a_log(tmp_path: Path) -> None:
    """After ...FF comes 000000010000000100000000 only with segments of 16 MiB."""
    write_segments(tmp_path, Segment(1, 4095), Segment(1, 4096))

    found = supply(scan(tmp_path).segments, ALONE, Lsn(4095 * MIB), MIB)

    assert [file.name for file in found.files] == [
        "000000010000000000000FFF",
        "000000010000000100000000",
    ]


def test_a_switch_takes_the_newer_file_of_the_segment_it_lies_in(tmp_path: Path) -> None:
    """The newer file has the WAL of both; later files of the old timeline are not used."""
    write_segments(
        tmp_path, *(Segment(1, number) for number in (2, 3, 4, 5)), Segment(2, 3), Segment(2, 4)
    )

    found = supply(scan(tmp_path).segments, SWITCHED, Lsn(2 * MIB), MIB)

    assert names(found.files) == [(1, 2), (2, 3), (2, 4)]
    assert not found.broken


def test_a_timeline_without_wal_leaves_its_parent_in_use(tmp_path: Path) -> None:
    """PostgreSQL reads the old files, also beyond the fork, and says nothing."""
    write_segments(tmp_path, Segment(1, 2), Segment(1, 3), Segment(1, 4))

    assert names(supply(scan(tmp_path).segments, SWITCHED, Lsn(2 * MIB), MIB).files) == [
        (1, 2),
        (1, 3),
        (1, 4),
    ]


def test_a_hole_in_the_newer_timeline(tmp_path: Path) -> None:
    """PostgreSQL never goes back to the old one."""
    write_segments(tmp_path, Segment(1, 2), Segment(2, 3), Segment(1, 4), Segment(2, 5))

    found = supply(scan(tmp_path).segments, SWITCHED, Lsn(2 * MIB), MIB)

    assert names(found.files) == [(1, 2), (2, 3)]
    assert found.broken == "WAL segment 000000020000000000000004 is missing from the archive"


def test_damage_ends_the_run_like_a_hole(tmp_path: Path) -> None:
    """All segments before the damaged one can be used."""
    write_segments(tmp_path, *(Segment(1, number) for number in (3, 4, 5, 6)))
    (tmp_path / "000000010000000000000005").write_bytes(bytes(MIB))
    by_name = supply(scan(tmp_path).segments, ALONE, Lsn(3 * MIB), MIB)

    found = sound(by_name, EXPECTED, None)

    assert [number for _, number in names(found.files)] == [3, 4]
    assert "000000010000000000000005 does not begin like WAL" in found.broken
    assert (found.end, found.cut_off) == (Lsn(5 * MIB), 1)


def test_nothing_behind_the_target_is_looked_at(tmp_path: Path) -> None:
    """One segment more is read, because a record may end in the next segment."""
    write_segments(tmp_path, *(Segment(1, number) for number in (3, 4, 5, 6)))
    (tmp_path / "000000010000000000000006").write_bytes(bytes(MIB))
    by_name = supply(scan(tmp_path).segments, ALONE, Lsn(3 * MIB), MIB)

    found = sound(by_name, EXPECTED, Lsn(4 * MIB + 100))

    assert [number for _, number in names(found.files)] == [3, 4, 5]
    assert not found.broken


@pytest.mark.parametrize("there", ["a link", "files", "nothing"])
def test_wal_is_laid_out_in_the_copy_and_nowhere_else(tmp_path: Path, there: str) -> None:
    """A link of `initdb --waldir` leads to production's directory."""
    production, data = tmp_path / "production", tmp_path / "data"
    for place in (production, data):
        place.mkdir()
    (production / "0").touch()
    if there == "a link":
        (data / "pg_wal").symlink_to(production)
    if there == "files":
        (data / "pg_wal" / "archive_status").mkdir(parents=True)
        (data / "pg_wal" / "0").touch()

    empty_wal(data)

    place = data / "pg_wal"
    assert not place.is_symlink()
    assert [path.name for path in place.iterdir()] == ["archive_status"]
    assert (production / "0").exists()
