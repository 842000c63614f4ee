"""What an expectation compares with: numbers, dates, durations, texts, and how far off is near."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.durations import parse_duration

_KINDS = {
    Decimal: "number",
    datetime: "date",
    timedelta: "duration",
    str: "text",
    bool: "truth value",
}

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be from another one.

    Attributes:
        amount: Not negative.
        is_percent: Whether `amount` is per cent of the number that is expected.
    """

    amount: Decimal
    is_percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """Return the tolerance that a text such as ``5%`` or ``3`` spells.

        Raises:
            ConfigError: It is none.
        """
        number = text.strip().removesuffix("%")
        try:
            amount = Decimal(number.strip().replace("_", ""))
        except ArithmeticError:
            amount = Decimal("nan")
        if not amount.is_finite() or amount < 0:
            raise ConfigError(
                f"within = {text!r} is no tolerance", hint="write a number, such as 3, or 5%."
            )
        return cls(amount, text.strip().endswith("%"))

    def range_about(self, number: Any) -> tuple[Decimal, Decimal]:
        """Return the smallest and the largest number that are near enough."""
        exact = comparable(number)
        width = abs(exact) * self.amount / _HUNDRED if self.is_percent else self.amount
        return exact - width, exact + width


def operand(text: str) -> Any:
    """Return the number, date, time or duration that `text` spells; else `text`."""
    try:
        number = Decimal(text.replace("_", ""))
    except ArithmeticError:
        number = Decimal("nan")
    if not number.is_nan():  # no value is larger or smaller than it
        return number
    for parse in (_date, datetime.fromisoformat, parse_duration):
        try:
            return parse(text)
        except (ValueError, ConfigError):
            continue
    return text


def ranges(text: str, low: Any, high: Any) -> tuple[Any, Any]:
    """Return the two ends of a range.

    Raises:
        ConfigError: They are of two kinds, are texts, or the first is the larger one.
    """
    first, last = comparable(low), comparable(high)
    if type(first) is not type(last) or isinstance(first, str) or first > last:
        raise ConfigError(
            f"expect = {text!r} is no range",
            hint="write two numbers, dates or durations, the smaller one first.",
        )
    return low, high


def comparable(value: Any) -> Any:
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


def kind_of(value: Any) -> str:
    """Return the word for the type of a comparable value in messages."""
    return _KINDS.get(type(value), type(value).__name__)


def _date(text: str) -> date:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text) is None:
        raise ValueError(text)
    return date.fromisoformat(text)
