"""The key ``expect``: parsed, and compared with the answer of the query.

Answers are rows of production data. Messages show counts and the expectation; they show values only
where the author, or the user, asks for them.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.answer import Answer, Show, shown
from pytest_pgrestore.assertions.operand import Tolerance, comparable, kind_of, operand, ranges
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

NO_ROWS = "no rows"
ROWS = "rows"
SAME_ROWS = "same rows"
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_COMPARISON = re.compile(r"(>=|<=|!=|=|>|<)\s*([^\s<>=!~].*)", re.DOTALL)
_BETWEEN = re.compile(r"between\s+(\S.*?)\s+and\s+(\S.*)", re.DOTALL)
_MATCHES = re.compile(r"matches\s+(\S.*)", re.DOTALL)
_ABOUT = re.compile(r"about\s+(\S+)\s+within\s+(\S+)")

SPELLING = (
    "write no rows, rows, a comparison such as >= 1000, < 1h or > 2026-01-01, between 1 and 5, "
    "about 100 within 5%, matches ^[A-Z]{3}$, a list, a table of columns, or the value that is "
    "expected."
)

_TYPO = 0.8
"""Likeness to a word of ours from which a text is a mistyped word, and no value.

It is a ratio of difflib, from 0 to 1.
"""

_OTHER_WORDS = {
    **dict.fromkeys(("empty", "none", "nothing", "0 rows", "zero rows", "no row", "null"), NO_ROWS),
    **dict.fromkeys(("not empty", "some", "some rows", "any rows", "exists", "any"), ROWS),
}
"""What others write for our words: as a value it would compare with a text."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """A parsed ``expect``.

    Attributes:
        text: As the user wrote it.
        kind: ``no rows``, ``rows``, ``same rows``, ``between``, ``about``, ``matches``, ``list``,
            ``columns``, or an operator.
        operand: What the answer is compared with.
    """

    text: str
    kind: str
    operand: Any = None

    def complaint(self, answer: Answer, show: Show = Show()) -> str | None:  # noqa: B008 - frozen
        """Return how the answer differs from what is expected; None if it does not.

        Raises:
            ConfigError: The two cannot be compared: a mistake of the assertion, and no finding
                about the backup.
        """
        show.require_columns(answer)
        match self.kind:
            case "no rows":
                found = f"expected no rows, the query returned {len(answer.rows):,}"
                return "\n".join([found, *show.lines(answer)]) if answer.rows else None
            case "rows":
                return None if answer.rows else "expected rows, the query returned none"
            case "list":
                return self._list_complaint(answer, show)
            case "columns" if len(answer.columns) > 1 or not _is_json(answer):
                return self._columns_complaint(answer, show)
        if len(answer.rows) != 1 or len(answer.columns) != 1:
            return f"expected one value, the query returned {answer.size()}"
        return self.complaint_of(answer.rows[0][0], show)

    def complaint_of(self, value: Any, show: Show) -> str | None:
        """Return how one value differs from what is expected; None if it does not."""
        if value is None:
            return f"expected {self.text}, the value is null"
        if self._holds(value):
            return None
        if show.values:
            return f"expected {self._condition()}, observed {shown(value)}"
        return f"the observed value does not satisfy {self._condition()}"

    def _condition(self) -> str:
        worded = self.kind in OPERATORS and not self.text.startswith(self.kind)
        return f"{self.kind} {self.text}" if worded else self.text

    def _holds(self, value: Any) -> bool:
        match self.kind:
            case "columns":
                return bool(value == self.operand)
            case "matches":
                if not isinstance(value, str):
                    raise _other_kind(kind_of(value), self.text, "text")
                return self.operand.search(value) is not None
            case "between":
                low, high = self.operand
                return self._compare(">=", value, low) and self._compare("<=", value, high)
            case "about":
                number, tolerance = self.operand
                low, high = tolerance.range_about(number)
                return self._compare(">=", value, low) and self._compare("<=", value, high)
        return self._compare(self.kind, value, self.operand)

    def _compare(self, sign: str, value: Any, operand: Any) -> bool:
        left, right = comparable(value), comparable(operand)
        if isinstance(left, str) and kind_of(right) == "number" and sign in {"=", "!="}:
            right = f"{right:f}"  # "= 42" for a text column
        if type(left) is not type(right):
            raise _other_kind(kind_of(left), self.text, kind_of(right), is_quoted=sign == "=")
        if kind_of(left) == "number" and left.is_nan():
            return sign == "!="  # the order of NaN is an error in Python
        try:
            return OPERATORS[sign](left, right)
        except TypeError:
            raise ConfigError(
                f"{kind_of(left)} values cannot be compared by {sign}",
                hint="expect = or != instead.",
            ) from None

    def _list_complaint(self, answer: Answer, show: Show) -> str | None:
        """Compare one column with a list in order, or one array or JSON value with it."""
        if len(answer.columns) != 1:
            return f"expected one column, the query returned {answer.size()}"
        values = [row[0] for row in answer.rows]
        if len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        wanted = self.operand
        if len(values) != len(wanted):
            tail = f": {', '.join(map(shown, values[:20]))}" if show.values else ""
            return f"expected {len(wanted)} values, the query returned {len(values):,}{tail}"
        for number, (value, other) in enumerate(zip(values, wanted, strict=True), start=1):
            one = parse_expectation(other) if not isinstance(other, str) else _literal(other)
            if (complaint := one.complaint_of(value, show)) is not None:
                return f"value {number} of {len(wanted)}: {complaint}"
        return None

    def _columns_complaint(self, answer: Answer, show: Show) -> str | None:
        """Compare the columns of one row with an expectation each."""
        if len(answer.rows) != 1:
            return f"expected one row, the query returned {answer.size()}"
        Show(columns=tuple(self.operand)).require_columns(answer)
        row = dict(zip(answer.columns, answer.rows[0], strict=True))
        complaints = [
            f"{name}: {complaint}"
            for name, wanted in self.operand.items()
            if (complaint := parse_expectation(wanted).complaint_of(row[name], show)) is not None
        ]
        return "\n".join(complaints) or None


def parse_expectation(value: Any) -> Expectation:
    """Return the expectation that `value` spells.

    Raises:
        ConfigError: An operator without a number, date or duration behind it, or a mistyped word.
    """
    if isinstance(value, bool | int | float | date | datetime | time):
        return Expectation(str(value), "=", value)
    if isinstance(value, list) and value:
        return Expectation(f"a list of {len(value)}", "list", value)
    if isinstance(value, dict) and value:
        for name, wanted in value.items():
            if isinstance(wanted, str):
                _in_column(name, wanted)
        return Expectation(f"the columns {', '.join(value)}", "columns", value)
    if not isinstance(value, str):
        raise ConfigError("expect is neither text nor a value", hint=SPELLING)
    return _parse_text(value)


def _parse_text(value: str) -> Expectation:
    text = value.strip()
    if text in {NO_ROWS, ROWS, SAME_ROWS}:
        return Expectation(text, text)
    for pattern, make in ((_BETWEEN, _between), (_ABOUT, _about), (_MATCHES, _matches)):
        if (match := pattern.fullmatch(text)) is not None:
            return make(text, *match.groups())
    if (match := _COMPARISON.fullmatch(text)) is not None:
        sign, written = match.groups()
        found = operand(written)
        if isinstance(found, str) and sign not in {"=", "!="}:
            raise ConfigError(
                f"expect = {value!r} compares with no number, date or duration", hint=SPELLING
            )
        return Expectation(text, sign, found)
    word = _OTHER_WORDS.get(text.lower()) or nearest(
        text.lower(), (NO_ROWS, ROWS, SAME_ROWS), cutoff=_TYPO
    )
    if word is not None:
        raise ConfigError(
            f"expect = {value!r} is not understood",
            hint=f"did you mean {word!r}? For this text as a value, write = {text}.",
        )
    if not text or text[0] in "<>=!~" or re.match(r"(between|about|matches)\b", text):
        raise ConfigError(f"expect = {value!r} is not understood", hint=SPELLING)
    return Expectation(text, "=", text)


def _literal(text: str) -> Expectation:
    """Return the expectation of a text inside of a list: it is the value itself."""
    return Expectation(text, "=", text)


def _in_column(name: str, wanted: str) -> None:
    """Refuse an expectation of a column that is about rows, or is mistyped."""
    if _parse_text(wanted).kind in {NO_ROWS, ROWS, SAME_ROWS}:
        raise ConfigError(
            f"expect: {name} = {wanted!r} is about rows, and a column has one value",
            hint="write a comparison or a value.",
        )


def _between(text: str, low: str, high: str) -> Expectation:
    return Expectation(text, "between", ranges(text, operand(low), operand(high)))


def _about(text: str, number: str, tolerance: str) -> Expectation:
    found = operand(number)
    if kind_of(found) != "number":
        raise ConfigError(f"expect = {text!r} is about no number", hint=SPELLING)
    return Expectation(text, "about", (found, Tolerance.parse(tolerance)))


def _matches(text: str, pattern: str) -> Expectation:
    try:
        return Expectation(text, "matches", re.compile(pattern))
    except re.error as exc:
        raise ConfigError(
            f"expect = {text!r} is no regular expression: {exc}",
            hint="mend it; it is Python's syntax (re).",
        ) from None


def _is_json(answer: Answer) -> bool:
    """Return whether the answer is one value that is a JSON object."""
    return len(answer.rows) == 1 and isinstance(answer.rows[0][0], dict)


def _other_kind(found: str, text: str, wanted: str, *, is_quoted: bool = False) -> ConfigError:
    quoted = is_quoted and found in {"number", "truth value"} and wanted == "text"
    return ConfigError(
        f"the query returns a {found}, and expect = {text!r} is a {wanted}",
        hint=f"write expect = {text} without quotes."
        if quoted
        else "cast one to the type of the other.",
    )
