"""Files of the project that modules import, found without importing anything."""

from __future__ import annotations

import ast
import sys
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pgrestore.system.regular_file import read_limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_FILE_BYTES = 16 * 1024 * 1024

_INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Directories of what is installed, also of an environment within the project."""


def imported_by(modules: Iterable[Path], root: Path) -> set[Path]:
    """Return the modules of the project among these, and those that they import, and so on.

    An import of a name that is made at run time is not seen.

    Args:
        modules: Files of modules.
        root: Directory of the project.
    """
    found: set[Path] = set()
    left = [path for path in modules if _is_of_project(path, root)]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += [one for one in _imports(path, _state(path)) if _is_of_project(one, root)]
    return found


def _is_of_project(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) and _INSTALLED.isdisjoint(path.relative_to(root).parts)


def _state(path: Path) -> tuple[int, int]:
    """Return what changes when a file does."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1024)
def _imports(path: Path, state: tuple[int, int]) -> tuple[Path, ...]:
    """Return the files of what a module imports; none of one that cannot be read."""
    del state  # of the file when it was read: for the cache
    try:
        tree = ast.parse(read_limited(path, _FILE_BYTES))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found: dict[Path, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found |= dict.fromkeys(_files_of_name(alias.name, None))
        elif isinstance(node, ast.ImportFrom):
            # From `.a import b`: `b` may be a module, too.
            places, start = _places(path, node.level)
            for alias in node.names:
                name = f"{node.module}.{alias.name}" if node.module else alias.name
                found |= dict.fromkeys(_files_of_name(name, places))
            found |= dict.fromkeys(start)
    return tuple(found)


def _places(path: Path, level: int) -> tuple[Sequence[str] | None, list[Path]]:
    """Return where an import looks, None for everywhere; and the package that it begins at."""
    if level == 0:
        return None, []
    package = path.parents[level - 1]
    own = package / "__init__.py"
    return [str(package)], [own] if own.is_file() else []


def _files_of_name(name: str, places: Sequence[str] | None) -> Iterator[Path]:
    """Yield the file of each package of a dotted name, and of the module itself.

    Args:
        name: Of the module, or of something in one.
        places: Directories to look in; None for everywhere, where a finder of its own may have
            found the module already: of an editable install, say.
    """
    parts, found = name.split("."), places
    for number, part in enumerate(parts, start=1):
        spec = PathFinder.find_spec(part, found)
        if spec is None:
            loaded = sys.modules.get(".".join(parts[:number])) if places is None else None
            spec = getattr(loaded, "__spec__", None)
        if spec is None:
            return
        if spec.has_location and spec.origin is not None:
            yield Path(spec.origin)
        found = spec.submodule_search_locations
        if found is None:
            return
