"""The key ``expect``: how an expectation is spelled."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Any

from pytest_pgrestore.assertions.answer import shown
from pytest_pgrestore.assertions.expectation import (
    NO_ROWS,
    ROWS,
    SAME_ROWS,
    Expectation,
)
from pytest_pgrestore.assertions.operand import Tolerance, kind_of, operand, ranges
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.suggest import nearest

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


def parse_expectation(value: Any) -> Expectation:
    """Return the expectation that `value` spells.

    Raises:
        ConfigError: An operator without a number, date or duration behind it, or a mistyped word.
    """
    if isinstance(value, bool | int | float | date | datetime | time):
        return Expectation(shown(value), "=", value)
    if isinstance(value, list) and value:
        return Expectation(
            f"a list of {len(value)}", "list", [_in_list(one) for one in value], value
        )
    if isinstance(value, dict) and value:
        columns = {name: _in_column(name, wanted) for name, wanted in value.items()}
        return Expectation(f"the columns {', '.join(value)}", "columns", columns, value)
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
    if text.startswith("=="):
        raise ConfigError(f"expect = {value!r} is not understood", hint="write one =.")
    first, *more = text.split(maxsplit=1)[:2] or [""]
    meant = nearest(first.lower(), ("between", "about", "matches"), cutoff=_TYPO) if more else None
    if meant is not None and first != meant:
        raise ConfigError(
            f"expect = {value!r} is not understood",
            hint=f"did you mean {meant!r}? For this text as a value, write = {text}.",
        )
    if not text or text[0] in "<>=!~" or re.match(r"(between|about|matches)\b", text):
        raise ConfigError(f"expect = {value!r} is not understood", hint=SPELLING)
    return Expectation(text, "=", text)


def _in_list(value: Any) -> Expectation:
    """Return the expectation of a value in a list: a text is itself."""
    if isinstance(value, str):
        return Expectation(value, "=", value)
    return _document(value) if _is_document(value) else parse_expectation(value)


def _in_column(name: str, wanted: Any) -> Expectation:
    """Return the expectation of a column. One about rows is refused."""
    if _is_document(wanted):
        return _document(wanted)
    found = parse_expectation(wanted)
    if found.kind in {NO_ROWS, ROWS, SAME_ROWS}:
        raise ConfigError(
            f"expect: {name} = {wanted!r} is about rows, and a column has one value",
            hint="write a comparison or a value.",
        )
    return found


def _is_document(value: Any) -> bool:
    """Return whether a value inside of another one is compared as it is, as an array or JSON."""
    return value is None or isinstance(value, list | dict)


def _document(value: Any) -> Expectation:
    return Expectation("an array or document", "document", value, value)


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
