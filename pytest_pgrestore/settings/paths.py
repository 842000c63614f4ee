"""Which keys of a settings file are paths, and where a relative one starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.settings.words import is_url

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATH_KEYS = frozenset(
    {
        *("config", "delta", "envdir", "path", "globals", "linked_paths", "read_paths"),
        "schema_file",
        "wal",
        *("bindir", "directory", "before", "place", "file"),
    }
)
"""Keys of any table whose text, or list of texts, is a path."""


def absolute(value: Any, base: Path) -> Any:
    """Return `value` with all paths in it absolute; a relative one starts from `base`."""
    if not isinstance(value, dict):
        return value
    return {
        key: _path(entry, base)
        if key in _PATH_KEYS and isinstance(entry, str | list)
        else absolute(entry, base)
        for key, entry in value.items()
    }


def empty_paths(value: Any, where: str = "") -> Iterator[str]:
    """Yield the places of paths that are empty texts: each would be the settings' own directory."""
    if not isinstance(value, dict):
        return
    for key, entry in value.items():
        place = f"{where}.{key}" if where else str(key)
        if key in _PATH_KEYS and "" in (entry if isinstance(entry, list) else [entry]):
            yield place
        yield from empty_paths(entry, place)


def _path(entry: Any, base: Path) -> Any:
    if isinstance(entry, list):
        return [_path(one, base) for one in entry]
    if not isinstance(entry, str) or is_url(entry):
        return entry
    return str(base / Path(entry).expanduser())
