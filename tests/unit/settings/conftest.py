"""Fixtures of the tests of settings."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Write a settings file and return its path."""

    def _write(text: str, name: str = "pgrestore.toml") -> Any:
        path = tmp_path / name
        path.write_text(dedent(text))
        return path

    return _write
