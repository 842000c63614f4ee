"""Runs of pytest that only list something. Light on purpose, as `options` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_LISTING = (
    *("help", "version", "markers", "showfixtures", "show_fixtures_per_test"),
    *("cacheshow", "collectonly", "setupplan"),
)
"""Flags of pytest, by their dest, with which it runs no test."""


def is_listing(config: pytest.Config) -> bool:
    """Return whether pytest only lists something: it runs no test, so nothing is restored."""
    return any(config.getoption(name, None) for name in _LISTING)
