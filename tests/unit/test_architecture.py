"""The shape of the house: the plugin is light, modules are short, docs/architecture.md is true.

Who may import whom stands in pyproject.toml, and `make lint` checks it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_pgrestore
from pytest_pgrestore.model.version import PACKAGE
from tests import rooms
from tests.project import ROOT

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
    "checks",
    "evidence",
    "privacy.tracebacks",
    "reports",
    "restore",
    "sandboxes",
    "session.collection.drill_file",
    "session.control.finish",
    "settings.read_file",
    "settings.source_tables",
    "settings.toml",
    "sources",
}
"""Parts of our own that a run without drills never loads."""

LONG = 250
REASON = "Long: "
"""Stands in the first line of a module that has a reason to be longer, before the reason."""

FILES = sorted(PACKAGE.rglob("*.py"))


PAGE = rooms.PAGE.read_text(encoding="utf-8")
PATHS = sorted(
    name
    for name in set(re.findall(r"`([a-z_]+/[\w/.]+|plugin\.py)`", PAGE))
    if not name.startswith("pytest_")
)


def test_the_picture_of_the_rooms_is_drawn_from_the_imports() -> None:
    """A picture that was true once misleads whoever reads it first."""
    assert rooms.draw() == PAGE, "stale, draw it again with: make picture"


def test_every_room_has_its_row() -> None:
    """A reader finds each room on the page."""
    assert {room for room in rooms.arrows() if f"| `{room}/`" not in PAGE} == {"plugin"}


@pytest.mark.parametrize("name", PATHS)
def test_every_path_on_the_page_exists(name: str) -> None:
    """They stand below the package, or begin with another folder of the project."""
    assert (PACKAGE / name).exists() or (ROOT / name).exists()


def modules_after(code: str) -> set[str]:
    """Return what a fresh interpreter has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
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
    pytester.makeconftest(
        "def pytest_unconfigure():\n    import sys\n    print(*sys.modules, sep='\\n')\n"
    )

    result = pytester.runpytest_subprocess("-p", "no:terminal")

    loaded = set(result.outlines)
    assert "pytest_pgrestore.plugin" in loaded
    assert HEAVY.isdisjoint(loaded)
    assert {f"pytest_pgrestore.{name}" for name in LATER}.isdisjoint(loaded)


def test_our_code_is_known_by_the_directory_of_the_package() -> None:
    """Frames below it are ours. One room down, the other rooms would count as the users."""
    assert Path(pytest_pgrestore.__file__).parent == PACKAGE


@pytest.mark.parametrize("name", pytest_pgrestore.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """A name in `__all__` that does not load is a broken promise."""
    assert getattr(pytest_pgrestore, name).__name__ == name


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        pytest_pgrestore.Nonsense  # noqa: B018 - the access is the test


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_has_one_subject_or_a_reason_to_be_long(path: Path) -> None:
    """A long one hides a second subject."""
    text = path.read_text(encoding="utf-8")
    long = len(text.splitlines()) > LONG

    assert not long or REASON in text.partition("\n")[0], f"longer than {LONG} lines"


def test_no_two_test_modules_have_one_name() -> None:
    """They are imported by it, whatever directory they lie in; run alone each of them works."""
    names = [path.name for path in Path(__file__).parents[1].rglob("test_*.py")]

    assert sorted(names) == sorted(set(names))


EXCUSE = re.compile(
    r"# (?:noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\]|nosec B\d{3}(?:, B\d{3})* #)(?P<reason>.*)"
    r"|# *nosec(?! B\d{3}(?:, B\d{3})* #)"
)
"""A rule that is switched off for a line. Bandit reads up to the next ``#``, so the reason has its
own. A `nosec` in another form, without a test or without that ``#``, has no reason."""

SOURCES = sorted(
    path
    for folder in ("pytest_pgrestore", "tests", "scenarios", "examples")
    for path in (ROOT / folder).rglob("*.py")
)


def test_every_rule_that_is_switched_off_has_a_reason() -> None:
    """Whoever reads the line must know whether the reason still holds."""
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for found in EXCUSE.finditer(line)
        if not re.search(
            r"[a-z]{2}",
            re.sub(r"noqa|type: ignore|nosec", "", found["reason"] or ""),
        )
    ]

    assert not bare
