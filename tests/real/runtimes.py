"""The kinds of sandboxes that tests on real restores run in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.sandboxes.docker.daemon.client import connect
from pytest_pgrestore.sandboxes.docker.run import DockerRun
from pytest_pgrestore.sandboxes.local.run import LocalRun
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sandboxes.settings import DockerSettings, LocalSettings
from tests.real.worlds import MAJORS

RUNTIMES = ("local", "docker")
BASE = "pgrestore-test-base:{major}"
"""Debian without a server, made by tests/bootstrap/docker."""

BACKUP_TOOLS = (
    "barman",
    "barman-cli",
    "barman-cli-cloud",
    "ca-certificates",
    "openssh-client",
    "pgbackrest",
    "rsync",
)
"""Packages of the images for production servers and for drills of their backups."""

DEADLINE_SECONDS = 120.0
BUILD_SECONDS = 1200.0


def docker_settings(directory: Path, **changes: Any) -> DockerSettings:
    """Return how tests run containers: nothing is pulled, and builds use the machine's network.

    Copies are in memory. They are small and many, and a server that recovers syncs every file of
    its data directory first (PostgreSQL: `SyncDataDirectory`).
    """
    usual: dict[str, Any] = {
        "base_image": BASE,
        "pull": False,
        "build_network": "host",
        "storage": "tmpfs",
        "timeout_seconds": DEADLINE_SECONDS,
    }
    return DockerSettings(directory=directory, **(usual | changes))


@cache
def require_docker() -> None:
    """Skip a test if no Docker daemon runs; in CI, fail."""
    try:
        connect()
    except HarnessError as exc:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI leaves nothing real out, and Docker is missing: {exc}")
        pytest.skip(f"no Docker engine here: {exc.problem}")
    _build_images(())


@cache
def require_tool_images() -> None:
    """Build the missing images of backup tools: a test's own deadline is too short for that."""
    require_docker()
    _build_images(BACKUP_TOOLS)


def _build_images(packages: tuple[str, ...]) -> None:
    place = short_directory()
    try:
        settings = docker_settings(place, packages=packages, timeout_seconds=BUILD_SECONDS)
        # A unique name: two pytests at once would remove each other's containers.
        run = DockerRun.open(settings, f"images-{os.getpid()}")
        try:
            for major in MAJORS:
                run.find_programs(major)
        finally:
            run.close()
    finally:
        shutil.rmtree(place)


def environment_of(runtime: str) -> dict[str, str]:
    """Return the variables that make a pytest of its own drill in this kind of sandbox."""
    if runtime == "docker":
        require_docker()
    return {
        "PGRESTORE_RUNTIME": runtime,
        "PGRESTORE_BASE_IMAGE": BASE,
        "PGRESTORE_STORAGE": "tmpfs",
    }


@contextmanager
def opened_run(runtime: str, **changes: Any) -> Iterator[Run]:
    """Open a run in a directory of its own; check that nothing is left of it.

    Args:
        runtime: Kind of sandbox.
        changes: Settings of the docker sandbox, other than the usual ones.
    """
    if runtime == "docker":
        require_docker()
        if changes.get("packages") == BACKUP_TOOLS:
            require_tool_images()
    place = short_directory()
    name = uuid4().hex[:8]
    opened: Run
    if runtime == "docker":
        opened = DockerRun.open(docker_settings(place, **changes), name)
    else:
        opened = LocalRun.open(
            LocalSettings(directory=place, timeout_seconds=DEADLINE_SECONDS), name
        )
    try:
        yield opened
    finally:
        left = opened.close()
        shutil.rmtree(place)
    assert left == []
