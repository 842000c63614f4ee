"""What a freshness query may answer, and moments in the future."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pytest_pgrestore.restore.freshness import SKEW, UnusableError, _moment, require_past

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "no row"),
        ([(NOON,), (NOON,)], "several rows"),
        ([(NOON, NOON)], "several columns"),
        ([(None,)], "NULL"),
        ([(date(2026, 3, 1),)], "a date"),
        ([("2026-03-01",)], "str, not a timestamp"),
    ],
)
def test_an_answer_that_is_no_moment_has_its_own_words(rows: list[Any], words: str) -> None:
    """Each was taken for a moment, or stopped the drill."""
    with pytest.raises(UnusableError, match=words) as excinfo:
        _moment(rows, "the query")

    assert excinfo.value.hint


def test_a_timestamp_without_zone_is_read_as_utc() -> None:
    """As the server reads it, which runs in UTC."""
    assert _moment([(datetime(2026, 3, 1, 12),)], "the query") == NOON  # noqa: DTZ001 - the case


def test_a_moment_in_the_future_is_refused_beyond_the_skew_of_two_clocks() -> None:
    """It would count as no loss."""
    require_past(NOON + SKEW, NOON, "the row", "hint")

    with pytest.raises(UnusableError, match="the row lies 0:01:01 in the future"):
        require_past(NOON + SKEW + timedelta(seconds=1), NOON, "the row", "hint")
