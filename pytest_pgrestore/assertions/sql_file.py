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

_IN_BLOCK = re.compile(r"/?\*?[ \t]*(?P<key>[A-Za-z_]+)[ \t]*:(?!:)")
"""A line of a comment between ``/*`` and ``*/``; a cast has two colons."""

_LISTS = frozenset({"show", "key", "tables"})
"""Keys whose values may stand in a row, with commas."""

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
    seen, is_top = set(), True
    for line in text.splitlines():
        words = line.strip()
        is_top = is_top and (not words or words.startswith("--"))
        if not is_top:
            _refuse_key(words, keys, path)
            continue
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
        table[key] = _value(key, match["value"].strip(), path)
    return table


def _refuse_key(line: str, keys: frozenset[str], path: Path) -> None:
    """Refuse a key that stands where none is looked for: it would be ignored."""
    match = _LINE.match(line) or _IN_BLOCK.match(line)
    if match is not None and match["key"].lower() in keys:
        raise ConfigError(
            f"{path}: {match['key']} stands below the comment at the top",
            hint="write keys in lines that begin with --, above the SQL.",
        )


def _value(key: str, text: str, path: Path) -> Any:
    """Return what a value stands for."""
    if key in _LISTS and "," in text and text[:1] != "[":
        return [part.strip() for part in text.split(",")]
    if text[:1] not in {"[", "{", '"', "'"} and text not in {"true", "false"}:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        raise ConfigError(
            f"{path}: the value of {key} is not valid TOML",
            hint='write texts in quotes: ["id", "total"]; or a text that begins otherwise.',
        ) from None
