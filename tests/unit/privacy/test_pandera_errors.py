"""Errors of pandera: column, check and count.

pandera is in the environment of the recipes alone: `tests/plugin/test_recipes.py` runs this file.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from pytest_pgrestore.privacy.data_errors import told
from pytest_pgrestore.privacy.exceptions import message_without_values
from tests.unit.privacy.test_data_errors import LIST, VALUE, frame, raised


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize("lazy", [True, False])
def test_pandera_tells_column_check_and_count(kind: str, lazy: bool) -> None:
    """Numbers of a check are shown, its other values are not: they may come from rows."""
    pandera = import_module(f"pandera.{kind}")
    data = frame(kind, id=[1, 2, 3], total=[1, -2, -3], currency=["EUR", VALUE, "USD"])
    schema = pandera.DataFrameSchema(
        {
            "total": pandera.Column(int, pandera.Check.greater_than(0)),
            "currency": pandera.Column(str, pandera.Check.isin([VALUE + "x", LIST])),
            "missing": pandera.Column(int),
        }
    )
    total = "column total: check greater_than(0): 2 rows"
    missing = "column missing: check column_in_dataframe"

    error = raised(lambda: schema.validate(data, lazy=lazy))

    assert VALUE in str(error) or not lazy
    if lazy:
        expected = ["3 errors", missing, total, "column currency: check isin(...): 3 rows"]
        assert told(error) == [expected[0], *(f"  {line}" for line in expected[1:])]
        assert message_without_values(error).startswith("SchemaErrors: 3 errors\n")
    else:
        assert told(error) == [missing]


def test_pandera_tells_the_authors_words() -> None:
    """The text of a check of one's own stands in the file of its function."""
    pandera = import_module("pandera.pandas")
    data = frame("pandas", total=[1, -2], **{LIST: [VALUE, "b"]})

    def told_by(**checks: Any) -> list[str]:
        columns = {name: pandera.Column(checks=check) for name, check in checks.items()}
        return told(raised(lambda: pandera.DataFrameSchema(columns).validate(data)))

    def is_positive(series: Any) -> Any:
        return series > 0

    check = pandera.Check
    assert told_by(total=check.isin([1, "no"])) == ["column total: check isin(1, no): 1 row"]
    assert told_by(total=check(is_positive, error="no total below zero")) == [
        "column total: check no total below zero: 1 row"
    ]
    assert told_by(total=check(is_positive)) == ["column total: check is_positive: 1 row"]
    assert told_by(total=check(is_positive, error=VALUE)) == [
        "column total: check is_positive: 1 row"
    ]
    assert told_by(total=check(lambda one: one > 0, name=VALUE)) == [
        "column total: check (a function): 1 row"
    ]


def test_pandera_does_not_tell_names_that_come_from_the_data() -> None:
    """A pattern finds columns, and a strict schema refuses others: their names may be values."""
    pandera = import_module("pandera.pandas")
    data = frame("pandas", **{LIST: [1, -2]})
    pattern = pandera.DataFrameSchema(
        {"^a.*": pandera.Column(int, pandera.Check.greater_than(0), regex=True)}
    )
    strict = pandera.DataFrameSchema({}, strict=True)

    assert told(raised(lambda: pattern.validate(data))) == ["check greater_than(0): 1 row"]
    assert told(raised(lambda: strict.validate(data)))[-1].strip() == "check column_in_schema"


def test_pandera_does_not_tell_the_values_of_a_type() -> None:
    """A category lists them."""
    polars = import_module("polars")
    pandera = import_module("pandera.polars")
    data = frame("polars", total=["a", "b"])
    schema = pandera.DataFrameSchema({"total": pandera.Column(polars.Enum([VALUE, LIST]))})

    error = raised(lambda: schema.validate(data))

    assert VALUE in str(error)
    assert told(error) == ["column total: check dtype"]
