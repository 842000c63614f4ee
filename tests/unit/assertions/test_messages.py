"""Messages say what is wrong: values as PostgreSQL spells them, documents part by part."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.range import Range

from pytest_pgrestore.assertions.answer import Answer, Show, shown
from pytest_pgrestore.assertions.comparison import rows_complaint
from pytest_pgrestore.assertions.spelling import parse_expectation

VALUES = Show(values=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (Decimal("1.50"), "1.50"),
        (b"\x00\xff", "\\x00ff"),
        (["a", 1, None], '["a", 1, null]'),
        ({"a": {"b": False}}, '{"a": {"b": false}}'),
        (Range(date(2025, 1, 1), None, "[)"), "[2025-01-01,)"),
        (Range(1, 3, "[]"), "[1,3]"),
        (Range(empty=True), "empty"),
        ("x" * 300, f"{'x' * 200}... (300 characters)"),
    ],
)
def test_values_are_spelled_as_in_postgresql(value: Any, text: str) -> None:
    """And not as in Python."""
    assert shown(value) == text


WANTED = {"vat": 20, "features": ["invoices", "coupons"], "mail": {"from": "shop"}}


@pytest.mark.parametrize(
    ("document", "told", "withheld"),
    [
        (
            {**WANTED, "vat": 19},
            "vat: expected 20, observed 19",
            "vat: expected 20, observed another one",
        ),
        (
            {**WANTED, "features": ["invoices", "x"]},
            "features[1]: expected coupons, observed x",
            "features[1]: expected coupons, observed another one",
        ),
        (
            {**WANTED, "features": []},
            'features: expected ["invoices", "coupons"], observed []',
            'features: expected ["invoices", "coupons"], observed a list of 0',
        ),
        ({**WANTED, "mail": {}}, "mail.from is missing", "mail.from is missing"),
        ({**WANTED, "alice": 1}, "1 more key: alice", "1 more key"),
        (WANTED, None, None),
    ],
)
def test_a_document_differs_part_by_part(
    document: dict[str, Any], told: str | None, withheld: str | None
) -> None:
    """What the author expects is shown, and what is there with `show` alone."""
    expect = parse_expectation(WANTED)
    answer = Answer(("document",), [(document,)])

    assert expect.complaint(answer, VALUES) == told
    assert expect.complaint(answer) == withheld


def test_a_truth_value_that_is_not_expected_is_the_other_one() -> None:
    """It is no secret; null is told apart."""
    expect = parse_expectation(False)  # noqa: FBT003 - a value of TOML

    assert expect.complaint(Answer(("x",), [(True,)])) == "expected = false, observed true"
    assert expect.complaint(Answer(("x",), [(None,)])) == "expected false, the value is null"


def test_rows_that_changed_are_shown_with_both_values() -> None:
    """Of named columns alone."""
    columns = ("id", "percent", "mail")
    here = Answer(columns, [(1, 5, "a"), (2, 100, "b"), (3, 7, "c")])
    there = Answer(columns, [(1, 5, "a"), (2, 10, "x"), (3, 7, "c"), (4, 1, "d")])

    told = rows_complaint(here, there, "shop", ["id"], Show(columns=("id", "percent")))

    assert told == (
        "the rows are not those of shop: 1 row of shop is missing, percent differs in 1 row,"
        " mail differs in 1 row\n"
        "missing: id = 4, percent = 1\n"
        "changed: id = 2, percent = 100 (expected 10)"
    )
