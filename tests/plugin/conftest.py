"""Real backups of a small database, made once, and a project that drills them with pytest."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.evidence.file import load
from pytest_pgrestore.sandboxes.local.run import sweep
from pytest_pgrestore.sandboxes.settings import LocalSettings
from tests.real.runtimes import RUNTIMES, environment_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from pytest_pgrestore.model.evidence import DrillRecord, Evidence

MAJOR = 18
ORDERS = 100
"""Rows of `orders` in the base backup and in the dump."""

COUNTS = """
    import pytest

    pytestmark = pytest.mark.pgrestore("shop")

    def test_orders(pgrestore_conn):
        assert pgrestore_conn.execute("select count(*) from orders").fetchone() == (0,)
"""
"""A test module that passes: at the latest point all orders are deleted."""


@dataclass(frozen=True)
class World:
    """Backups of a database `shop` with the table `orders`.

    Attributes:
        dump: pg_dump of it, holding 100 orders.
        base: Base backup taken at the same time.
        wal: Its WAL archive; 100 more orders were committed, and then all deleted.
        before_the_deletion: A moment after the commit and before the deletion.
    """

    dump: Path
    base: Path
    wal: Path
    before_the_deletion: datetime

    def settings(self, extra: str = "") -> str:
        """Return a settings file with the sources `shop` (base backup) and `export` (dump)."""
        return f"""
[sources.shop]
type = "basebackup"
path = "{self.base}"
wal = "{self.wal}"
database = "shop"

[sources.export]
type = "dump"
path = "{self.dump}"
{extra}
"""


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The backups. Their server was removed."""
    directory = short_directory()
    with Cluster.create(directory / "c", MAJOR) as cluster:
        cluster.sql("create database shop")
        cluster.sql(
            "create table orders "
            "(id bigint primary key, note text not null, created_at timestamptz default now())",
            database="shop",
        )
        more = (
            "insert into orders "
            "select id, 'secret-note-' || id from generate_series(%s::bigint, %s) id"
        )
        cluster.sql(more, 1, ORDERS, database="shop")
        base = cluster.base_backup(directory / "backups" / "base")
        dump = cluster.dump(directory / "backups" / "shop.dump", "shop")
        cluster.sql(more, ORDERS + 1, 2 * ORDERS, database="shop")
        moment = cluster.now()
        cluster.sql("delete from orders", database="shop")
        cluster.switch_wal()
        wal = cluster.archive
    yield World(dump, base, wal, moment)
    shutil.rmtree(directory)


def run_pytest(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run pytest on the project in a process of its own."""
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)


def evidence_in(directory: Path) -> Evidence:
    """Return the evidence that the last run left in the project at `directory`."""
    return load((directory / "pgrestore-report" / "evidence.json").read_text())


def use_sandbox(monkeypatch: pytest.MonkeyPatch, runtime: str) -> None:
    """Set the variables that make a run of its own drill in this kind of sandbox."""
    for name, value in environment_of(runtime).items():
        monkeypatch.setenv(name, value)


class Drills:
    """A project with drills, and what its runs left.

    Attributes:
        reports: The directory of the reports.
    """

    def __init__(self, pytester: pytest.Pytester, world: World) -> None:
        self.pytester = pytester
        self.world = world
        self.reports = pytester.path / "pgrestore-report"
        self.settings()

    def settings(self, extra: str = "") -> None:
        """Write the settings file."""
        (self.pytester.path / "pgrestore.toml").write_text(self.world.settings(dedent(extra)))

    def write(self, **files: str) -> None:
        """Write test modules."""
        self.pytester.makepyfile(**{name: dedent(text) for name, text in files.items()})

    def drill_file(self, name: str, text: str) -> None:
        """Write ``drill_NAME.toml``."""
        (self.pytester.path / f"drill_{name}.toml").write_text(dedent(text))

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest on the project in a process of its own."""
        return run_pytest(self.pytester, *args)

    def evidence(self) -> Evidence:
        """Return the evidence the last run left."""
        return evidence_in(self.pytester.path)

    def record(self, key: str) -> DrillRecord:
        """Return the record of one drill."""
        return next(record for record in self.evidence().drills if record.drill == key)

    def outcomes(self, key: str = "shop@latest") -> dict[str, tuple[str, str]]:
        """Return verdict and message of each assertion of a drill, by the test's own name."""
        return {
            outcome.name.rpartition("::")[2]: (outcome.verdict.value, outcome.message)
            for outcome in self.record(key).assertions
        }


def removed(record: DrillRecord) -> bool:
    """Return whether the copy of a drill was removed, and that was verified."""
    return record.teardown is not None and record.teardown.removed


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for copies that other users may enter; what a run kept there is removed.

    Root runs the servers as an unprivileged user.
    """
    directory = short_directory()
    yield directory
    sweep(LocalSettings(directory=directory), kept=True)
    shutil.rmtree(directory)


WORKERS = {"one-process": [], "xdist": ["-n2"]}
"""Flags of a run without and with workers."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test with `drills` in each kind of sandbox, or in those of its module's RUNTIMES.

    A test with `workers` also runs with xdist's workers: in the first kind of sandbox, and with the
    mark `everywhere` in all of them.
    """
    if "drills" not in metafunc.fixturenames:
        return
    runtimes = getattr(metafunc.module, "RUNTIMES", RUNTIMES)
    if "workers" not in metafunc.fixturenames:
        metafunc.parametrize("drills", runtimes, indirect=True)
        return
    everywhere = metafunc.definition.get_closest_marker("everywhere") is not None
    ways = [
        # Three processes a run: the loop of a day has them where workers are the subject.
        pytest.param(
            *(runtime, flags),
            id=f"{runtime}-{name}",
            marks=[pytest.mark.long] if flags and not everywhere else [],
        )
        for runtime in runtimes
        for name, flags in WORKERS.items()
        if everywhere or not flags or runtime == runtimes[0]
    ]
    metafunc.parametrize(("drills", "workers"), ways, indirect=["drills"])


@pytest.fixture
def drills(
    request: pytest.FixtureRequest,
    pytester: pytest.Pytester,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> Drills:
    """A project with a settings file for the world's backups, in each kind of sandbox."""
    use_sandbox(monkeypatch, request.param)
    return Drills(pytester, world)
