"""Lengths of time as users write them. Imports errors only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pytest_pgrestore.model.errors import ConfigError

SPELLING = "write it with its unit: 15m, 1h30m, 45s, 2 days or PT15M."


def parse_duration(value: Any) -> timedelta:
    """Return the length of time `value` spells; a timedelta is returned as it is.

    Raises:
        ConfigError: It is a number without a unit, negative, or no length of time at all.
    """
    found = _spelled(value.strip()) if isinstance(value, str) else value
    if not isinstance(found, timedelta) or found < timedelta(0):
        raise ConfigError(f"{value!r} is not a duration", hint=SPELLING)
    return found


def _spelled(text: str) -> timedelta | None:
    return _iso(text) if text.upper().startswith("P") else _short(text)


def _short(text: str) -> timedelta | None:
    """Return the length of time that ``1h30m`` or ``2 days`` spells; None for other text."""
    from pytimeparse.timeparse import timeparse

    # pytimeparse reads 1:30, too, as minutes. Readers may take it for hours: a unit is required.
    if ":" in text or not any(character.isalpha() for character in text):
        return None
    seconds = timeparse(text)
    return None if seconds is None else timedelta(seconds=seconds)


def _iso(text: str) -> timedelta | None:
    """Return the length of time that an ISO 8601 duration spells; None for other text."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(timedelta).validate_python(text)
    except ValidationError:
        return None
