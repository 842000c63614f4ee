"""The header of a WAL segment: does it belong to its name and its cluster?"""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.wal import Segment
from pytest_pgrestore.sources.wal.header import Expected, fault, read_header
from tests.unit.sources.backup_files import EXPECTED, MIB, SYSTEM, header


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
    """PostgreSQL takes most of this damage for the end of WAL."""
    found = fault(start, size, Segment(1, 3), EXPECTED)

    assert found == words if words is None else words in (found or "")


def test_a_major_newer_than_we_know_is_not_damage() -> None:
    """All segments of a newer major have a magic number that is unknown here."""
    start = header(Segment(1, 3), magic=0xD1EF)

    assert fault(start, MIB, Segment(1, 3), Expected(MIB, SYSTEM, 99)) is None
    assert fault(start, MIB, Segment(1, 3), Expected(MIB, None, None)) is None


def test_a_header_of_an_ordinary_page_is_not_that_of_a_segment() -> None:
    """Only a long header names the cluster."""
    short = bytearray(header(Segment(1, 3)))
    short[2] = 0

    assert read_header(bytes(short)) is None
    assert read_header(header(Segment(1, 3))[:39]) is None
