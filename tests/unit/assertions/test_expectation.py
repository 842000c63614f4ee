"""``expect`` of a drill file: every spelling, in both directions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pytest_pgrestore.assertions.answer import Answer, Show
from pytest_pgrestore.assertions.expectation import LONGEST_MATCHED
from pytest_pgrestore.assertions.spelling import parse_expectation
from pytest_pgrestore.model.errors import ConfigError


def answer(rows: Any) -> Answer:
    """An answer with these rows; its columns are a, b and so on."""
    return Answer(tuple("abc"[: len(rows[0])] if rows else "a"), rows)


FITS: list[tuple[Any, Any]] = [
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
    ("between 1 and 5", [(1,)]),
    ("between 1 and 5", [(Decimal(5),)]),
    ("between 2026-01-01 and 2026-02-01", [(date(2026, 1, 31),)]),
    ("between 1h and 2h", [(timedelta(minutes=90),)]),
    ("about 100 within 5%", [(95,)]),
    ("about 100 within 3", [(103,)]),
    ("about -100 within 5%", [(-105,)]),
    ("matches ^[A-Z]{3}$", [("EUR",)]),
    (["a", "b"], [("a",), ("b",)]),
    (["rows", "> 1"], [("rows",), ("> 1",)]),
    ([1, 2.5], [([1, Decimal("2.5")],)]),
    ({"a": 3, "b": "> 2"}, [(3, 5)]),
    ({"a": "= EUR"}, [("EUR",)]),
    ({"k": [1, {"x": None}]}, [({"k": [1, {"x": None}]},)]),
    ("!= 5", [(float("nan"),)]),
]
MISFITS: list[tuple[Any, Any]] = [
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
    ("between 1 and 5", [(0,)]),
    ("between 1 and 5", [(5.5,)]),
    ("between 2026-01-01 and 2026-02-01", [(date(2026, 2, 2),)]),
    ("about 100 within 5%", [(94,)]),
    ("about 100 within 5%", [(106,)]),
    ("about 100 within 3", [(96.9,)]),
    ("matches ^[A-Z]{3}$", [("EURO",)]),
    (["a", "b"], [("b",), ("a",)]),
    (["a", "b"], [("a",)]),
    (["a"], [("a", 1)]),
    ([1, 2], [([1, 3],)]),
    ({"a": 3, "b": "> 2"}, [(3, 2)]),
    ({"a": 3}, []),
    ({"a": 3}, [(3,), (3,)]),
    ({"k": 1}, [({"k": 2},)]),
    (">= 5", [(float("nan"),)]),
]


@pytest.mark.parametrize(("expect", "rows"), FITS)
def test_an_answer_that_fits_passes(expect: Any, rows: Any) -> None:
    """Silent on the healthy case."""
    assert parse_expectation(expect).complaint(answer(rows)) is None


@pytest.mark.parametrize(("expect", "rows"), MISFITS)
def test_an_answer_that_does_not_fit_is_reported(expect: Any, rows: Any) -> None:
    """Fires on the broken case."""
    assert parse_expectation(expect).complaint(answer(rows))


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
        "empty",
        "nothing",
        "Not empty",
        "same row",
        "between 1",
        "between 5 and 1",
        "between a and b",
        "between 1 and 1h",
        "about many within 5%",
        "about 5 within x",
        "about 5 within -1",
        "matches [",
        {"a": "no rows"},
        {"a": ">= many"},
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
        parse_expectation(expect).complaint(answer([(value,)]))


def test_the_value_shows_only_where_it_is_asked_for() -> None:
    """An answer is production data; a count, a date or an aggregate is what the author wants."""
    expectation = parse_expectation("= EUR")
    rows = answer([("secret",)])

    assert "secret" not in str(expectation.complaint(rows))
    assert expectation.complaint(rows, Show(values=True)) == "expected = EUR, observed secret"


def test_named_columns_of_the_first_rows_are_shown() -> None:
    """The author names them, and so publishes them; the others stay out."""
    rows = Answer(("relname", "note"), [(f"t{i}", "secret") for i in range(7)])

    told = str(parse_expectation("no rows").complaint(rows, Show(columns=("relname",))))

    assert told.splitlines()[:2] == ["expected no rows, the query returned 7", "  relname = t0"]
    assert told.splitlines()[-1] == "  and 2 more rows"
    assert "secret" not in told


@pytest.mark.parametrize("expect", ["no rows", "rows", ">= 1"])
def test_a_shown_column_that_is_not_there_is_a_mistake(expect: str) -> None:
    """Also where the answer is as expected: it must not wait for the bad night."""
    with pytest.raises(ConfigError, match="did you mean relname"):
        parse_expectation(expect).complaint(Answer(("relname",), [(5,)]), Show(columns=("relnam",)))


@pytest.mark.parametrize(
    ("expect", "rows", "told"),
    [
        (["a", "b"], [("a",), ("x",)], "value 2 of 2: the observed value does not satisfy = b"),
        ({"n": "> 1", "m": 5}, [(1, 6)], "n: the observed value does not satisfy > 1"),
        (["a"], [("a",), ("b",)], "expected 1 values, the query returned 2"),
        ("20000", [(20000,)], "HINT: write expect = 20000 without quotes."),
        ("empty", [], "HINT: did you mean 'no rows'?"),
        ({"n": 1, "mm": 5}, [(1, 6)], "did you mean m?"),
    ],
)
def test_the_message_names_the_place(expect: Any, rows: Any, told: str) -> None:
    """At night nobody wants to count columns."""
    try:
        columns = ("n", "m")[: len(rows[0]) if rows else 1]
        found = str(parse_expectation(expect).complaint(Answer(columns, rows)))
    except ConfigError as exc:
        found = str(exc)

    assert told in found


def test_a_value_is_shown_if_its_column_is_named() -> None:
    """The author named it; the other one stays withheld."""
    answer = Answer(("n", "secret"), [(7, 8)])
    found = parse_expectation({"n": "> 9", "secret": "> 9"}).complaint(answer, Show(columns=("n",)))

    assert found == "n: expected > 9, observed 7\nsecret: the observed value does not satisfy > 9"
    one = Answer(("n",), [(7,)])
    assert (
        parse_expectation("> 9").complaint(one, Show(columns=("n",))) == "expected > 9, observed 7"
    )


def test_a_pattern_is_not_looked_for_in_a_text_without_end() -> None:
    """The text is a stranger's, and the time may grow with the square of its length."""
    expected = parse_expectation("matches x+$")

    assert expected.complaint(answer([("x" * LONGEST_MATCHED,)])) is None
    with pytest.raises(ConfigError, match="matches is for 10,000 at most"):
        expected.complaint(answer([("x" * (LONGEST_MATCHED + 1),)]))


@pytest.mark.parametrize(
    ("expect", "value"),
    [({"version": 1}, {"version": True}), ({"a": [True]}, {"a": [1]})],
)
def test_true_is_not_one_in_a_document(expect: Any, value: Any) -> None:
    """It is in Python."""
    assert parse_expectation(expect).complaint(answer([(value,)]))


def test_nothing_is_larger_than_nan() -> None:
    """Decimal raises an error of its own there."""
    with pytest.raises(ConfigError, match="compares with no number"):
        parse_expectation(">= nan")
