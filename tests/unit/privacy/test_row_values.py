"""What is told of a value: its type, its size, and whether it equals another."""

from __future__ import annotations

import re
from collections import namedtuple
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pytest_pgrestore.model.secret import Secret
from pytest_pgrestore.privacy.exceptions import describe
from pytest_pgrestore.privacy.masking import SecretMasker, passwords_in
from pytest_pgrestore.privacy.row_values import Redactor, constants_of, names_of

REDACTOR = Redactor(b"key")


@pytest.mark.parametrize("value", [0, 17, -1.5, True, None, float("inf")], ids=repr)
def test_numbers_truth_values_and_none_are_shown(value: Any) -> None:
    """`assert count > 1000` says nothing without them."""
    assert REDACTOR.of(value) == repr(value)


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
def test_other_values_are_told_by_type_size_and_hash(value: Any, pattern: str) -> None:
    """What is not data through and through has no hash: its address is no identity."""
    assert re.fullmatch(pattern, REDACTOR.of(value))


def test_equal_values_have_equal_hashes() -> None:
    """Whatever order a set or dictionary was filled in; of another run, another hash."""
    row = namedtuple("row", "id name")  # noqa: PYI024 - as psycopg makes it

    assert REDACTOR.of({"a": 1, "b": "x"}) == REDACTOR.of({"b": "x", "a": 1})
    assert REDACTOR.of([row(1, "x")]) == REDACTOR.of([row(1, "x")])
    assert REDACTOR.of("x") != REDACTOR.of("y")
    assert REDACTOR.of([["a"], ["b"]]) != REDACTOR.of([["a", "b"], []])
    assert REDACTOR.of("x") != Redactor(b"other").of("x")


def test_a_list_that_holds_itself_ends() -> None:
    """Without a hash."""
    endless: list[Any] = []
    endless.append(endless)

    assert REDACTOR.of(endless) == "<list of 1>"


def test_a_value_that_does_not_play_along_is_told_by_its_type() -> None:
    """Redacting happens while pytest reports a failure, and must not be one; nor may it take long."""

    class Odd(list[int]):
        def __len__(self) -> int:
            raise RuntimeError

    assert REDACTOR.of(Odd()) == "<Odd>"
    assert REDACTOR.of([0] * 100_001) == "<list of 100001>"


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
def test_a_comparison_says_where_the_sides_differ(left: Any, right: Any, lines: list[str]) -> None:
    """Positions and counts are no values."""
    assert REDACTOR.comparison("==", left, right)[1:] == lines


def test_what_a_statement_writes_out_and_reads() -> None:
    """Also of the head of a block, and of text that is not Python."""
    assert constants_of('    raise ValueError("bad " "order")') == {"bad order"}
    assert constants_of('with pytest.raises(ValueError, match="x"):') == {"x"}
    assert constants_of("else (") == set()
    assert names_of("assert rows == [other, rows]") == ["rows", "other"]


class Diagnosis:
    """As much of psycopg's as is read."""

    def __init__(self, primary: str, function: str = "") -> None:
        self.message_primary = primary
        self.source_function = function


@pytest.mark.parametrize(
    ("kind", "diagnosis", "told"),
    [
        (
            psycopg.errors.InvalidTextRepresentation,
            Diagnosis('no integer: "Bob"s "x"'),
            ": no integer: (withheld)",
        ),
        (
            psycopg.errors.CharacterNotInRepertoire,
            Diagnosis("invalid bytes: 0xe2 0x82"),
            ": invalid bytes: (withheld)",
        ),
        (psycopg.errors.InvalidTextRepresentation, Diagnosis("ungültig: »Bob«"), ""),
        (psycopg.errors.DivisionByZero, Diagnosis("division by zero"), ": division by zero"),
        (
            psycopg.errors.UndefinedTable,
            Diagnosis('relation "shop" does not exist'),
            ': relation "shop" does not exist',
        ),
        (psycopg.errors.RaiseException, Diagnosis("Bob"), ""),
        (psycopg.errors.CheckViolation, Diagnosis("Bob", "exec_stmt_raise"), ""),
    ],
    ids=["quoted", "bytes", "other language", "none", "identifier", "raise", "raise with a code"],
)
def test_a_primary_message_is_told_without_the_values_in_it(
    kind: type[psycopg.Error], diagnosis: Diagnosis, told: str
) -> None:
    """Names of tables stay: they are what one looks for."""

    class Error(kind):  # type: ignore[misc, valid-type]
        diag = diagnosis

    assert describe(Error()) == f"Error (SQLSTATE {kind.sqlstate}){told}"


def test_secrets_are_struck_in_every_spelling() -> None:
    """As it is, as Python shows it, as a URL spells it; a very short one would strike half the report."""
    masker = SecretMasker(
        [*passwords_in(Secret("postgresql://monitor:p%40ss'word@db/shop")), "ab", ""]
    )

    assert masker.mask("it is p@ss'word or p%40ss%27word") == "it is *** or ***"
    assert masker.mask([("x", "p@ss'word"), {"y": "postgresql://monitor:p%40ss'word@db/shop"}]) == [
        ("x", "***"),
        {"y": "***"},
    ]
    assert masker.mask("about") == "about"


def test_a_connection_string_that_is_none_is_a_secret_as_a_whole() -> None:
    """A mistyped one holds the password all the same."""
    assert passwords_in(Secret("password=x y z")) == ["password=x y z"]
