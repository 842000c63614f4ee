"""An SQL file that is one assertion: its keys stand in the comment at its top.

-- name: no order without a customer
-- expect: no rows
-- severity: warn
select ...
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.suggest import nearest

if TYPE_CHECKING:
    from pathlib import Path

_LINE = re.compile(r"--[ \t]*(?P<key>[A-Za-z_]+)[ \t]*:[ \t]*(?P<value>.*)")

DEFAULT_EXPECT = "no rows"
"""Of a file without ``expect``: the rows are those that are wrong, as in dbt's tests."""

_TYPO = 0.75
"""Likeness to a key from which a word is a mistyped key, and no prose (a ratio of difflib)."""


def read_sql_file(path: Path, keys: frozenset[str]) -> dict[str, Any]:
    """Return the table of the assertion in the file at `path`, as in ``[[assert]]``.

    A value is TOML where it is a list, a table, a number or true; else it is a text as it stands.

    Args:
        path: The file.
        keys: Those of an assertion. Another word with a colon is a comment.

    Raises:
        ConfigError: The file cannot be read, or a key stands there twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise ConfigError(
            f"{path} cannot be read: {why}", hint="correct sql_file, or the file."
        ) from None
    table: dict[str, Any] = {"name": path.stem, "expect": DEFAULT_EXPECT, "sql": text}
    seen = set()
    for line in text.splitlines():
        words = line.strip()
        if words and not words.startswith("--"):
            break
        match = _LINE.match(words)
        key = "" if match is None else match["key"].lower()
        if match is None or key not in keys:
            near = nearest(key, keys, cutoff=_TYPO)
            if near is not None:
                raise ConfigError(
                    f"{path}: {key} is no key of an assertion",
                    hint=f"did you mean {near}? Prose has no colon behind its first word.",
                )
            continue
        if key in seen:
            raise ConfigError(f"{path}: {key} stands there twice", hint="keep one of them.")
        seen.add(key)
        table[key] = _value(match["value"].strip())
    return table


def _value(text: str) -> Any:
    """Return what a value stands for."""
    if text[:1] not in {"[", "{", '"', "'"} and text not in {"true", "false"}:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
