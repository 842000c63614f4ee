"""Lengths of time as users write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15m", 900),
        ("1h30m", 5400),
        ("45s", 45),
        ("2 days", 172800),
        ("PT15M", 900),
        ("P1D", 86400),
        (" 15m ", 900),
        ("0s", 0),
    ],
)
def test_a_duration_is_read_in_the_spellings_people_use(text: str, seconds: int) -> None:
    """Runbooks say 15m, standards say PT15M."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", ["15", "", "m", "1:30", "-5m", "-PT5M", "soon", 900, 1.5, True, None]
)
def test_a_duration_without_a_unit_or_below_zero_is_refused(value: Any) -> None:
    """Nine hundred of what?"""
    with pytest.raises(ConfigError, match="HINT: "):
        parse_duration(value)
