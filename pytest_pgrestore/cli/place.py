"""The history and the sources that a command is about: those of the settings file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.history.ledger import Ledger
from pytest_pgrestore.history.store import open_store
from pytest_pgrestore.model.errors import ConfigError
from pytest_pgrestore.settings.find_file import FILE_NAME, find_config
from pytest_pgrestore.settings.options import BY_NAME
from pytest_pgrestore.settings.read_file import Config, load_config
from pytest_pgrestore.sources.registry import SOURCE_TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def settings_of(config: Path | None, environ: Mapping[str, str]) -> Config:
    """Return the settings; empty ones if there is no file.

    Raises:
        ConfigError: The file that was named is not there, or it has mistakes.
    """
    path = find_config(config, [Path.cwd()])
    if path is None:
        return Config()
    return load_config(path, environ, tables=SOURCE_TABLES, notices=False)


def ledger_of(settings: Config, named: str | None, environ: Mapping[str, str]) -> Ledger:
    """Return the history that was named, else that of the environment, else of the settings.

    Raises:
        ConfigError: There is none, or a library for it is missing.
    """
    place = named or environ.get(BY_NAME["history"].variable) or settings.history.place
    if place is None:
        raise ConfigError(
            "no history is named",
            hint=f'write [history] and place = "DIRECTORY" in {FILE_NAME}, or --history PLACE.',
        )
    return Ledger(open_store(place))


def tell_damage(problems: Sequence[str], echo: Callable[[str], object]) -> None:
    """Print what is wrong with a history, and what can be done."""
    for problem in problems:
        echo(f"history: {problem}")
    if problems:
        echo(
            "HINT: put the files back from a copy; or, once you know why they are gone,"
            ' pgrestore history accept --reason "...".'
        )
