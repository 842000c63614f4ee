"""Finds the settings file, without reading it.

Light on purpose: every pytest run of our users calls it. Imports errors only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE_NAME = "pgrestore.toml"

# A search, and no parser: tomllib would cost its import in every run.
_SECTION = re.compile(r"^\s*\[\s*tool\s*\.\s*pgrestore\s*[.\]]", re.MULTILINE)


def find_config(given: Path | None, directories: Iterable[Path]) -> Path | None:
    """Return the settings file; None if there is none.

    Args:
        given: The file the user named; None to search.
        directories: The first one with a settings file wins. In one directory ``pgrestore.toml``
            wins over ``[tool.pgrestore]`` in ``pyproject.toml``.

    Raises:
        ConfigError: The file the user named does not exist.
    """
    if given is not None:
        if given.is_file():
            return given
        raise ConfigError(
            f"settings file {given} does not exist", hint="mend the path of --pgrestore-config."
        )
    for directory in directories:
        if (directory / FILE_NAME).is_file():
            return directory / FILE_NAME
        if _has_section(directory / "pyproject.toml"):
            return directory / "pyproject.toml"
    return None


def _has_section(path: Path) -> bool:
    try:
        return _SECTION.search(path.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False
