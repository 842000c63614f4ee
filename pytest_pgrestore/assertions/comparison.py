"""Compares the answer of a restored database with that of another side: value, or row by row."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.answer import SHOWN_ROWS, Answer, Show, shown
from pytest_pgrestore.assertions.document import differences, same
from pytest_pgrestore.assertions.operand import Tolerance, comparable, kind_of
from pytest_pgrestore.model.errors import ConfigError, HarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXACT = Tolerance(Decimal(0))


def value_complaint(
    here: Answer,
    there: Answer,
    side: str,
    within: Tolerance = EXACT,
    show: Show = Show(),  # noqa: B008 - frozen
) -> str | None:
    """Return how one value differs from that of the other side; None if it does not.

    Args:
        here: The answer of the drill.
        there: The answer of the other side: what is expected.
        side: The other side, in words.
        within: How far numbers may be apart.
        show: Whether the values are shown.

    Raises:
        ConfigError: They are no single values, or cannot be compared.
    """
    for answer in (here, there):
        if len(answer.rows) != 1 or len(answer.columns) != 1:
            raise ConfigError(
                f"one value is compared, and the query returned {answer.size()}",
                hint='return one row of one column, or write expect = "same rows".',
            )
    value, expected = here.rows[0][0], there.rows[0][0]
    if _is_same(value, expected, within):
        return None
    if show.values and isinstance(value, dict | list) and isinstance(expected, type(value)):
        lines = list(differences(value, expected, shows=True))
        return "\n".join([f"the value is not that of {side}", *lines[:SHOWN_ROWS]])
    near = "" if within == EXACT else f", within {_words(within)}"
    if show.values:
        return f"expected {shown(expected)} as in {side}{near}, observed {shown(value)}"
    return f"the value is not that of {side}{near}"


def _is_same(value: Any, expected: Any, within: Tolerance) -> bool:
    if value is None and expected is None:
        raise HarnessError(
            "both values are null: nothing was compared",
            hint="count rows, or say what null means: coalesce(max(id), 0).",
        )
    if value is None or expected is None:
        return False
    left, right = comparable(value), comparable(expected)
    if any(isinstance(one, Decimal) and one.is_nan() for one in (left, right)):
        return str(left) == str(right)
    if within == EXACT:
        return same(left, right)
    if kind_of(left) != "number" or kind_of(right) != "number":
        raise ConfigError(
            f"within is about numbers, and the values are a {kind_of(left)} and a {kind_of(right)}",
            hint="return numbers, or leave `within` out.",
        )
    low, high = within.range_about(right)
    return bool(low <= left <= high)


def _words(within: Tolerance) -> str:
    return f"{within.amount.normalize():f}{'%' if within.is_percent else ''}"


def rows_complaint(
    here: Answer,
    there: Answer,
    side: str,
    key: Sequence[str],
    show: Show = Show(),  # noqa: B008 - frozen
) -> str | None:
    """Return how many rows are missing, added or changed; None if all are the same.

    datacompy compares. No value is in the text, but of columns that `show` names.

    Raises:
        ConfigError: A column of the key is missing, or does not identify a row.
        HarnessError: datacompy is not installed.
    """
    try:
        import datacompy
        import pandas as pd
    except ImportError as exc:
        raise HarnessError(
            f"rows are compared by datacompy, which is not here ({exc})",
            hint='pip install "pytest-pgrestore[compare]".',
        ) from None

    _require_same_columns(here, there, side)
    for answer, where in ((here, "here"), (there, side)):
        _require_key(answer, where, key)
    frames = [
        pd.DataFrame(
            {
                name: pd.Series([_plain(row[at]) for row in answer.rows], dtype=object)
                for at, name in enumerate(answer.columns)
            }
        )
        for answer in (here, there)
    ]
    ours, theirs = frames
    found = datacompy.PandasCompare(
        ours, theirs, join_columns=list(key), cast_column_names_lower=False
    )
    missing, added = len(found.df2_unq_rows), len(found.df1_unq_rows)
    changed = {
        str(stat["column"]): int(stat["unequal_cnt"])
        for stat in found.column_stats
        if stat["unequal_cnt"] and stat["column"] not in key
    }
    parts = [f"{_rows(missing)} of {side} {_are(missing)} missing"] if missing else []
    parts += [f"{_rows(added)} {_are(added)} not in {side}"] if added else []
    parts += [f"{name} differs in {_rows(count)}" for name, count in changed.items()]
    if not parts:
        return None
    lines = [f"the rows are not those of {side}: {', '.join(parts)}"]
    if show.columns:
        lines += _alone(there, found.df2_unq_rows, key, show, "missing")
        lines += _alone(here, found.df1_unq_rows, key, show, "added")
        lines += _changed(here, there, key, show)
    return "\n".join(lines)


def _require_same_columns(here: Answer, there: Answer, side: str) -> None:
    here.require_names()
    if here.columns != there.columns:
        raise ConfigError(
            f"the columns differ: {', '.join(here.columns)} here, {', '.join(there.columns)} in"
            f" {side}",
            hint="return the same columns in the same order.",
        )


def _require_key(answer: Answer, where: str, key: Sequence[str]) -> None:
    """Refuse columns that do not identify a row of an answer."""
    answer.require_columns("key", key)
    places = [answer.columns.index(name) for name in key]
    keys = [tuple(_plain(row[at]) for at in places) for row in answer.rows]
    if any(None in one for one in keys):
        raise ConfigError(
            f"key = {list(key)} does not identify a row: one is null ({where})",
            hint="name other columns, or leave these rows out.",
        )
    if len(set(keys)) < len(keys):
        raise ConfigError(
            f"key = {list(key)} does not identify a row: one comes twice ({where})",
            hint="name more columns.",
        )


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _alone(answer: Answer, frame: Any, key: Sequence[str], show: Show, what: str) -> list[str]:
    """Return a line for each of the first rows that one side alone has."""
    alone = set(frame[list(key)].itertuples(index=False, name=None))
    places = [answer.columns.index(name) for name in key]
    rows = [row for row in answer.rows if tuple(_plain(row[at]) for at in places) in alone]
    lines = show.lines(Answer(answer.columns, rows)) if rows else ()
    return [f"{what}: {line.strip()}" for line in lines]


def _changed(here: Answer, there: Answer, key: Sequence[str], show: Show) -> list[str]:
    """Return a line for each of the first rows that have other values on the two sides."""
    places = [here.columns.index(name) for name in key]
    theirs = {tuple(_plain(row[at]) for at in places): row for row in there.rows}
    lines = []
    for row in here.rows:
        other = theirs.get(tuple(_plain(row[at]) for at in places), row)
        differ = [at for at in range(len(row)) if _plain(row[at]) != _plain(other[at])]
        if not differ:
            continue
        words = [
            f"{name} = {shown(row[at])}" + (f" (expected {shown(other[at])})" * (at in differ))
            for at, name in enumerate(here.columns)
            if name in show.columns
        ]
        lines.append(f"changed: {', '.join(words)}")
        if len(lines) == SHOWN_ROWS:
            break
    return lines


def _plain(value: Any) -> Any:
    """Return a value that pandas compares by what it is: numbers exact, the others as text."""
    exact = comparable(value)
    if value is None or isinstance(exact, bool):
        return exact
    return _digits(exact) if isinstance(exact, Decimal) else str(exact)


def _digits(number: Decimal) -> str:
    """Return a number without zeros at its end; `normalize` would round it to 28 digits."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
