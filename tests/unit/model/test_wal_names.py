"""Positions and segment names, as PostgreSQL writes them."""

from __future__ import annotations

import pytest

from pytest_pgrestore.model.wal import Lsn, Segment, is_segment_name

MIB = 1024 * 1024


@pytest.mark.parametrize("text", ["0/0", "0/16B3748", "16/B374D848", "FFFFFFFF/FFFFFFFF"])
def test_a_position_prints_as_postgresql_writes_it(text: str) -> None:
    """It is compared with what the server answers."""
    assert str(Lsn.parse(text)) == text


@pytest.mark.parametrize("size", [1 * MIB, 16 * MIB, 1024 * MIB])
@pytest.mark.parametrize("number", [0, 1, 255, 256, 4095, 70_000])
def test_a_segment_name_is_read_as_it_is_written(size: int, number: int) -> None:
    """The digits depend on the segment size, which production may have changed."""
    segment = Segment(3, number)

    assert Segment.parse(segment.file_name(size), size) == segment


def test_segment_names_match_postgresql() -> None:
    """Checked against pg_walfile_name: 1/2000028 with 16 MiB segments on timeline 1."""
    assert (
        Segment.holding(Lsn.parse("1/2000028"), 1, 16 * MIB).file_name(16 * MIB)
        == "000000010000000100000002"
    )


@pytest.mark.parametrize(
    "name", ["000000010000000100000002.partial", "00000002.history", "foo", "g" * 24]
)
def test_other_files_of_an_archive_are_not_segments(name: str) -> None:
    """Staging one of them would end recovery early."""
    assert not is_segment_name(name)
