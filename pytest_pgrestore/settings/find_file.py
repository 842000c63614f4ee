"""Finding the file that holds the settings, without reading it. Light: every pytest run asks. Imports only errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE_NAME = "pgrestore.toml"

_SECTION = re.compile(r"^\s*\[\s*tool\s*\.\s*pgrestore\s*[.\]]", re.MULTILINE)


def find_config(given: Path | None, directories: Iterable[Path]) -> Path | None:
    """Return the file that holds the settings: the one given, else the first found in `directories`.

    In one directory ``pgrestore.toml`` beats ``[tool.pgrestore]`` in ``pyproject.toml``.

    Raises:
        ConfigError: The file that was given is not there.
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
