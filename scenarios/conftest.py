"""Runs every scenario twice: the disaster and its healthy twin, drilled by a pytest of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.demo import damage
from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.demo.shop import DATABASE, build_shop, trade

collect_ignore_glob = ["*/project/*"]

HERE = Path(__file__).parent
ORDERS = 500
DEADLINE_SECONDS = 300


@dataclass
class World:
    """Production and its backups, as a scenario's ``world.py`` shapes them.

    Attributes:
        cluster: The running production server, with the shop in it.
        directory: Where its backups are written.
        environment: Variables for the drill, beside ``BACKUPS``.
    """

    cluster: Cluster
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    def sql(self, query: str, database: str = DATABASE) -> None:
        """Run one statement in production."""
        self.cluster.sql(query, database=database)

    def trade(self) -> None:
        """Commit some more orders."""
        trade(self.cluster, 20)

    def base_backup(self) -> Path:
        """Take a base backup."""
        return self.cluster.base_backup(self.directory / "base")

    def dump(self, database: str = DATABASE) -> Path:
        """Take a dump called shop.dump, whatever it is of, and the roles beside it."""
        self.cluster.dump_all(self.directory / "globals.sql", "--globals-only")
        return self.cluster.dump(self.directory / "shop.dump", database)

    def archive_all(self) -> None:
        """Wait until everything committed so far is in the archive."""
        self.cluster.switch_wal()

    def segments(self) -> list[Path]:
        """Return the archived segments, in order."""
        return damage.segments(self.cluster.archive)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each scenario and case."""
    if "scenario" in metafunc.fixturenames:
        found = sorted(path.parent for path in HERE.glob("*/scenario.toml"))
        cases = [(path, case) for path in found for case in ("disaster", "twin")]
        metafunc.parametrize(
            ("scenario", "case"), cases, ids=[f"{path.name}-{case}" for path, case in cases]
        )


@pytest.fixture
def story(scenario: Path) -> dict[str, Any]:
    """The content of `scenario.toml`."""
    return tomllib.loads((scenario / "scenario.toml").read_text())


@pytest.fixture
def world(scenario: Path, case: str) -> Iterator[World]:
    """The backups after the disaster, or of its healthy twin; production is stopped."""
    directory = short_directory()
    try:
        with Cluster.create(directory) as cluster:
            build_shop(cluster, ORDERS)
            made = World(cluster, directory / "backups")
            shape = getattr(_module(scenario / "world.py"), "healthy" if case == "twin" else case)
            shape(made)
        shutil.copytree(cluster.archive, made.directory / "archive", dirs_exist_ok=True)
        yield made
    finally:
        shutil.rmtree(directory)


@dataclass(frozen=True)
class Outcome:
    """The outcome of the scenario's pytest run.

    Attributes:
        status: Exit status of pytest.
        printed: Its standard output.
        evidence: The evidence it wrote.
    """

    status: int
    printed: str
    evidence: dict[str, Any]

    def verdicts(self) -> dict[str, str]:
        """Return the verdict of each drill; a point in time shows as ``shop@time``."""
        return {
            drill["drill"].partition(":2")[0]: drill["verdict"] for drill in self.evidence["drills"]
        }


@pytest.fixture
def outcome(scenario: Path, world: World, tmp_path: Path) -> Outcome:
    """Run the scenario's project in a pytest of its own, in the runtime PGRESTORE_RUNTIME."""
    runtime = os.environ.get("PGRESTORE_RUNTIME", "local")
    project = tmp_path / "project"
    shutil.copytree(scenario / "project", project, ignore=shutil.ignore_patterns("__pycache__"))
    pytest_command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null"]
    done = subprocess.run(
        [*pytest_command, f"--rootdir={project}"],
        cwd=project,
        env={
            **os.environ,
            "PGRESTORE_RUNTIME": runtime,
            "BACKUPS": str(world.directory),
            **world.environment,
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    evidence = project / "pgrestore-report" / "evidence.json"
    assert evidence.exists(), done.stdout + done.stderr
    return Outcome(done.returncode, done.stdout, json.loads(evidence.read_text()))


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_world", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
