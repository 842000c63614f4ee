"""The content of the settings file as it was written, and where its reports go.

Imports pydantic; therefore imported inside functions only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.toml import read_toml
from pytest_pgrestore.settings.variables import fill_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DIRECTORY = re.compile(r"""^[^#\n]{0,200}?\bdirectory\s*=\s*["']([^"'\n]+)["']""", re.MULTILINE)


def read_content(path: Path) -> dict[str, Any]:
    """Return the settings in the file at `path`.

    Raises:
        ConfigError: It cannot be read, or has no settings of ours.
    """
    document: Any = read_toml(path)
    if path.name == "pyproject.toml":
        document = document.get("tool", {})
        document = document.get("pgrestore") if isinstance(document, dict) else None
    if not isinstance(document, dict):
        raise ConfigError(
            f"{path} has no table [tool.pgrestore]",
            hint="write [tool.pgrestore.sources.NAME] and keys below it, or name another file.",
        )
    return document


def is_readable(path: Path) -> bool:
    """Tell whether the file at `path` can be read, whatever is wrong with its settings."""
    try:
        read_content(path)
    except ConfigError:
        return False
    return True


def directories_named_in(path: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield what a file that cannot be read as TOML may name as `reports.directory`."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for name in _DIRECTORY.findall(text):
        mistakes: list[str] = []
        filled = fill_in({"directory": name}, environ, mistakes)
        if not mistakes:
            yield path.parent.absolute() / Path(filled["directory"]).expanduser()


def report_directory_in(path: Path, environ: Mapping[str, str]) -> Path | None:
    """Return `reports.directory` of the file at `path`; None if there is none, or no good one.

    Mistakes elsewhere in the file do not matter.
    """
    mistakes: list[str] = []
    try:
        filled = fill_in({"reports": read_content(path).get("reports")}, environ, mistakes)
    except ConfigError:
        return None
    table = filled["reports"]
    directory = table.get("directory") if isinstance(table, dict) else None
    if not isinstance(directory, str) or mistakes:
        return None
    return path.parent.absolute() / Path(directory).expanduser()
