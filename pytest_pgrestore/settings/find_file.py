"""Finds the settings file, without reading it.

Light on purpose: every pytest run of our users calls it. Imports errors only.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FILE_NAME = "pgrestore.toml"

# A search, and no parser: tomllib would cost its import in every run.
_SECTION = re.compile(r"^\s*\[\s*tool\s*\.\s*([\w-]+)\s*[.\]]", re.MULTILINE)

_OURS = "pgrestore"

_ENDINGS = frozenset({"toml", "tml", "tom", "tolm", "toml.txt"})
"""Of a file that was meant to be TOML."""

_ALIKE = 0.88
"""Likeness from which a name is a mistyped ``pgrestore``: a ratio of difflib, from 0 to 1."""


def find_config(given: Path | None, directories: Iterable[Path]) -> Path | None:
    """Return the settings file; None if there is none.

    Args:
        given: The file the user named; None to search.
        directories: Where ``pgrestore.toml`` is looked for, and ``[tool.pgrestore]`` in
            ``pyproject.toml``.

    Raises:
        ConfigError: The file the user named does not exist. There are two files, or one with a
            name that is almost right: the settings that count are not those the user sees.
    """
    if given is not None:
        try:
            if given.is_file():
                return given
        except OSError as exc:  # a directory above is closed, or the name is too long
            raise ConfigError(
                f"settings file {given} cannot be read: {exc.strerror}",
                hint="let the user who runs pytest read it, or mend the path of"
                " --pgrestore-config.",
            ) from None
        raise ConfigError(
            f"settings file {given} does not exist", hint="mend the path of --pgrestore-config."
        )
    known: dict[tuple[int, int] | Path, Path] = {}
    for directory in directories:
        known.setdefault(_identity(directory), directory)
    found: list[Path] = []
    for directory in known.values():
        found += _settings_in(directory)
    if len(found) > 1:
        raise ConfigError(
            f"there are {len(found)} settings files, and one is read: "
            + " and ".join(map(str, found)),
            hint="remove one, or name the right one: --pgrestore-config=FILE.",
        )
    return found[0] if found else None


def find_unread(directory: Path, root: Path, read: Path | None) -> Path | None:
    """Return the settings file nearest to tests, if it is not the one that counts.

    Args:
        directory: Of the tests.
        root: pytest's; above it nothing is looked for, and outside of it `directory` alone.
        read: The file that counts; None if there is none.

    Raises:
        ConfigError: There is one with a name that is almost right.
    """
    above = [directory, *directory.parents]
    places = above[: above.index(root)] if root in above else above[:1]
    found = (path for place in places for path in _settings_in(place))
    nearest = next(found, None)
    return None if nearest is None or (read and _is_same(nearest, read)) else nearest


def candidates(directories: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that may have been meant as settings, right names and nearly right ones."""
    for directory in directories:
        with suppress(OSError):
            for path in sorted(directory.iterdir()):
                if path.name in {FILE_NAME, "pyproject.toml"} or _is_near_miss(path.name):
                    yield path


def _identity(directory: Path) -> tuple[int, int] | Path:
    try:
        status = directory.stat()
    except OSError:
        return directory
    return status.st_dev, status.st_ino


def _settings_in(directory: Path) -> Iterator[Path]:
    """Yield the settings files in a directory.

    Raises:
        ConfigError: One has a name that is almost right.
    """
    right = directory / FILE_NAME
    if os.path.isfile(right):  # noqa: PTH113 - Path.is_file raises in a closed directory
        yield right
    try:
        names = [entry.name for entry in os.scandir(directory)]
    except OSError:
        names = []
    for name in sorted(names):
        if _is_near_miss(name) and not _is_same(directory / name, right):
            raise ConfigError(
                f"{directory / name} is not read: settings are in {FILE_NAME}",
                hint=f"call it {FILE_NAME}, or name it: --pgrestore-config={directory / name}.",
            )
    project = directory / "pyproject.toml"
    for section in _sections(project):
        if section == _OURS:
            yield project
        elif _is_alike(section):
            raise ConfigError(
                f"{project} has a table [tool.{section}], which nothing reads",
                hint=f"call it [tool.{_OURS}].",
            )


def _is_near_miss(name: str) -> bool:
    """Return whether a file is probably a mistyped ``pgrestore.toml``."""
    stem, _, ending = name.lstrip(".").partition(".")
    if name == FILE_NAME or ending.lower() not in _ENDINGS:
        return False
    return _plain(stem) == _OURS or _is_alike(stem)


def _is_alike(name: str) -> bool:
    # Names of other lengths are not alike, and difflib is not loaded for them.
    if abs(len(_plain(name)) - len(_OURS)) > 2:  # noqa: PLR2004 - at most two letters too many
        return False
    from difflib import SequenceMatcher

    return SequenceMatcher(None, _plain(name), _OURS).ratio() >= _ALIKE


def _plain(name: str) -> str:
    return re.sub(r"[-_]", "", name.lower())


def _is_same(path: Path, other: Path) -> bool:
    """Return whether two names are one file: not every file system tells upper case from lower."""
    try:
        return path.samefile(other)
    except OSError:
        return False


def _sections(path: Path) -> list[str]:
    """Return the names of the tables below ``[tool]``, each once."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    return list(dict.fromkeys(_SECTION.findall(text)))
