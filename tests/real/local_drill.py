"""Drills in the local sandbox alone: for cases in which the kind of sandbox does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.sandboxes.protocol import Run
from tests.real.conftest import drilling
from tests.real.runtimes import opened_run
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]


@pytest.fixture(scope="module")
def local_run() -> Iterator[Run]:
    """A local run for all tests of a module."""
    with opened_run("local") as opened:
        yield opened


@pytest.fixture
def local_drill(local_run: Run, tmp_path: Path) -> Iterator[Drilling]:
    """Restore a source in the local sandbox; torn down after the test, and proved to be."""
    with drilling(local_run, tmp_path) as drill:
        yield drill
