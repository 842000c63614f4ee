"""Comparisons of tables by pandas, polars and datacompy, without values; see `data_errors`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.privacy.row_values import names_of
from pytest_pgrestore.privacy.source_words import SourceWords, plain
from pytest_pgrestore.privacy.traceback_entries import entries_of, frames_of, statement_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_PANDAS = re.compile(
    r"(?:Attributes of )?(?P<what>DataFrame|Series|Index|MultiIndex)(?P<part>\.index|\.columns"
    r'|\.iloc\[:, (?P<at>\d+)\] \(column name="(?P<name>.*?)"\))? are different\n\n'
    r"[^\n]*?(?:(?P<shape>shape mismatch|length are different)|values are different"
    r' \((?P<share>[\d.]+) %\)|Attribute "(?P<attribute>[a-z]+)" are different)\n'
)
"""Source: pandas (2.2 to 3.1), pandas/_testing/asserters.py, raise_assert_detail."""

_POLARS = re.compile(
    r"(?P<what>DataFrames|Series|LazyFrames) are different \("
    r"(?P<why>[a-z ()]*?mismatch|columns are not in the same order|dtypes do not match)"
    r'[^\n]*?(?:for column ["\'](?P<name>[^\n]*)["\'])?[^\n"\']*\)\n'
)
"""Source: polars (1.0 to 2.1), polars/testing/asserts/ and crates/polars-testing."""

_SIDES = re.compile(
    r"^\[left\]: +(\(?\d[\d, ]*\d\)?|\d+)(?:, [^\n]*)?\n\[right\]: (\(?\d[\d, ]*\d\)?|\d+)",
    re.MULTILINE,
)
"""The two sides where they are numbers: rows, or rows and columns."""

_ABOUT_SIZES = ("height", "length", "number of rows", "shape")
"""Reasons of polars whose sides are sizes; those of others may be names that come from rows."""


def of_assertion(error: BaseException) -> Iterator[str]:
    """Yield lines about an assertion of pandas' or polars' testing module, or about datacompy."""
    frames = frames_of(error)
    raised_in = str(frames[-1].f_globals.get("__name__")) if frames else ""
    if raised_in.startswith("pandas._testing"):
        yield _of_pandas(error, frames)
    elif raised_in.startswith("polars.testing"):
        yield _of_polars(error, frames)
    else:
        yield from _of_datacompy(error)


def _of_pandas(error: BaseException, frames: list[FrameType]) -> str:
    """Return the line of pandas.

    Raises:
        TypeError: The message has another form: `obj` may be any text.
    """
    text = str(error)
    found = _required(_PANDAS.match(text))
    part = found["part"] or ""
    if found["at"] is not None:
        where = _column(found["name"], int(found["at"]), error)
    else:
        where = f"{found['what']}{part}"
    if found["attribute"] is not None:
        return f"{where}: {found['attribute']} differs"
    if found["share"] is None:
        return f"{where}: {found['shape'].split()[0]} differs{_sides(text)}"
    share = float(found["share"])
    if part == ".columns" or found["what"].endswith("Index"):
        return f"{where}: {share:.3g} % of the values differ"
    rows = len(_sides_of(frames)[0])
    return f"{where}: {round(share * rows / 100)} of {rows} values differ"


def _of_polars(error: BaseException, frames: list[FrameType]) -> str:
    """Return the line of polars.

    Raises:
        TypeError: The message has another form.
    """
    text = str(error)
    found = _required(_POLARS.match(text))
    if found["name"] is None:
        sizes = _sides(text) if found["why"].startswith(_ABOUT_SIZES) else ""
        return f"{found['what']}: {found['why']}{sizes}"
    left, right = _sides_of(frames)
    position = list(left.columns).index(found["name"])
    where = _column(found["name"], position, error)
    counted = _differing(left[found["name"]], right[found["name"]])
    return f"{where}: {counted or found['why']}"


def _differing(left: Any, right: Any) -> str:
    """Return how many values differ; "" where that is not counted: numbers may be close enough."""
    if len(left) != len(right) or left.dtype.is_float():
        return ""
    return f"{int(left.ne_missing(right).sum())} of {len(left)} values differ"


def _of_datacompy(error: BaseException) -> Iterator[str]:
    """Yield the lines about each comparison of datacompy that the statement of a test names."""
    entries = entries_of(error)
    if not entries:
        return
    words = SourceWords(error)
    for name in names_of(statement_of(entries[-1])):
        compare: Any = entries[-1].locals.get(name)
        if not type(compare).__module__.startswith("datacompy."):
            continue
        only = [len(compare.df1_unq_rows), len(compare.df2_unq_rows)]
        yield f"{name}: {only[0]} rows only on the left, {only[1]} rows only on the right"
        for number, column in enumerate(compare.column_stats):
            if differ := int(column["unequal_cnt"]):
                title = column["column"]
                shown = plain(title) if words.have(title) else f"at position {number}"
                yield f"  column {shown}: {differ} of {len(compare.intersect_rows)} rows differ"
        more = [len(compare.df1_unq_columns()), len(compare.df2_unq_columns())]
        if any(more):
            yield f"  {more[0]} columns only on the left, {more[1]} columns only on the right"


def _required(found: re.Match[str] | None) -> re.Match[str]:
    if found is None:
        raise TypeError("a message of another form")
    return found


def _column(name: str, position: int, error: BaseException) -> str:
    """Return how a column is called: by its name only if that is a word of the author's."""
    return f"column {plain(name) if SourceWords(error).have(name) else f'at position {position}'}"


def _sides_of(frames: list[FrameType]) -> tuple[Any, Any]:
    """Return what was compared.

    Raises:
        LookupError: The function that compared is not among the frames.
    """
    for frame in frames:
        if frame.f_code.co_name in {"assert_frame_equal", "assert_series_equal"}:
            return frame.f_locals["left"], frame.f_locals["right"]
    raise LookupError("nothing compared")


def _sides(text: str) -> str:
    """Return the sides of a message where they are numbers: `` (3 and 2)``."""
    found = _SIDES.search(text)
    return "" if found is None else f" ({found[1]} and {found[2]})"
