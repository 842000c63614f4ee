"""Names, holes and timelines of archived WAL, on fabricated files: logic only, no server."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import TargetUnreachable
from pytest_pgrestore.model.wal import Lsn, Segment
from pytest_pgrestore.sources.wal.header import Expected, fault, read_header
from pytest_pgrestore.sources.wal.segments import WalFile, scan, sound, supply
from pytest_pgrestore.sources.wal.staging import empty_wal
from pytest_pgrestore.sources.wal.timelines import TimelinePath, follow, parse_history

MIB = 1 << 20
SYSTEM = 7711133938856625400
EXPECTED = Expected(MIB, SYSTEM, 18)
ALONE = TimelinePath(((1, None),))
SWITCHED = TimelinePath(((1, Lsn(3 * MIB + 500)), (2, None)))


def header(
    segment: Segment, *, magic: int = 0xD118, system: int = SYSTEM, size: int = MIB
) -> bytes:
    """Return the first bytes of a healthy segment, as PostgreSQL writes them."""
    return struct.pack(
        "<HHIQI4xQII", magic, 2, segment.timeline, segment.start(MIB), 0, system, size, 8192
    )


def write(directory: Path, *segments: Segment) -> None:
    """Write healthy segments."""
    for segment in segments:
        (directory / segment.file_name(MIB)).write_bytes(header(segment).ljust(MIB, b"\0"))


def names(files: tuple[WalFile, ...]) -> list[tuple[int, int]]:
    """Return timeline and number of each file."""
    parsed = [Segment.parse(file.name, MIB) for file in files]
    return [(segment.timeline, segment.number) for segment in parsed]


def test_a_directory_is_sorted_into_segments_and_the_rest(tmp_path: Path) -> None:
    """Compressed or not, in directories by log or not; what is not complete is not used."""
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
    ):
        (tmp_path / name).touch()
    (shelf / "000000010000000000000005.bz2").touch()

    found = scan(tmp_path)

    assert sorted(found.segments) == [f"00000001000000000000000{number}" for number in (1, 2, 3, 5)]
    assert found.segments["000000010000000000000003"].path.name == "000000010000000000000003"
    assert list(found.histories) == [2]
    assert list(found.backups) == ["000000010000000000000001"]
    assert found.partial == ["000000010000000000000004.partial"]


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
    """Only what follows without a gap can be replayed."""
    write(tmp_path, *(Segment(1, number) for number in there))

    found = supply(scan(tmp_path).segments, ALONE, Lsn(3 * MIB + 40), MIB)

    assert [number for _, number in names(found.files)] == run
    assert (found.broken, found.cut_off) == (broken, cut_off)
    assert found.end == Lsn((3 + len(run)) * MIB)


def test_names_go_on_behind_the_last_segment_of_a_log(tmp_path: Path) -> None:
    """0000000100000000000000FF is followed by 000000010000000100000000 only with segments of 16 MiB."""
    write(tmp_path, Segment(1, 4095), Segment(1, 4096))

    found = supply(scan(tmp_path).segments, ALONE, Lsn(4095 * MIB), MIB)

    assert [file.name for file in found.files] == [
        "000000010000000000000FFF",
        "000000010000000100000000",
    ]


def test_a_switch_takes_the_newer_file_of_the_segment_it_lies_in(tmp_path: Path) -> None:
    """That file holds both; what the old timeline wrote behind the switch is not ours."""
    write(tmp_path, *(Segment(1, number) for number in (2, 3, 4, 5)), Segment(2, 3), Segment(2, 4))

    found = supply(scan(tmp_path).segments, SWITCHED, Lsn(2 * MIB), MIB)

    assert names(found.files) == [(1, 2), (2, 3), (2, 4)]
    assert not found.broken


def test_the_old_file_stands_in_until_the_new_one_is_archived(tmp_path: Path) -> None:
    """PostgreSQL does the same."""
    write(tmp_path, Segment(1, 2), Segment(1, 3), Segment(1, 4))

    assert names(supply(scan(tmp_path).segments, SWITCHED, Lsn(2 * MIB), MIB).files) == [
        (1, 2),
        (1, 3),
    ]


@pytest.mark.parametrize(
    ("start", "size", "words"),
    [
        (header(Segment(1, 3)), MIB, None),
        (header(Segment(1, 3)), None, None),
        (header(Segment(1, 3)), 500_000, "cut short"),
        (b"", 0, "cut short"),
        (bytes(40), MIB, "with zeros"),
        (b"PK\3\4" * 10, MIB, "does not begin like WAL"),
        (
            header(Segment(1, 4)),
            MIB,
            "holds the bytes of 0/400000: it is a copy of another segment",
        ),
        (header(Segment(2, 3)), MIB, "belongs to timeline 2"),
        (header(Segment(1, 3), system=1), MIB, "is from another database cluster"),
        (header(Segment(1, 3), magic=0xD110), MIB, "was not written by PostgreSQL 18, but by 15"),
        (header(Segment(1, 3), magic=0xD1EF), MIB, "by an unknown version"),
        (header(Segment(1, 3), size=16 * MIB), MIB, "segments of 16777216 bytes"),
    ],
)
def test_the_first_bytes_tell_the_wrong_segment(
    start: bytes, size: int | None, words: str | None
) -> None:
    """PostgreSQL takes most of these for the end of WAL."""
    found = fault(start, size, Segment(1, 3), EXPECTED)

    assert found == words if words is None else words in (found or "")


def test_a_major_newer_than_we_know_is_not_damage() -> None:
    """Its number is unknown in all of its segments."""
    start = header(Segment(1, 3), magic=0xD1EF)

    assert fault(start, MIB, Segment(1, 3), Expected(MIB, SYSTEM, 99)) is None
    assert fault(start, MIB, Segment(1, 3), Expected(MIB, None, None)) is None


def test_damage_ends_the_run_like_a_hole(tmp_path: Path) -> None:
    """Up to it, everything can be used."""
    write(tmp_path, *(Segment(1, number) for number in (3, 4, 5, 6)))
    (tmp_path / "000000010000000000000005").write_bytes(bytes(MIB))
    by_name = supply(scan(tmp_path).segments, ALONE, Lsn(3 * MIB), MIB)

    found = sound(by_name, EXPECTED, None)

    assert [number for _, number in names(found.files)] == [3, 4]
    assert "000000010000000000000005 does not begin like WAL" in found.broken
    assert (found.end, found.cut_off) == (Lsn(5 * MIB), 1)


def test_nothing_behind_the_target_is_looked_at(tmp_path: Path) -> None:
    """But one segment more than holds it: a record may begin in one and end in the next."""
    write(tmp_path, *(Segment(1, number) for number in (3, 4, 5, 6)))
    (tmp_path / "000000010000000000000006").write_bytes(bytes(MIB))
    by_name = supply(scan(tmp_path).segments, ALONE, Lsn(3 * MIB), MIB)

    found = sound(by_name, EXPECTED, Lsn(4 * MIB + 100))

    assert [number for _, number in names(found.files)] == [3, 4, 5]
    assert not found.broken


def test_a_header_of_an_ordinary_page_is_not_that_of_a_segment() -> None:
    """Only the long one tells the cluster."""
    short = bytearray(header(Segment(1, 3)))
    short[2] = 0

    assert read_header(bytes(short)) is None
    assert read_header(header(Segment(1, 3))[:39]) is None


HISTORIES = {
    2: "1\t0/300500\tno recovery target specified\n",
    3: "1\t0/300500\tno recovery target specified\n\n2\t0/500000\tbefore 2026-06-15 14:30:00+00\n",
    9: "8\t0/300500\tno recovery target specified\n",
}


def test_a_history_names_its_ancestors() -> None:
    """Comments and empty lines are allowed."""
    assert parse_history("# a comment\n" + HISTORIES[3]) == [(1, Lsn(0x300500)), (2, Lsn(0x500000))]


@pytest.mark.parametrize(
    ("timeline", "wanted", "stop", "steps"),
    [
        (1, "latest", 0x200000, [1, 2, 3]),
        (1, "current", 0x200000, [1]),
        (1, 1, 0x200000, [1]),
        (1, 2, 0x200000, [1, 2]),
        (1, "latest", 0x400000, [1]),
        (2, "latest", 0x400000, [2, 3]),
        (2, "latest", 0x600000, [2]),
        (3, "latest", 0x600000, [3]),
    ],
)
def test_latest_is_the_newest_that_descends_from_the_backup(
    timeline: int, wanted: int | str, stop: int, steps: list[int]
) -> None:
    """A branch that left before the backup ended can never be reached from it."""
    path, _ = follow(HISTORIES, timeline, wanted, Lsn(stop))  # type: ignore[arg-type]

    assert [number for number, _ in path.steps] == steps
    assert path.last == steps[-1]


def test_what_is_not_followed_is_said() -> None:
    """Timeline 9 is newest, and not ours."""
    _, notes = follow(HISTORIES, 1, "latest", Lsn(0x200000))

    assert notes == [
        "timeline 9 of the archive was not followed: its history descends from 8 and not from the backup's timeline 1"
    ]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [(7, "holds no 00000007.history"), (9, "descends from 8"), (2, "before the backup ended")],
)
def test_a_timeline_that_cannot_be_reached_is_refused(wanted: int, words: str) -> None:
    """It never turns into another one."""
    with pytest.raises(TargetUnreachable, match=words):
        follow(HISTORIES, 1, wanted, Lsn(0x400000))


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
