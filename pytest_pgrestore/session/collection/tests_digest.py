"""Digests of the tests of each drill: what is asserted, and with which arguments.

Modules of the project count, wherever a test gets them from. Installed ones do not.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.session.collection.imported import imported_by
from pytest_pgrestore.session.keys import IS_DRILL_CHECK, keys_of_drills
from pytest_pgrestore.system.regular_file import read_limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest

_FILE_BYTES = 16 * 1024 * 1024

_OF_DBT = ("*.sql", "*.yml", "*.yaml", "*.csv", "*.md")
"""Files of a dbt project that can change what its tests ask."""

_MADE_BY_DBT = frozenset({"target", "logs", "dbt_packages"})


def digests_of_tests(items: Iterable[pytest.Item], root: Path) -> dict[str, str]:
    """Return the digest of the tests of each drill, by the drill's key.

    Args:
        items: The selected tests: another selection is another proof.
        root: pytest's root directory; files count from there.
    """
    names: dict[str, set[str]] = {}
    files: dict[str, set[Path]] = {}
    code: dict[str, set[Path]] = {}
    for item in items:
        if item.stash.get(IS_DRILL_CHECK, False):
            continue
        for key in keys_of_drills(item):
            # Not the node id, to which xdist adds the group of a test.
            path, _, title = item.location
            names.setdefault(key, set()).add(f"{path}::{title}")
            files.setdefault(key, set()).update(_files_of(item))
            code.setdefault(key, set()).update(_code_of(item, root))
    for key, modules in code.items():
        files[key] |= imported_by(modules, root)
    known: dict[Path, str] = {}
    return {
        key: _digest([*sorted(tests), *sorted(_named(files[key], root, known))])
        for key, tests in names.items()
    }


def _named(paths: Iterable[Path], root: Path, known: dict[Path, str]) -> Iterator[str]:
    """Yield each file with the digest of its content."""
    for path in paths:
        if path not in known:
            try:
                known[path] = hashlib.sha256(read_limited(path, _FILE_BYTES)).hexdigest()
            except OSError as exc:
                known[path] = type(exc).__name__  # the test itself tells it
        name = path.relative_to(root) if path.is_relative_to(root) else path
        yield f"{name} {known[path]}"


def _files_of(item: pytest.Item) -> Iterator[Path]:
    yield item.path
    written, script = getattr(item, "written", None), getattr(item, "script", None)
    if written is not None:
        yield written.path
    if script is not None:
        yield script
    parameters = getattr(item.parent, "params_file", None)
    if parameters is not None:
        yield parameters
    project = getattr(getattr(item, "table", None), "project", None)
    if project is not None:
        directory = item.path.parent / project
        for pattern in _OF_DBT:
            for path in directory.rglob(pattern):
                if _MADE_BY_DBT.isdisjoint(path.relative_to(directory).parts):
                    yield path


def _code_of(item: pytest.Item, root: Path) -> Iterator[Path]:
    """Yield the modules that make the test: its own, each conftest.py, and those of fixtures."""
    if item.path.suffix == ".py":
        yield item.path
    for directory in item.path.parents:
        if (directory / "conftest.py").is_file():
            yield directory / "conftest.py"
        if directory == root:
            break
    fixtures: Any = getattr(item, "_fixtureinfo", None)  # of a module in `pytest_plugins`, say
    for found in getattr(fixtures, "name2fixturedefs", {}).values():
        for one in found:
            code = getattr(inspect.unwrap(one.func), "__code__", None)
            if code is not None:
                yield Path(code.co_filename)


def _digest(lines: list[str]) -> str:
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:16]
