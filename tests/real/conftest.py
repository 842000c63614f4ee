"""Fixtures of the tests on real servers: worlds, a run, and drills that are torn down."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.target import Latest, RecoveryTarget
from pytest_pgrestore.restore.drill import DrillResult, DrillSettings, finish_drill, run_drill
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.protocol import LogicalSource, PhysicalSource
from tests.real.barman_worlds import Barmaned, barmaned
from tests.real.runtimes import BACKUP_TOOLS, RUNTIMES, opened_run
from tests.real.tool_worlds import by_major
from tests.real.walg_worlds import WALG
from tests.real.worlds import DEADLINE_SECONDS, Drilled, World, build


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for one test, with a path short enough for a socket's."""
    directory = short_directory()
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def worlds() -> Iterator[Callable[[int], World]]:
    """Return the world of a major, built on first use.

    Tests must not change it: copy what you damage.
    """
    made: list[World] = []

    @cache
    def world_of(major: int) -> World:
        made.append(build(major))
        return made[-1]

    yield world_of
    for world in made:
        shutil.rmtree(world.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def barman_worlds() -> Iterator[Callable[[int], Barmaned]]:
    """Return the Barman home of a major, built on first use.

    Tests must not change it: copy what you damage.
    """
    with by_major(barmaned) as world_of:
        yield world_of


@pytest.fixture(scope="module", params=RUNTIMES)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """A run of this process for all tests of a module, in each kind of sandbox.

    Nothing may be left of it.
    """
    with opened_run(request.param) as opened:
        yield opened


@pytest.fixture(scope="module", params=RUNTIMES)
def tool_run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """A run whose images have the backup tools, which reach the stores on this machine.

    Nothing may be left of it.
    """
    with opened_run(request.param, packages=BACKUP_TOOLS, tool_network="host") as opened:
        yield opened


@pytest.fixture
def drill(run: Run, tmp_path: Path) -> Iterator[Callable[..., Drilled]]:
    """Restore a source to a target; torn down, and proved to be, after the test."""
    with drilling(run, tmp_path) as drill:
        yield drill


@pytest.fixture
def tool_drill(tool_run: Run, tmp_path: Path) -> Iterator[Callable[..., Drilled]]:
    """Restore a source of a backup tool; torn down after the test, and proved to be."""
    with drilling(tool_run, tmp_path) as drill:
        yield drill


@contextmanager
def drilling(run: Run, tmp_path: Path) -> Iterator[Callable[..., Drilled]]:
    """Return what restores a source to a target in `run`."""
    done: list[tuple[str, DrillResult]] = []

    def _drill(
        source: PhysicalSource | LogicalSource,
        target: RecoveryTarget | None = None,
        **settings: Any,
    ) -> Drilled:
        timeline = settings.pop("timeline", "latest")
        objectives = {"objectives": settings.pop("objectives")} if "objectives" in settings else {}
        wanted = Drill("shop", target or Latest(), timeline=timeline, **objectives)
        result = run_drill(
            wanted,
            source,
            DrillSettings(timeout_seconds=DEADLINE_SECONDS, **settings),
            run,
            log_directory=tmp_path / "logs",
            progress=print,
        )
        done.append((wanted.key, result))
        return Drilled(result)

    yield _drill
    for key, result in done:
        finish = finish_drill(run, key, result.access, tmp_path / "logs")
        assert finish.teardown.removed, finish.teardown.message


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print with which WAL-G its tests ran, or how many did not: no registry has it."""
    left_out = [
        report for report in terminalreporter.stats.get("skipped", []) if "walg" in report.nodeid
    ]
    ran = any("test_walg" in report.nodeid for report in terminalreporter.stats.get("passed", []))
    if left_out:
        terminalreporter.write_line(
            f"{len(left_out)} tests of WAL-G were not run: wal-g is not on PATH;"
            " its project's releases page has it"
        )
    elif ran and WALG is not None:
        version = subprocess.run(
            [WALG, "--version"], capture_output=True, text=True, check=False
        ).stdout
        terminalreporter.write_line(f"tests of WAL-G ran with {' '.join(version.split())}")
