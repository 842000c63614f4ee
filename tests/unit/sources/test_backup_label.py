"""What the text of a backup label tells: times, and the size of a segment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.wal.backup_label import moment, parse_label


@pytest.mark.parametrize(
    ("written", "reference", "expected"),
    [
        ("2026-06-15 14:00:00 UTC", None, 14),
        ("2026-06-15 14:00:00 GMT", None, 14),
        ("2026-06-15 14:00:00 +02", None, 12),
        ("2026-06-15 14:00:00 -0330", None, 17),
        ("2026-06-15 14:00:00 CEST", None, None),
        (
            "2026-06-15 14:00:00 IST",
            ("2026-06-15 13:00:00 IST", datetime(2026, 6, 15, 7, 30, 2, tzinfo=UTC)),
            8,
        ),
        (
            "2026-06-15 14:00:00 CET",
            ("2026-06-15 13:00:00 CEST", datetime(2026, 6, 15, 11, tzinfo=UTC)),
            None,
        ),
        ("yesterday", None, None),
    ],
)
def test_a_zone_of_letters_is_not_guessed(
    written: str, reference: tuple[str, datetime] | None, expected: int | None
) -> None:
    """IST is Indian, Irish or Israeli time; only a known time in UTC shows which."""
    found = moment(written, reference)

    assert (None if found is None else found.hour) == expected


@pytest.mark.parametrize("size", [1, 2, 16, 64, 1024])
def test_the_label_gives_the_segment_size_away(size: int) -> None:
    """Position and file name fit together for one size only."""
    segment_bytes = size << 20
    number = 5
    per_log = (1 << 32) // segment_bytes
    name = f"00000001{number // per_log:08X}{number % per_log:08X}"
    lsn = Lsn(number * segment_bytes + 40)

    label = parse_label(f"START WAL LOCATION: {lsn} (file {name})\n", "backup_label")

    assert label.segment_bytes() == segment_bytes
