"""Reports of a false `assert` in Python have its numbers, and no text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.privacy.traceback_entries import entries_of
from pytest_pgrestore.session.outcomes.compared_numbers import numbers_of

if TYPE_CHECKING:
    from collections.abc import Callable


def rows_are_wrong() -> None:
    """Fail as a test does."""
    rows, first, name = 3, 17, "alice"
    assert rows == 0, f"{rows} rows, first {first} {name}"


def nothing_has_a_name() -> None:
    """Fail as a test does."""
    assert sum([1, 2]) == 0, "3 == 0"


@pytest.mark.parametrize(
    ("check", "comparison", "lines"),
    [
        (rows_are_wrong, ["3 == 0"], ["where rows = 3", "where first = 17"]),
        (nothing_has_a_name, ["3 == 0"], ["assert 3 == 0"]),
        (nothing_has_a_name, ["<str of 3, #a1b2c3> == 0"], []),
        (nothing_has_a_name, [], []),
    ],
)
def test_numbers_are_told(
    check: Callable[[], None], comparison: list[str], lines: list[str]
) -> None:
    """Those that the statement names; else the two that it compares."""
    with pytest.raises(AssertionError) as caught:
        check()

    assert numbers_of(caught.value, entries_of(caught.value)[-1], comparison) == lines
