"""Values of rows as text that does not hold them: type, size and a short keyed hash.

Equal values of one run get equal hashes, so a reader sees whether two are the same; the key is made anew for each run
and never written, so nobody finds the value by trying words. Numbers, truth values and None are shown as they are:
``assert count > 1000`` says nothing without them. Imports nothing of ours.
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

_SCALARS = (
    *(
        str,
        bytes,
        bytearray,
        memoryview,
        date,
        datetime,
        time,
        timedelta,
        tzinfo,
        Decimal,
        UUID,
        complex,
        range,
    ),
    *(IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network),
)
"""Types whose repr is the value: what psycopg makes of columns."""

_TEXTS = (str, bytes, bytearray)
_LARGEST = 100_000
"""Entries of a container that is hashed: a failing test should not take seconds to say so."""

_DEPTH = 20
"""Containers within containers that are hashed; a list that holds itself has no end."""


class Redactor:
    """Tells values apart without telling them.

    Args:
        key: Secret of the run, at most 64 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, value: Any) -> str:
        """Return what may be told of `value`, e.g. ``<list of 3, #a1b2c3>``; numbers, truth values and None whole."""
        if shown(value):
            return plain_number(value)
        name = type(value).__name__
        try:
            size = f" of {len(value)}" if _sized(value) else ""
            mark = self._hash(value)
        except Exception:  # noqa: BLE001 - a class of the user's may do as it likes
            return f"<{name}>"
        return f"<{name}{size}{f', #{mark}' if mark else ''}>"

    def comparison(self, operator: str, left: Any, right: Any) -> list[str]:
        """Return lines that explain why ``left operator right`` does not hold."""
        lines = [f"{self.of(left)} {operator} {self.of(right)}"]
        if operator == "==" and _is_list(left) and _is_list(right):
            lines += self._first_difference(left, right)
        elif operator == "==" and isinstance(left, Mapping) and isinstance(right, Mapping):
            differ = sum(left[key] != right[key] for key in left.keys() & right.keys())
            lines.append(f"{_only(left.keys(), right.keys())}, {differ} with other values")
        elif operator == "==" and isinstance(left, AbstractSet) and isinstance(right, AbstractSet):
            lines.append(_only(left, right))
        return lines

    def _first_difference(self, left: Sequence[Any], right: Sequence[Any]) -> list[str]:
        lines = [f"lengths: {len(left)} and {len(right)}"] if len(left) != len(right) else []
        for index, (one, other) in enumerate(zip(left, right, strict=False)):
            if one != other:
                return [
                    *lines,
                    f"first difference at index {index}: {self.of(one)} != {self.of(other)}",
                ]
        return lines

    def _hash(self, value: Any) -> str:
        if _sized(value) and not isinstance(value, _TEXTS) and len(value) > _LARGEST:
            return ""
        words = _canonical(value, _DEPTH)
        return "" if words is None else blake2b(words, key=self._key, digest_size=3).hexdigest()


def shown(value: Any) -> bool:
    """Tell whether `value` is of a kind that is told as it is: number, truth value, None."""
    return value is None or isinstance(value, int | float)


def redactable(value: Any) -> bool:
    """Tell whether `value` is data, so that its redacted form says something: not a connection or a module."""
    return shown(value) or isinstance(value, _SCALARS) or _sized(value)


def plain_number(value: Any) -> str:
    """Return the text of what `shown` allows; of a subclass too, whose own repr may say more."""
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind.__repr__(value)
    return "None"


def constants_of(statement: str) -> set[str]:
    """Return the texts written out in a statement of source code; none where it is not whole."""
    tree = _parsed(statement)
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def names_of(statement: str) -> list[str]:
    """Return the names a statement reads, in the order they stand in it."""
    nodes = [node for node in ast.walk(_parsed(statement)) if isinstance(node, ast.Name)]
    return list(
        dict.fromkeys(
            node.id for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset))
        )
    )


def _parsed(statement: str) -> ast.AST:
    text = textwrap.dedent(statement).strip()
    for attempt in (text, f"{text}\n    pass"):  # the head of a with or for statement
        try:
            return ast.parse(attempt)
        except (SyntaxError, ValueError):
            continue
    return ast.Module(body=[], type_ignores=[])


def _canonical(value: Any, depth: int) -> bytes | None:
    """Return bytes that are the same for equal values of one type; None for what is not data through and through."""
    name = type(value).__name__.encode()
    if shown(value):
        return name + b":" + plain_number(value).encode()
    if isinstance(value, _SCALARS):
        text = bytes(value) if isinstance(value, memoryview) else value
        return name + b":" + repr(text).encode("utf-8", "backslashreplace")
    if depth == 0 or not _sized(value):
        return None
    entries = value.items() if isinstance(value, Mapping) else value
    parts = [_canonical(entry, depth - 1) for entry in entries]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if not _is_list(value):
        known.sort()
    return name + b"".join(b"[%d]%b" % (len(part), part) for part in known)


def _sized(value: Any) -> bool:
    return isinstance(value, (*_TEXTS, list, tuple, dict, set, frozenset))


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _only(left: AbstractSet[Any], right: AbstractSet[Any]) -> str:
    return f"{len(left - right)} only on the left, {len(right - left)} only on the right"
