"""``expect`` of a drill file: every spelling, in both directions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.session.collection.expectations import parse_expectation

FITS = [
    ("no rows", []),
    ("rows", [(1,)]),
    (">= 1000", [(1000,)]),
    ("> 1_000", [(Decimal("1000.5"),)]),
    ("< 0.5", [(0.25,)]),
    ("<= 3", [(3,)]),
    ("= 12.50", [(Decimal("12.5"),)]),
    ("!= 0", [(1,)]),
    (7, [(7,)]),
    (2.5, [(Decimal("2.50"),)]),
    (True, [(True,)]),
    ("EUR", [("EUR",)]),
    ("= EUR", [("EUR",)]),
    ("= 42", [("42",)]),
    ("> 2026-01-01", [(datetime(2026, 1, 2, tzinfo=UTC),)]),
    ("> 2026-01-01", [(date(2026, 1, 2),)]),
    (">= 2026-01-01T12:00:00+02:00", [(datetime(2026, 1, 1, 10, tzinfo=UTC),)]),
    (date(2026, 1, 2), [(date(2026, 1, 2),)]),
    ("< 1h", [(timedelta(minutes=59),)]),
    ("< PT1H", [(timedelta(minutes=59),)]),
]
MISFITS = [
    ("no rows", [(1,)]),
    ("rows", []),
    (">= 1000", [(999,)]),
    ("> 1000", [(1000,)]),
    ("< 0.5", [(0.5,)]),
    ("!= 0", [(0,)]),
    (7, [(8,)]),
    (True, [(False,)]),
    ("EUR", [("USD",)]),
    ("> 2026-01-01", [(date(2026, 1, 1),)]),
    ("< 1h", [(timedelta(hours=1),)]),
    (">= 1000", [(None,)]),
    (">= 1000", []),
    (">= 1000", [(5000,), (5000,)]),
    (">= 1000", [(5000, 5000)]),
]


@pytest.mark.parametrize(("expect", "rows"), FITS)
def test_an_answer_that_fits_passes(expect: Any, rows: Any) -> None:
    """Silent on the healthy case."""
    assert parse_expectation(expect).complaint(rows, show_values=False) is None


@pytest.mark.parametrize(("expect", "rows"), MISFITS)
def test_an_answer_that_does_not_fit_is_reported(expect: Any, rows: Any) -> None:
    """Fires on the broken case."""
    assert parse_expectation(expect).complaint(rows, show_values=False)


@pytest.mark.parametrize(
    "expect",
    [
        "",
        "no row",
        "row",
        "No rows",
        ">=",
        ">= many",
        "< x",
        "=> 5",
        "== 5",
        "~ 5",
        [],
        {},
        ["rows"],
    ],
)
def test_a_mistyped_expectation_is_refused(expect: Any) -> None:
    """It must not become a comparison that happens to pass."""
    with pytest.raises(ConfigError, match="HINT: "):
        parse_expectation(expect)


@pytest.mark.parametrize(
    ("expect", "value"),
    [(">= 1000", "many"), ("< 1h", 5), ("> 2026-01-01", 5), (5, True), (True, 1)],
)
def test_different_kinds_are_a_mistake_and_no_finding(expect: Any, value: Any) -> None:
    """A comparison of a text with a number is no finding about the backup."""
    with pytest.raises(ConfigError):
        parse_expectation(expect).complaint([(value,)], show_values=False)


def test_the_value_shows_only_where_it_is_asked_for() -> None:
    """An answer is production data."""
    expectation = parse_expectation("= EUR")

    assert "secret" not in str(expectation.complaint([("secret",)], show_values=False))
    assert "secret" in str(expectation.complaint([("secret",)], show_values=True))
