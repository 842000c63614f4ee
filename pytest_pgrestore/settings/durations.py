"""Lengths of time as users write them. Imports only errors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pytest_pgrestore.model.errors import ConfigError

SPELLING = "write it with its unit: 15m, 1h30m, 45s, 2 days or PT15M."


def parse_duration(value: Any) -> timedelta:
    """Return the length of time `value` spells; a timedelta is returned as it is.

    Raises:
        ConfigError: A bare number (of what?), a negative length, anything else.
    """
    if isinstance(value, timedelta):
        found: timedelta | None = value
    elif isinstance(value, str):
        found = (
            _iso(value.strip()) if value.strip().upper().startswith("P") else _short(value.strip())
        )
    else:
        found = None
    if found is None or found < timedelta(0):
        raise ConfigError(f"{value!r} is not a duration", hint=SPELLING)
    return found


def _short(text: str) -> timedelta | None:
    from pytimeparse.timeparse import timeparse as parse

    # pytimeparse also reads 1:30, which may mean minutes or hours: only spellings that name their units count.
    if ":" in text or not any(character.isalpha() for character in text):
        return None
    seconds = parse(text)
    return None if seconds is None else timedelta(seconds=seconds)


def _iso(text: str) -> timedelta | None:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(timedelta).validate_python(text)
    except ValidationError:
        return None
