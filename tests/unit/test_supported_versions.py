"""docs/supported-versions.md says what pyproject.toml promises, and what the tests run with."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.oldest import PYPROJECT, beside, oldest, supported
from tests.real.worlds import MAJORS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "supported-versions.md").read_text()
DOCUMENT = tomllib.loads(PYPROJECT.read_text())


def table(heading: str) -> dict[str, list[str]]:
    """Return the rows of the table below a heading: first column to the others."""
    text = PAGE.partition(heading)[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in rows[2:]}


def test_every_library_and_its_lower_bound() -> None:
    """A promise that no test keeps is none: `make oldest` installs these."""
    told = {name: cells[0] for name, cells in table("## Python and libraries").items()}

    assert told == supported()


def test_no_library_has_an_upper_bound() -> None:
    """The newest release is tried in each run; a user's project decides about upper bounds."""
    for requirement in DOCUMENT["project"]["dependencies"]:
        assert "<" not in requirement
        assert "~=" not in requirement
        assert "==" not in requirement


def test_the_versions_of_python() -> None:
    """As the classifiers say."""
    prefix = "Programming Language :: Python :: 3."
    minors = [
        entry.removeprefix(prefix)
        for entry in DOCUMENT["project"]["classifiers"]
        if entry.startswith(prefix)
    ]
    told = re.search(r"^Python (.*?)\. ", PAGE, re.MULTILINE)

    assert told is not None
    assert re.findall(r"3\.(\d+)", told[1]) == minors
    assert DOCUMENT["project"]["requires-python"] == f">=3.{minors[0]}"


def test_the_majors_of_the_server() -> None:
    """The oldest and the newest one of the tests on real servers."""
    assert table("## Servers")["PostgreSQL"][:2] == [str(min(MAJORS)), str(max(MAJORS))]


def test_the_oldest_pytest_xdist() -> None:
    """It is no dependency of users', and installed by the group `dev`."""
    assert f"It is tested from {beside()['pytest-xdist']} on" in PAGE


@pytest.mark.parametrize("requirement", ["click", "click==8", "click<9"])
def test_a_library_without_a_lower_bound(requirement: str) -> None:
    """Its oldest release could not be tested."""
    with pytest.raises(ValueError, match="no lower bound"):
        oldest([requirement])
