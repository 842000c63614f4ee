"""Row values as text that does not hold them: type, size and a short keyed hash.

Equal values of one run have equal hashes, so a reader sees whether two values are the same. The
key is new in each run and is never written, so nobody finds a value by trying words. Numbers,
truth values and None are shown: ``assert count > 1000`` is of no use without them. Imports nothing
of ours.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from hashlib import blake2b
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any
from uuid import UUID

_TEXTS = (str, bytes, bytearray)

_SCALARS = (
    *_TEXTS,
    memoryview,
    *(date, datetime, time, timedelta, tzinfo),
    *(Decimal, UUID, complex, range),
    *(IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network),
)
"""Types whose repr is the value. Source: psycopg docs, "Adapting basic Python types"."""

_LARGEST = 100_000
"""Entries of the largest container that is hashed: a report must not take seconds."""

_DEPTH = 20
"""Levels of containers that are hashed: a list that contains itself has no end."""


class Redactor:
    """Shows which values are equal, without showing the values.

    Args:
        key: Secret of the run, at most 64 bytes (limit of BLAKE2b, RFC 7693).
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def redact(self, value: Any) -> str:
        """Return the text for `value`, e.g. ``<list of 3, #a1b2c3>``, or the number itself."""
        if shown(value):
            return plain_number(value)
        if is_name(value):
            return str(value)
        name = type(value).__name__
        try:
            size = f" of {len(value)}" if _sized(value) else ""
            digest = self._digest(value)
        except Exception:  # noqa: BLE001 - methods of the user's class may raise anything
            return f"<{name}>"
        return f"<{name}{size}, #{digest}>" if digest else f"<{name}{size}>"

    def comparison(self, operator: str, left: Any, right: Any) -> list[str]:
        """Return lines that explain why ``left operator right`` is false.

        Raises:
            Exception: Whatever the values raise when they are compared.
        """
        lines = [f"{self.redact(left)} {operator} {self.redact(right)}"]
        if operator != "==":
            return lines
        if _is_list(left) and _is_list(right):
            return lines + self._first_difference(left, right)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            differ = sum(left[key] != right[key] for key in left.keys() & right.keys())
            return [*lines, f"{_only(left.keys(), right.keys())}, {differ} with other values"]
        if isinstance(left, AbstractSet) and isinstance(right, AbstractSet):
            return [*lines, _only(left, right)]
        return lines

    def _first_difference(self, left: Sequence[Any], right: Sequence[Any]) -> list[str]:
        lines = [f"lengths: {len(left)} and {len(right)}"] if len(left) != len(right) else []
        for index, (one, other) in enumerate(zip(left, right, strict=False)):
            if one != other:
                difference = f"{self.redact(one)} != {self.redact(other)}"
                return [*lines, f"first difference at index {index}: {difference}"]
        return lines

    def _digest(self, value: Any) -> str:
        """Return six hexadecimal digits; "" for what has no hash."""
        if _sized(value) and not isinstance(value, _TEXTS) and len(value) > _LARGEST:
            return ""
        content = _canonical(value, _DEPTH)
        return "" if content is None else blake2b(content, key=self._key, digest_size=3).hexdigest()


def shown(value: Any) -> bool:
    """Return whether `value` is shown as it is: a number, a truth value or None."""
    return value is None or isinstance(value, int | float)


def is_name(value: Any) -> bool:
    """Return whether a value is the name of a table, as the fixture `pgrestore_tables` gives it."""
    return hasattr(type(value), "is_name_of_table")


def redactable(value: Any) -> bool:
    """Return whether the redacted form of `value` is of use: it is data, and no module, say."""
    return shown(value) or isinstance(value, _SCALARS) or _sized(value)


def plain_number(value: Any) -> str:
    """Return the text of a value that is `shown`.

    The repr is that of the built-in type: a subclass may have one that holds more.
    """
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind.__repr__(value)
    return "None"


def constants_of(statement: str) -> set[str]:
    """Return the texts that a statement of source code contains; none if it cannot be parsed."""
    return {
        node.value
        for node in ast.walk(parsed(statement))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def names_of(statement: str) -> list[str]:
    """Return the names that a statement of source code contains, in their order."""
    nodes = [node for node in ast.walk(parsed(statement)) if isinstance(node, ast.Name)]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(node.id for node in nodes))


def parsed(statement: str) -> ast.AST:
    """Return the tree of a statement of source code; an empty one if it cannot be parsed."""
    text = textwrap.dedent(statement).strip()
    for attempt in (text, f"{text}\n    pass"):  # the second one is for the head of with or for
        try:
            return ast.parse(attempt)
        except (SyntaxError, ValueError):
            continue
    return ast.Module(body=[], type_ignores=[])


def _canonical(value: Any, depth: int) -> bytes | None:
    """Return bytes that are equal for equal values of one type.

    Returns:
        None if a part of `value` is no data, or lies deeper than `depth` levels.
    """
    name = type(value).__name__.encode()
    if shown(value):
        return name + b":" + plain_number(value).encode()
    if isinstance(value, _SCALARS):
        text = bytes(value) if isinstance(value, memoryview) else value
        return name + b":" + repr(text).encode("utf-8", "backslashreplace")
    if depth == 0 or not _sized(value):
        return None
    entries = value.items() if isinstance(value, Mapping) else value
    parts = []
    for entry in entries:
        part = _canonical(entry, depth - 1)
        if part is None:
            return None
        parts.append(part)
    if not _is_list(value):
        parts.sort()
    return name + b"".join(b"[%d]%b" % (len(part), part) for part in parts)


def _sized(value: Any) -> bool:
    return isinstance(value, (*_TEXTS, list, tuple, dict, set, frozenset))


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _only(left: AbstractSet[Any], right: AbstractSet[Any]) -> str:
    return f"{len(left - right)} only on the left, {len(right - left)} only on the right"
