"""Values of settings that are one word of a few. Light on purpose, as `options` is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    from collections.abc import Callable

_URL = re.compile(r"[a-z][a-z0-9+.-]*://")

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def parse_switch(text: str) -> bool:
    """Return the truth value `text` spells.

    Raises:
        ConfigError: Neither yes nor no.
    """
    word = text.strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise ConfigError(f"{text!r} is neither true nor false", hint="write true or false.")


def is_url(text: str) -> bool:
    """Return whether a text names a place in an object store, and no file."""
    return _URL.match(text) is not None


def parse_place(text: str) -> Path | str:
    """Return a path, or the URL itself."""
    return text if is_url(text) else Path(text)


def one_of(what: str, known: tuple[str, ...]) -> Callable[[str], str]:
    """Return a parser that takes the words `known` only, and raises ConfigError for others."""

    def parse(text: str) -> str:
        if text not in known:
            raise ConfigError(f"unknown {what} {text!r}", hint=known_names(text, known))
        return text

    return parse
