"""Commands of the user's, and what stands in braces in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLACEHOLDERS = {
    "list": (),
    "fetch": ("backup", "data", "tablespaces"),
    "wal_list": (),
    "wal_fetch": ("file", "path"),
}
"""What may stand in braces in each command."""

_REQUIRED = ("backup", "data", "file", "path")
"""Placeholders without which a command that gets them cannot do its work."""

_NAME = re.compile(r"\{(\w+)\}")


def filled(word: str, values: Mapping[str, str]) -> str:
    """Return a word of a command with its placeholders replaced."""
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def require_sound(source: str, key: str, command: Sequence[str]) -> None:
    """Refuse a command that cannot work.

    Args:
        source: Name of the source, for the message.
        key: Key of the command in the settings file.
        command: The program and its arguments.

    Raises:
        ConfigError: It is empty, names an unknown placeholder, or lacks a required one.
    """
    if not command:
        raise ConfigError(
            f"source {source}: {key} is empty",
            hint="write a program and its arguments, a text each.",
        )
    known = PLACEHOLDERS[key]
    named = _NAME.findall(" ".join(command))
    wrong = [f"{{{name}}} means nothing there" for name in named if name not in known]
    wrong += [f"{{{name}}} is missing" for name in _REQUIRED if name in known and name not in named]
    if wrong:
        gets = ", ".join(f"{{{name}}}" for name in known)
        raise ConfigError(
            f"source {source}: {key}: {', '.join(wrong)}",
            hint=f"it gets {gets}." if known else "it gets no placeholder.",
        )
