"""F-strings of a test's author are told again, and a long value costs no time."""

from __future__ import annotations

import pytest

from pytest_pgrestore.privacy.row_values import Redactor
from pytest_pgrestore.privacy.written_words import written_words

ROWS = ", ".join(["a, b"] * 5_000)


@pytest.mark.parametrize(
    ("statement", "text", "told"),
    [
        ('fail(f"{n} orders")', "3 orders", "3 orders"),
        ('fail(f"orders: {n}")', "orders: 3", "orders: 3"),
        ('fail(f"{n}{n}")', "33", "33"),
        ('fail(f"{n} of {n}, {n}")', "3 of 3, 3", "3 of 3, 3"),
        ('fail(f"no value")', "no value", "no value"),
        ('fail(f"a{n}a")', "ab", None),
        ('fail(f"{n} of {n}")', "3 in 3", None),
        ('fail(f"{n} of {n} of {n}")', "3 of 3", None),
        ('fail(f"{n}, {n}, {n}, {n}." if n else f"rows: {rows}")', f"rows: {ROWS}", "rows: <str"),
    ],
)
def test_the_words_of_the_author_are_found(statement: str, text: str, told: str | None) -> None:
    """In their order, and nothing else. A regular expression took hours for the last one."""
    found = written_words(text, statement, {"n": 3, "rows": ROWS}, Redactor(b"key"))

    assert (found is None) == (told is None)
    assert (found or "").startswith(told or "")
