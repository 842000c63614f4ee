"""Two sides compared: one value, or row by row, and never a value in the message unasked."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pytest_pgrestore.assertions.answer import Answer, Show
from pytest_pgrestore.assertions.comparison import rows_complaint, value_complaint
from pytest_pgrestore.assertions.operand import Tolerance
from pytest_pgrestore.assertions.spelling import parse_expectation
from pytest_pgrestore.model.errors import ConfigError, HarnessError


def one(value: Any) -> Answer:
    """An answer of one value."""
    return Answer(("v",), [(value,)])


@pytest.mark.parametrize(
    ("here", "there", "within"),
    [
        (1, 1, "0"),
        (1, Decimal("1.00"), "0"),
        ("a", "a", "0"),
        (95, 100, "5%"),
        (105, 100, "5%"),
        (97, 100, "3"),
        (-105, -100, "5%"),
    ],
)
def test_values_that_are_near_enough_are_the_same(here: Any, there: Any, within: str) -> None:
    """Silent on the healthy case."""
    assert value_complaint(one(here), one(there), "x", Tolerance.parse(within)) is None


@pytest.mark.parametrize(
    ("here", "there", "within"),
    [
        (1, 2, "0"),
        (None, 0, "0"),
        (0, None, "5%"),
        ("a", "b", "0"),
        (94, 100, "5%"),
        (96, 100, "3"),
    ],
)
def test_other_values_are_told(here: Any, there: Any, within: str) -> None:
    """They are shown if the author asks for it."""
    tolerance = Tolerance.parse(within)
    near = "" if within == "0" else f", within {within}"
    shown = ["null" if value is None else str(value) for value in (there, here)]

    hidden = value_complaint(one(here), one(there), "x@latest", tolerance)
    told = value_complaint(one(here), one(there), "x@latest", tolerance, Show(values=True))

    assert hidden == f"the value is not that of x@latest{near}"
    assert told == f"expected {shown[0]} as in x@latest{near}, observed {shown[1]}"


@pytest.mark.parametrize(
    ("here", "there"),
    [(one("a"), one("b")), (Answer(("a", "b"), [(1, 2)]), one(1)), (one(1), Answer(("a",), []))],
)
def test_what_cannot_be_compared_is_a_mistake(here: Answer, there: Answer) -> None:
    """Texts have no distance, and several values are not one."""
    with pytest.raises(ConfigError, match=r"within is about numbers|one value is compared"):
        value_complaint(here, there, "x", Tolerance.parse("5%"))


COLUMNS = ("id", "note", "total", "at")
MOMENT = datetime(2026, 6, 15, tzinfo=UTC)
ROWS = [
    (1, "secret-a", Decimal("1.50"), MOMENT),
    (2, None, None, None),
    (3, "secret-c", Decimal("1e3"), MOMENT),
]


def compared(here: list[Any], there: list[Any], *shown: str) -> str | None:
    """The complaint about two answers with the key `id`."""
    sides = Answer(COLUMNS, here), Answer(COLUMNS, there)
    return rows_complaint(*sides, "the live server", ["id"], Show(columns=shown))


def test_the_same_rows_in_another_order_are_the_same() -> None:
    """So are numbers with other zeros."""
    other = [(3, "secret-c", Decimal(1000), MOMENT), ROWS[1], ROWS[0]]

    assert compared(ROWS, ROWS) is None
    assert compared(ROWS, other) is None
    assert compared([], []) is None


def test_rows_that_differ_are_counted_and_named_by_their_key() -> None:
    """The columns that changed are named; a value is shown of named columns alone."""
    there = [
        (2, "secret-b", None, None),
        (3, "secret-C", Decimal(999), MOMENT),
        (4, "secret-d", None, None),
    ]

    told = compared(ROWS, there, "id")

    assert told == (
        "the rows are not those of the live server: 1 row of the live server is missing,"
        " 1 row is not in the live server, note differs in 2 rows, total differs in 1 row"
        "\nmissing: id = 4\nadded: id = 1\nchanged: id = 2\nchanged: id = 3"
    )
    assert "secret" not in (compared(ROWS, there) or "")


@pytest.mark.parametrize("empty", ["here", "there"])
def test_an_empty_side_misses_all_rows(empty: str) -> None:
    """Nothing is left of a table: the worst case must not be an error of a library."""
    told = compared([], ROWS) if empty == "here" else compared(ROWS, [])

    assert told is not None
    assert told.endswith(" are missing" if empty == "here" else " are not in the live server")


@pytest.mark.parametrize(
    ("key", "there", "told"),
    [
        (["idd"], Answer(COLUMNS, ROWS), "key names 'idd', which is no column"),
        (["at"], Answer(COLUMNS, ROWS), "does not identify a row: one is null"),
        (["id"], Answer(COLUMNS, [*ROWS, ROWS[0]]), "does not identify a row: one comes twice"),
        (["id"], Answer(("id", "note", "at", "total"), ROWS), "the columns differ"),
    ],
)
def test_a_key_that_identifies_no_row_is_a_mistake(
    key: list[str], there: Answer, told: str
) -> None:
    """It is no finding about the backup."""
    with pytest.raises(ConfigError, match=told):
        rows_complaint(Answer(COLUMNS, ROWS), there, "x", key)


def test_nothing_on_both_sides_is_no_agreement() -> None:
    """The newest row of two emptied tables is null."""
    with pytest.raises(HarnessError, match="both values are null"):
        value_complaint(one(None), one(None), "x")


def test_long_numbers_keep_their_last_digit() -> None:
    """Thirty digits are no rare key."""
    long = Decimal(123456789012345678901234567891)
    other = long + Decimal("1e0")
    rows = [(long, "a"), (Decimal("1.10"), "b")]

    def compared_keys(there: list[Any]) -> str | None:
        sides = Answer(("id", "v"), rows), Answer(("id", "v"), there)
        return rows_complaint(*sides, "x", ["id"])

    assert compared_keys([(long, "a"), (Decimal("1.1"), "b")]) is None
    assert compared_keys([(Decimal(int(other)), "a"), (Decimal("1.1"), "b")]) is not None


def test_two_columns_of_one_name_are_a_mistake() -> None:
    """Only the last one would be compared."""
    answer = Answer(("id", "status", "status"), [(1, "paid", "new")])

    with pytest.raises(ConfigError, match="two columns called 'status'"):
        rows_complaint(answer, answer, "x", ["id"])
    with pytest.raises(ConfigError, match="two columns called 'status'"):
        parse_expectation({"id": 1, "status": "new"}).complaint(answer)


def test_a_key_alone_is_compared() -> None:
    """A column of the key does not differ: such rows are missing or added."""
    told = rows_complaint(Answer(("id",), [(1,)]), Answer(("id",), [(2,)]), "x", ["id"])

    assert told == "the rows are not those of x: 1 row of x is missing, 1 row is not in x"
