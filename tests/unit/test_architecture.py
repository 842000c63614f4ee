"""The shape of the house: imports point down, the plugin is light, every setting is documented."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_pgrestore

PACKAGE = Path(pytest_pgrestore.__file__).parent

BASE = {"model", "process", "waiting", "suggest", "durations"}
MIDDLE = BASE | {"sources", "sandboxes"}
GLUE = {path.stem for path in PACKAGE.glob("*.py")} - BASE - {"__init__"}

MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "process": {"model"},
    "waiting": {"model"},
    "suggest": set(),
    "durations": {"model"},
    "sandboxes": BASE,
    "sources": BASE,
    "checks": {"model"},
    "reports": {"model"},
    "recovery": MIDDLE | {"checks"},
    "lab": MIDDLE | {"recovery"},
}
"""Layer to the layers below it. Glue, the modules at the top of the package, may import everything but the lab."""

ROOMS: dict[str, set[str]] = {
    "wal": set(),
    "dump": set(),
    "basebackup": {"wal"},
    "pgbackrest": {"wal"},
    "barman": {"wal", "basebackup"},
    "walg": {"wal", "basebackup"},
    "command": {"wal", "basebackup"},
}
"""Room of `sources` to those it may look into: WAL, and data directories with their manifest, whoever filled them."""

INTRODUCED = {
    # Sources and sandboxes see each other's protocol only; recovery introduces them.
    "sources": {"pytest_pgrestore.sandboxes.protocol"},
    # The one place that starts processes takes the account they run as.
    "process": {"pytest_pgrestore.sandboxes.account"},
}

HEAVY = {
    "click",
    "docker",
    "filelock",
    "jinja2",
    "junit_xml",
    "lz4",
    "psycopg",
    "pydantic",
    "pytimeparse",
    "tenacity",
    "testcontainers",
    "zstandard",
}
LATER = {
    "recovery",
    "sandboxes",
    "sources",
    "reports",
    "checks",
    "config",
    "sourcetables",
    "drillfile",
    "toml",
    "closing",
}
"""Parts of our own that a run without drills never loads."""

FILES = sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """Return the modules of the package that the file imports, for types too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{name.name}" for name in node.names}
            inner = {name for name in names if (PACKAGE.parent / f"{name.replace('.', '/')}.py").exists()}
            found |= inner or {node.module}
    return {name for name in found if name.startswith("pytest_pgrestore.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_point_down(path: Path) -> None:
    """Data flows one way, so imports do too."""
    layer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    below = MAY_IMPORT.get(layer, MIDDLE | {"checks", "reports", "recovery"} | GLUE)
    if layer in {"cli", "commands"}:
        below = below | {"lab", "commands"}

    up = {
        name
        for name in imports_of(path)
        if name.split(".")[1] not in below | {layer} and name not in INTRODUCED.get(layer, set())
    }

    assert not up


@pytest.mark.parametrize("room", ROOMS)
def test_one_tool_does_not_know_another(room: str) -> None:
    """A change of one source moves no other; the registry alone knows them all."""
    files = sorted((PACKAGE / "sources" / room).glob("*.py"))
    seen = {name.split(".")[2] for path in files for name in imports_of(path) if name.count(".") > 2}

    assert files
    assert seen & ROOMS.keys() <= ROOMS[room] | {room}


def test_every_room_of_the_sources_is_known_here() -> None:
    """A new one comes with what it may look into."""
    assert {path.parent.name for path in (PACKAGE / "sources").glob("*/__init__.py")} == ROOMS.keys()


def modules_after(code: str) -> set[str]:
    """Return what a fresh interpreter has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_plugin_is_light() -> None:
    """Every pytest run in the user's project pays for what plugin.py imports."""
    loaded = modules_after("import pytest_pgrestore.plugin")

    assert HEAVY.isdisjoint(loaded)
    assert {f"pytest_pgrestore.{name}" for name in LATER}.isdisjoint(loaded)


def test_a_run_without_drills_stays_light(pytester: pytest.Pytester) -> None:
    """Not the import alone: hooks and fixtures too leave the heavy modules where they are."""
    pytester.makepyfile("def test_nothing(): pass")
    pytester.makeconftest("def pytest_unconfigure():\n    import sys\n    print(*sys.modules, sep='\\n')\n")

    result = pytester.runpytest_subprocess("-p", "no:terminal")

    loaded = set(result.outlines)
    assert "pytest_pgrestore.plugin" in loaded
    assert HEAVY.isdisjoint(loaded)
    assert {f"pytest_pgrestore.{name}" for name in LATER}.isdisjoint(loaded)


@pytest.mark.parametrize("name", pytest_pgrestore.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """A name in `__all__` that does not load is a broken promise."""
    assert getattr(pytest_pgrestore, name).__name__ == name


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        pytest_pgrestore.Nonsense  # noqa: B018 - the access is the test


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_fits_into_the_head(path: Path) -> None:
    """Longer ones hide a second subject."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def test_no_two_test_modules_have_one_name() -> None:
    """They are imported by it, whatever directory they lie in; run alone each of them works."""
    names = [path.name for path in Path(__file__).parents[1].rglob("test_*.py")]

    assert sorted(names) == sorted(set(names))
