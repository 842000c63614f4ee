"""Layouts and recipes, which have rooms of their own: found by name, and a recipe is written."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.cli.init.looking import is_there
from pytest_pgrestore.cli.init.project import write_new
from pytest_pgrestore.cli.init.telling import collects_elsewhere
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.suggest import known_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Echo = Callable[[str], object]

_DRILLS = ("drill_*.toml", "test_*.py", "*/drill_*.toml", "*/test_*.py")
"""Files in which drills are, in the project and in its directories."""


def write_recipe(recipe: Callable[[Path], Mapping[str, str]], directory: Path, echo: Echo) -> int:
    """Write the files of a recipe, which reads the settings; return the exit status.

    Raises:
        ConfigError: One of them is there.
    """
    files = recipe(directory)
    there = [name for name in files if is_there(directory / name)]
    if there:
        raise ConfigError(
            f"not overwritten, because it is there: {', '.join(there)}",
            hint="move it away, or compare it with examples/ci.",
        )
    for path in write_new(directory, files):
        echo(f"wrote {path}")
    if not any(any(directory.glob(pattern)) for pattern in _DRILLS):
        echo(
            "no drill is here yet, and a run without one is not green: pgrestore init --directory"
            " DIR writes a first test beside the settings, and docs/assertions.md shows others"
        )
    if collects_elsewhere(directory):
        echo(
            "the recipe starts pytest without names, and this project configures pytest: write the"
            " files of the drills behind pytest there, or the tests of the project run, too, and"
            " drills outside of testpaths do not"
        )
    return 0


def named(room: str, table: str, name: str | None) -> Any:
    """Return a layout or a recipe by its name; None if none is wanted.

    Raises:
        ConfigError: There is none of that name.
    """
    if name is None:
        return None
    try:
        module = import_module(f"pytest_pgrestore.cli.init.{room}")
    except ModuleNotFoundError:
        module = None
    known: Mapping[str, Any] = getattr(module, table, {})
    if name not in known:
        raise ConfigError(f"{name!r} is not known here", hint=known_names(name, known))
    return known[name]
