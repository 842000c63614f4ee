"""Fixtures of the tests of sandboxes: a place for runs, and runs in it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.sandboxes.docker.daemon.client import Engine, connect
from pytest_pgrestore.sandboxes.docker.run import DockerRun
from pytest_pgrestore.sandboxes.local.run import LocalRun, sweep
from pytest_pgrestore.sandboxes.settings import DockerSettings, LocalSettings
from tests.real.runtimes import docker_settings, require_docker
from tests.real.sandboxes.docker_server import left_of
from tests.real.sandboxes.local_server import DEADLINE


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that root's unprivileged user can enter, and short enough for a socket."""
    made = short_directory()
    yield made
    subprocess.run(["rm", "-rf", str(made)], check=True)


@pytest.fixture
def local_settings(place: Path) -> Iterator[LocalSettings]:
    """How a test's local sandboxes are set up; kept ones are removed after the test."""
    yield LocalSettings(directory=place, timeout_seconds=DEADLINE)
    sweep(LocalSettings(directory=place), kept=True)


@pytest.fixture
def local_run(local_settings: LocalSettings) -> Iterator[LocalRun]:
    """A run of this process."""
    opened = LocalRun.open(local_settings, uuid4().hex[:8])
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The Docker daemon."""
    require_docker()
    return connect()


@pytest.fixture
def volume_settings(engine: Engine, place: Path) -> DockerSettings:  # noqa: ARG001 - skips
    """How a test's containers are set up: as users have them, in an anonymous volume."""
    return docker_settings(place, storage="volume")


@pytest.fixture
def open_run(volume_settings: DockerSettings) -> Iterator[Callable[..., DockerRun]]:
    """Open runs; closed after the test, with nothing left."""
    runs: list[DockerRun] = []

    def _open(**changes: Any) -> DockerRun:
        runs.append(DockerRun.open(replace(volume_settings, **changes), uuid4().hex[:8]))
        return runs[-1]

    yield _open
    for run in runs:
        assert run.close() == []
        assert left_of(run.engine, run.root.name) == []
