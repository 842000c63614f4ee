"""What is shown of a row value: its type, its size, and whether it equals another."""

from __future__ import annotations

import re
from collections import namedtuple
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from pytest_pgrestore.privacy.row_values import Redactor, constants_of, names_of

REDACTOR = Redactor(b"key")


@pytest.mark.parametrize("value", [0, 17, -1.5, True, None, float("inf")], ids=repr)
def test_numbers_truth_values_and_none_are_shown(value: Any) -> None:
    """`assert count > 1000` is of no use without them."""
    assert REDACTOR.redact(value) == repr(value)


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("Bob", r"<str of 3, #\w{6}>"),
        (b"Bob", r"<bytes of 3, #\w{6}>"),
        (date(2026, 1, 2), r"<date, #\w{6}>"),
        (datetime(2026, 1, 2, tzinfo=UTC), r"<datetime, #\w{6}>"),
        (Decimal("12.50"), r"<Decimal, #\w{6}>"),
        (UUID(int=1), r"<UUID, #\w{6}>"),
        ([1, 2, 3], r"<list of 3, #\w{6}>"),
        ((1, "Bob"), r"<tuple of 2, #\w{6}>"),
        ({"name": "Bob"}, r"<dict of 1, #\w{6}>"),
        ({"Bob"}, r"<set of 1, #\w{6}>"),
        ([object()], r"<list of 1>"),
        (object(), r"<object>"),
        ("\udcff", r"<str of 1, #\w{6}>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_are_shown_by_type_size_and_hash(value: Any, pattern: str) -> None:
    """An object that is no data has no hash: its address says nothing about its value."""
    assert re.fullmatch(pattern, REDACTOR.redact(value))


def test_equal_values_have_equal_hashes() -> None:
    """In whatever order a dictionary was filled; with the key of another run, another hash."""
    row = namedtuple("row", "id name")  # noqa: PYI024 - as psycopg's namedtuple_row makes it

    assert REDACTOR.redact({"a": 1, "b": "x"}) == REDACTOR.redact({"b": "x", "a": 1})
    assert REDACTOR.redact([row(1, "x")]) == REDACTOR.redact([row(1, "x")])
    assert REDACTOR.redact("x") != REDACTOR.redact("y")
    assert REDACTOR.redact([["a"], ["b"]]) != REDACTOR.redact([["a", "b"], []])
    assert REDACTOR.redact("x") != Redactor(b"other").redact("x")


def test_a_list_that_holds_itself_ends() -> None:
    """Without a hash."""
    endless: list[Any] = []
    endless.append(endless)

    assert REDACTOR.redact(endless) == "<list of 1>"


def test_a_value_that_cannot_be_redacted_is_shown_by_its_type() -> None:
    """Redacting happens while pytest reports a failure: it must not raise, nor take long."""

    class Odd(list[int]):
        def __len__(self) -> int:
            raise RuntimeError

    assert REDACTOR.redact(Odd()) == "<Odd>"
    assert REDACTOR.redact([0] * 100_001) == "<list of 100001>"


@pytest.mark.parametrize(
    ("left", "right", "lines"),
    [
        ([1, 2, 3], [1, 5], ["lengths: 3 and 2", "first difference at index 1: 2 != 5"]),
        ([1, 2], [1, 2, 3], ["lengths: 2 and 3"]),
        (
            {"a": 1, "b": 2},
            {"a": 3, "c": 4},
            ["1 only on the left, 1 only on the right, 1 with other values"],
        ),
        ({1, 2}, {2, 3, 4}, ["1 only on the left, 2 only on the right"]),
        ("a", "b", []),
    ],
    ids=["lists", "prefix", "dictionaries", "sets", "texts"],
)
def test_a_comparison_shows_where_the_sides_differ(left: Any, right: Any, lines: list[str]) -> None:
    """Positions and counts are no values."""
    assert REDACTOR.comparison("==", left, right)[1:] == lines


def test_the_texts_and_names_of_a_statement() -> None:
    """Also of the head of a block, and of text that is not Python."""
    assert constants_of('    raise ValueError("bad " "order")') == {"bad order"}
    assert constants_of('with pytest.raises(ValueError, match="x"):') == {"x"}
    assert constants_of("else (") == set()
    assert names_of("assert rows == [other, rows]") == ["rows", "other"]
