"""Reading a settings file with the types of sources of this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.read_file import Config
from pytest_pgrestore.settings.read_file import load_config as load_with
from pytest_pgrestore.sources.registry import SOURCE_TABLES


def load_config(path: Path, environ: dict[str, str]) -> Config:
    """Return the settings in the file at `path`, with our own types of sources."""
    return load_with(path, environ, tables=SOURCE_TABLES)


def mistakes(path: Path, environ: Any = None) -> str:
    """Return the error about the file at `path`."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ or {})
    return str(caught.value)
