"""The key ``expect`` of a drill file: parsed, and compared with the answer of the query.

Answers are rows of production data. Messages show counts and the expectation; they show the value
only if the user asked for values.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.durations import parse_duration
from pytest_pgrestore.settings.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NO_ROWS = "no rows"
ROWS = "rows"
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_COMPARISON = re.compile(r"(>=|<=|!=|=|>|<)\s*([^\s<>=!~].*)")
_SPELLING = (
    "write no rows, rows, a comparison such as >= 1000, < 1h or > 2026-01-01, "
    "or the value that is expected."
)

_TYPO = 0.8
"""Likeness to ``no rows`` or ``rows`` from which a text is a mistyped word, and no value.

It is a ratio of difflib, from 0 to 1.
"""

_KINDS = {
    Decimal: "number",
    datetime: "date",
    timedelta: "duration",
    str: "text",
    bool: "truth value",
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """A parsed ``expect``.

    Attributes:
        text: As the user wrote it.
        kind: ``no rows``, ``rows``, or an operator.
        operand: What a single value is compared with.
    """

    text: str
    kind: str
    operand: Any = None

    def complaint(self, rows: Sequence[Sequence[Any]], *, show_values: bool) -> str | None:
        """Return how `rows` differ from what is expected; None if they do not."""
        if self.kind == NO_ROWS:
            return f"expected no rows, the query returned {len(rows):,}" if rows else None
        if self.kind == ROWS:
            return None if rows else "expected rows, the query returned none"
        if len(rows) != 1 or len(rows[0]) != 1:
            columns = len(rows[0]) if rows else 0
            return f"expected one value, the query returned {len(rows):,} rows of {columns} columns"
        value = rows[0][0]
        if value is None:
            return f"expected {self.text}, the value is null"
        if self._holds(value):
            return None
        shown = f": {value}" if show_values else ""
        return f"the observed value does not satisfy {self._condition()}{shown}"

    def _condition(self) -> str:
        return self.text if self.text.startswith(self.kind) else f"{self.kind} {self.text}"

    def _holds(self, value: Any) -> bool:
        """Return whether `value` is as expected.

        Raises:
            ConfigError: The two are of different kinds: a mistake in the drill file, and no finding
                about the backup.
        """
        left, right = _comparable(value), _comparable(self.operand)
        if isinstance(left, str) and isinstance(right, Decimal) and self.kind in {"=", "!="}:
            right = f"{right:f}"  # "= 42" for a text column
        if type(left) is not type(right):
            raise ConfigError(
                f"the query returns a {_kind(left)}, "
                f"and expect = {self.text!r} is a {_kind(right)}",
                hint="cast one to the type of the other.",
            )
        try:
            return OPERATORS[self.kind](left, right)
        except TypeError:
            raise ConfigError(
                f"{_kind(left)} values cannot be compared by {self.kind}",
                hint="expect = or != instead.",
            ) from None


def parse_expectation(value: Any) -> Expectation:
    """Return the expectation `value` spells.

    Raises:
        ConfigError: An operator without a number, date or duration behind it, or a mistyped word.
    """
    if isinstance(value, bool | int | float | date | datetime | time):
        return Expectation(str(value), "=", value)
    if not isinstance(value, str):
        raise ConfigError("expect is neither text nor a single value", hint=_SPELLING)
    text = value.strip()
    if text in {NO_ROWS, ROWS}:
        return Expectation(text, text)
    comparison = _COMPARISON.fullmatch(text)
    if comparison is not None:
        sign, written = comparison.groups()
        operand = _operand(written)
        if isinstance(operand, str) and sign not in {"=", "!="}:
            raise ConfigError(
                f"expect = {value!r} compares with no number, date or duration", hint=_SPELLING
            )
        return Expectation(text, sign, operand)
    mistyped = nearest(text.lower(), (NO_ROWS, ROWS), cutoff=_TYPO) is not None
    if mistyped or not text or text[0] in "<>=!~":
        raise ConfigError(f"expect = {value!r} is not understood", hint=_SPELLING)
    return Expectation(text, "=", text)


def _operand(text: str) -> Any:
    """Return the number, date, time or duration that `text` spells; else `text`."""
    try:
        return Decimal(text.replace("_", ""))
    except ArithmeticError:
        pass
    for parse in (_date, datetime.fromisoformat, parse_duration):
        try:
            return parse(text)
        except (ValueError, ConfigError):
            continue
    return text


def _date(text: str) -> date:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text) is None:
        raise ValueError(text)
    return date.fromisoformat(text)


def _comparable(value: Any) -> Any:
    """Return `value` as one of few types.

    Numbers become exact, dates become moments in UTC. Durations, times, texts and truth values
    stay as they are.
    """
    match value:
        case bool() | str() | timedelta() | time():
            return value
        case int():
            return Decimal(value)
        case float():
            return Decimal(repr(value))
        case datetime():
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        case date():
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def _kind(value: Any) -> str:
    """Return the word for the type of a comparable value in messages."""
    return _KINDS.get(type(value), type(value).__name__)
