"""Errors of libraries that check data, with the real libraries: what is told, and what is not.

Values are made at run time, so that no source text contains one. `tests/plugin/test_recipes.py`
runs this file once more, with the releases that readers of the recipes install.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from pytest_pgrestore.privacy.data_errors import told
from pytest_pgrestore.privacy.exceptions import message_without_values

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = "eulav-wor"[::-1]
"""A value: this text is nowhere as it is."""

LIST = "ahpla"[::-1]
"""A value that looks like a name."""


def raised(call: Callable[[], object]) -> BaseException:
    """Return the exception of a call; the value is in its own message, or nothing is proved."""
    try:
        call()
    except Exception as exc:  # noqa: BLE001 - whatever the library raises
        return exc
    pytest.fail("DID NOT RAISE")


def pydantic_models() -> Any:
    """Return a model with another in it."""
    from pydantic import BaseModel, Field, create_model

    line: Any = create_model("Line", price=(int, ...))
    lines = list.__class_getitem__(line)
    fields: Any = {
        "total": (int, Field(ge=0, alias="TOTAL")),
        "lines": (lines, ...),
        "notes": (dict[str, int], ...),
    }
    return create_model("Order", __base__=BaseModel, **fields)


BAD_ORDER = {"TOTAL": -1, "lines": [{"price": 1}, {}, {}], "notes": {VALUE: VALUE}}


@pytest.mark.parametrize("how", ["one", "several", "json"])
def test_pydantic_tells_fields_types_and_counts(how: str) -> None:
    """A key of a dictionary is data, the name of a field is not."""
    from pydantic import TypeAdapter

    model = pydantic_models()
    models: Any = list.__class_getitem__(model)
    calls = {
        "one": lambda: model.model_validate(BAD_ORDER),
        "several": lambda: TypeAdapter(models).validate_python([BAD_ORDER]),
        "json": lambda: model.model_validate_json(json.dumps(BAD_ORDER)),
    }
    error = raised(calls[how])
    row = "[]." if how == "several" else ""

    assert VALUE in str(error)
    assert message_without_values(error).splitlines() == [
        "ValidationError: 4 errors" + ("" if how == "several" else " of Order"),
        f"  {row}TOTAL: greater_than_equal (1)",
        f"  {row}lines[].price: missing (2)",
        f"  {row}notes.*: int_parsing (1)",
    ]


def test_a_type_of_error_that_is_made_of_a_value_is_not_told() -> None:
    """PydanticCustomError takes any text."""
    from pydantic import AfterValidator, TypeAdapter
    from pydantic_core import PydanticCustomError

    def refuse(value: Any) -> str:
        raise PydanticCustomError(value, "wrong")

    error = raised(
        lambda: TypeAdapter(Annotated[str, AfterValidator(refuse)]).validate_python(VALUE)
    )

    assert told(error) == ["1 error", "  an error (1)"]


def test_errors_of_other_classes_and_broken_ones_tell_nothing() -> None:
    """The name alone is no proof, and an attribute may be anything."""

    class ValidationError(ValueError):
        def errors(self) -> list[str]:
            return [VALUE]

    class SchemaError(ValueError):
        @property
        def schema_errors(self) -> object:
            raise RuntimeError(VALUE)

    SchemaError.__module__ = "pandera.errors"

    assert told(ValidationError(VALUE)) == []
    assert told(SchemaError(VALUE)) == []
    assert message_without_values(SchemaError(VALUE)) == "SchemaError"
    assert told(AssertionError(VALUE)) == []


def test_a_long_list_is_cut() -> None:
    """A report is no listing."""
    from pydantic import TypeAdapter, create_model

    fields: Any = {f"field_{number}": (int, ...) for number in range(50)}
    error = raised(lambda: TypeAdapter(create_model("Wide", **fields)).validate_python({}))

    assert len(told(error)) == 21
    assert told(error)[-1] == "  ... and 31 more"


def frame(kind: str, **columns: list[Any]) -> Any:
    """Return a data frame of pandas or polars."""
    return pytest.importorskip(kind).DataFrame(columns)


def same(kind: str) -> Callable[[Any, Any], None]:
    """Return the function of a library that asserts that two frames are equal."""
    compare: Callable[[Any, Any], None] = pytest.importorskip(f"{kind}.testing").assert_frame_equal
    return compare


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_that_differ_tell_column_and_count(kind: str) -> None:
    """A column is named if its name is the author's own word."""
    left = frame(kind, total=[1, 2, 3], **{LIST: [VALUE, "b", "c"]})
    right = frame(kind, total=[1, 2, 4], **{LIST: [VALUE, "b", "c"]})
    other = frame(kind, total=[1, 2, 3], **{LIST: [VALUE + "x", "b", VALUE]})
    compare = same(kind)

    assert told(raised(lambda: compare(left, right))) == ["column total: 1 of 3 values differ"]
    assert told(raised(lambda: compare(left, other))) == [
        "column at position 1: 2 of 3 values differ"
    ]


@pytest.mark.parametrize(
    ("kind", "shorter", "other_columns", "other_type"),
    [
        (
            "pandas",
            "DataFrame: shape differs ((3, 1) and (2, 1))",
            "DataFrame.columns: 100 % of the values differ",
            "column total: dtype differs",
        ),
        (
            "polars",
            "DataFrames: height (row count) mismatch (3 and 2)",
            "DataFrames: columns mismatch",
            "DataFrames: dtypes do not match",
        ),
    ],
)
def test_frames_of_other_forms(
    kind: str, shorter: str, other_columns: str, other_type: str
) -> None:
    """Rows, columns, types."""
    left = frame(kind, total=[1, 2, 3])
    compare = same(kind)

    def message(right: Any) -> list[str]:
        return told(raised(lambda: compare(left, right)))

    assert message(frame(kind, total=[1, 2])) == [shorter]
    assert message(frame(kind, **{LIST: [1, 2, 3]})) == [other_columns]
    assert message(frame(kind, total=[1.5, 2, 3])) == [other_type]


def test_series_of_pandas_and_a_name_of_the_users() -> None:
    """`obj` may be any text: nothing is told then."""
    testing = pytest.importorskip("pandas.testing")
    left, right = frame("pandas", c=[VALUE, "b"])["c"], frame("pandas", c=["a", "b"])["c"]

    assert told(raised(lambda: testing.assert_series_equal(left, right))) == [
        "Series: 1 of 2 values differ"
    ]
    assert told(raised(lambda: testing.assert_series_equal(left, right, obj=VALUE))) == []


@pytest.mark.filterwarnings("ignore:the argument `join_nulls`")  # datacompy 1.1 with polars 1.24
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_datacompy_tells_columns_and_counts(kind: str) -> None:
    """It raises nothing: the statement of the assertion names it."""
    compare_class = getattr(pytest.importorskip("datacompy"), f"{kind.title()}Compare", None)
    if compare_class is None:
        pytest.skip("this release has it elsewhere")
    left = frame(kind, id=[1, 2, 3], total=[1, 2, 3], **{LIST: [VALUE, "b", "c"]})
    right = frame(kind, id=[1, 2, 4], total=[1, 3, 3], **{LIST: ["a", "b", "c"]}, more=[1, 1, 1])
    compare = compare_class(left, right, join_columns="id")

    def assertion() -> None:
        assert compare.matches(), compare.report()

    assert told(raised(assertion)) == [
        "compare: 1 rows only on the left, 1 rows only on the right",
        "  column total: 1 of 2 rows differ",
        "  column at position 2: 1 of 2 rows differ",
        "  0 columns only on the left, 1 columns only on the right",
    ]
