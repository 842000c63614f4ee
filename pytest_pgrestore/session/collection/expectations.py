"""What an ``[[assert]]`` of a drill file expects of its query's answer, and whether the answer fits.

Answers are rows of production data: messages tell counts and the expectation, the value only where it is asked for.
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
_SPELLING = "write no rows, rows, a comparison such as >= 1000, < 1h or > 2026-01-01, or the value that is expected."


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
        """Return how `rows` differ from what is expected; None when they fit."""
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
        """Compare; values of different kinds are a mistake in the drill file, not a finding about the backup."""
        left, right = _comparable(value), _comparable(self.operand)
        if isinstance(left, str) and isinstance(right, Decimal) and self.kind in {"=", "!="}:
            right = f"{right:f}"  # "= 42" of a text column
        if type(left) is not type(right):
            raise ConfigError(
                f"the query returns a {_kind(left)}, and expect = {self.text!r} is a {_kind(right)}",
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
    if not isinstance(value, str):
        if isinstance(value, bool | int | float | date | datetime | time):
            return Expectation(str(value), "=", value)
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
    if (
        not text
        or text[0] in "<>=!~"
        or nearest(text.lower(), (NO_ROWS, ROWS), cutoff=_TYPO) is not None
    ):
        raise ConfigError(f"expect = {value!r} is not understood", hint=_SPELLING)
    return Expectation(text, "=", text)


_TYPO = 0.8
"""Likeness to ``no rows`` from which a text is a mistyped word and not a value."""


def _operand(text: str) -> Any:
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
    """Return `value` as one of few types: exact numbers, moments in UTC, durations, texts, truth values."""
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


_KINDS = {
    Decimal: "number",
    datetime: "date",
    timedelta: "duration",
    str: "text",
    bool: "truth value",
}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)
