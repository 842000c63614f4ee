"""Numbers, times and text from outside, as every report shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pytest_pgrestore.reports import format as words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "not measured"),
        (0, "0 s"),
        (0.0004, "under 0.001 s"),
        (0.25, "0.250 s"),
        (1, "1 s"),
        (4.24, "4.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (60, "1 min"),
        (723.4, "12 min 3 s"),
        (3599.6, "1 h"),
        (3600, "1 h"),
        (7530, "2 h 6 min"),
        (86_340, "23 h 59 min"),
        (86_399, "1 d"),
        (86_400, "1 d"),
        (273_600, "3 d 4 h"),
        (-90, "-1 min 30 s"),
    ],
)
def test_a_duration_is_rounded_to_two_units(seconds: float | None, text: str) -> None:
    """A figure of 60.0 s or of 1 h 60 min would make readers doubt the others."""
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "not measured"), (0, "0.000 s"), (4.0, "4.000 s"), (723.4, "12 min 3 s (723.400 s)")],
)
def test_the_exact_figure_is_beside_the_rounded_one(seconds: float | None, text: str) -> None:
    """An objective missed by a second must not look met; a missing figure is not zero."""
    assert words.both(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "not known"),
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1536, "1.5 KiB (1536 bytes)"),
        (4_402_341_478, "4.1 GiB (4402341478 bytes)"),
        (5 * 1024**5, "5120.0 TiB (5629499534213120 bytes)"),
    ],
)
def test_a_size_is_in_binary_units(number: int | None, text: str) -> None:
    """512 MB has two meanings; MiB has one."""
    assert words.size(number) == text


def test_a_moment_is_in_utc() -> None:
    """Reports from two time zones are compared."""
    moment = datetime(2026, 6, 15, 16, 30, 0, 871_000, tzinfo=timezone(timedelta(hours=2)))

    assert words.moment(moment) == "2026-06-15 14:30:00.871 UTC"
    assert words.moment(datetime(2026, 6, 15, tzinfo=UTC)) == "2026-06-15 00:00:00 UTC"
    assert words.moment(None) == "not known"


def test_long_text_is_cut_with_a_note() -> None:
    """A page with megabytes of text cannot be opened; without a note it would look complete."""
    text = words.capped("x" * 1_000_000)

    assert len(text) < 20_200
    assert "980000 of 1000000 characters left out here; evidence.json has them all" in text
    assert words.capped("short") == "short"


def test_one_line_is_the_first_that_is_not_blank() -> None:
    """It becomes a name or a cell of a table."""
    assert words.one_line("\n  \n first \nsecond") == "first"
    assert words.one_line("") == ""
    assert len(words.one_line("x" * 1000)) == 400
