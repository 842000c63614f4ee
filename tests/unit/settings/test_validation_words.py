"""Every mistake in a table is told in our words: what is expected there, and how it is spelled."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pgrestore.session.collection.drill_table import DrillTable
from pytest_pgrestore.settings.inventory_table import InventoryTable
from pytest_pgrestore.settings.mistakes import keys_of
from pytest_pgrestore.settings.read_file import HistoryTable, ReportsTable, SandboxTable
from pytest_pgrestore.settings.toml import Table, read_table
from pytest_pgrestore.sources.registry import SOURCE_TABLES

TABLES: dict[str, type[Table]] = {
    **SOURCE_TABLES,
    "sandbox": SandboxTable,
    "reports": ReportsTable,
    "history": HistoryTable,
    "inventory": InventoryTable,
    "drill": DrillTable,
}

WRONG: list[Any] = [3, -1, 2.5, True, "", "x", [], [3], [[]], ["x"], {}, {"a": 1}]
"""Values of every kind that TOML has; most of them are wrong for any one key."""


def mistakes_in(model: type[Table], table: Any) -> list[str]:
    """Return the mistakes in a table."""
    found: list[str] = []
    read_table(model, table, "T", found)
    return found


@pytest.mark.parametrize("name", TABLES)
def test_no_words_of_the_library_are_shown(name: str) -> None:
    """`Input should be a valid string` is about a value that the user cannot see."""
    model = TABLES[name]
    for key in keys_of(model):
        for value in WRONG:
            for mistake in mistakes_in(model, {key: value}):
                problem, _, hint = mistake.partition("\nHINT: ")
                assert not {"input", "valid"} & set(problem.lower().split()), mistake
                assert hint[-1:] == ".", mistake
                assert "docs/" not in mistake, mistake


def test_one_table_in_place_of_several_names_the_brackets() -> None:
    """`[assert]` is one bracket away from the right spelling."""
    entry = {"name": "a", "sql": "select 1", "expect": 1}

    (mistake,) = mistakes_in(DrillTable, {"assert": entry})
    assert mistake.startswith("T.assert: one table is written where several may be\n")
    assert mistake.endswith("HINT: write [[T.assert]] in its place.")


def test_a_misspelt_key_is_one_mistake_and_not_two() -> None:
    """`expected` is there; calling `expect` missing would send the reader elsewhere."""
    entry = {"name": "a", "sql": "select 1", "expected": 1}

    (mistake,) = mistakes_in(DrillTable, {"assert": [entry]})
    assert mistake.startswith("T.assert.0.expected: unknown key\n")
    assert "HINT: did you mean expect? There are: as_role, compare, expect, " in mistake
