"""What the loop of a day, `make check`, drills, and that it needs no container for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_pgrestore.sources.registry import TYPES
from tests.project import ROOT

COLLECT = ("-p", "no:cacheprovider", "--collect-only", "-q", "-m", "daily")


@pytest.fixture(scope="module")
def drills() -> list[str]:
    """The ids of the tests that ``-m daily`` selects, without the unit tests."""
    command = (sys.executable, "-m", "pytest", *COLLECT, "tests/plugin", "tests/real")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_no_drill_of_a_day_needs_docker(drills: list[str]) -> None:
    """A laptop without a Docker daemon runs them all."""
    assert len(drills) > 50
    assert [name for name in drills if "docker" in name.partition("::")[2]] == []


def test_each_type_of_source_is_drilled_every_day(drills: list[str]) -> None:
    """A new type needs a drill here too."""
    mine = [name for name in drills if "::test_a_drill_of_each_type_of_source[" in name]

    assert {name.rpartition("-")[2].rstrip("]") for name in mine} == set(TYPES)
