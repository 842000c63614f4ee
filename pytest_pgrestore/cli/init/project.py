"""The files that `pgrestore init` writes: all of them are new, or none is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_pgrestore.cli.init.looking import is_directory, is_there
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.find_file import FILE_NAME, find_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

TEST_NAME = "test_restore.py"


def drill_name(source: str, database: str = "") -> str:
    """Return the name of the drill file of a source, or of one of its other databases."""
    return f"drill_{source}_{database}.toml" if database else f"drill_{source}.toml"


def require_new(directory: Path, names: Iterable[str]) -> None:
    """Refuse files that are there, and settings elsewhere in the directory.

    Raises:
        ConfigError: Some are there; all of them are named. Or nothing can be written there.
    """
    if os.path.lexists(directory) and not is_directory(directory):
        raise ConfigError(f"{directory} is no directory", hint="name another one: --directory DIR.")
    there = [str(directory / name) for name in names if os.path.lexists(directory / name)]
    if not there and (other := find_config(None, [directory])) is not None:
        there = [f"{other}, with settings"]
    if there:
        raise ConfigError(
            f"not overwritten, because it is there: {', '.join(there)}",
            hint="name another directory: --directory DIR; or print what would be written:"
            " --print.",
        )
    nearest = next(place for place in (directory, *directory.parents) if is_there(place))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(
            f"nothing can be written in {nearest}", hint="name another one: --directory DIR."
        )


def write_new(directory: Path, files: Mapping[str, str]) -> list[Path]:
    """Write files that are not there yet, with their directories; return their paths.

    Raises:
        ConfigError: One is there now, or cannot be written.
    """
    written: list[Path] = []
    for name, text in files.items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as exc:
            before = f" (written before: {', '.join(map(str, written))})" if written else ""
            raise ConfigError(
                f"{path} cannot be written: {exc.strerror}{before}",
                hint="name another directory: --directory DIR.",
            ) from None
        written.append(path)
    return written


def has_settings(directory: Path) -> bool:
    """Return whether a directory has settings of ours already."""
    return is_there(directory / FILE_NAME) or find_config(None, [directory]) is not None
