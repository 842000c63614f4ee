"""A small world of real backups, made once, and a pytest to run drills of them in."""

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


@dataclass(frozen=True)
class World:
    """Backups of a database `shop` with the table `orders`.

    Attributes:
        dump: pg_dump of it, holding 100 orders.
        base: Base backup taken at the same time.
        wal: Its WAL archive; 100 more orders were committed, and then all deleted.
        before_the_deletion: A moment between the two.
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
    """The backups; the server they are of has gone."""
    directory = short_directory()
    with Cluster.create(directory / "c", MAJOR) as cluster:
        cluster.sql("create database shop")
        cluster.sql(
            "create table orders (id bigint primary key, note text not null, created_at timestamptz default now())",
            database="shop",
        )
        more = "insert into orders select id, 'secret-note-' || id from generate_series(%s::bigint, %s) id"
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


class Drills:
    """A project with drills, and what came of running it."""

    def __init__(self, pytester: pytest.Pytester, world: World) -> None:
        self.pytester = pytester
        self.world = world
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
        """Run pytest in a process of its own."""
        return self.pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)

    def evidence(self) -> Evidence:
        """Return the evidence the last run left."""
        return load((self.pytester.path / "pgrestore-report" / "evidence.json").read_text())

    def record(self, key: str) -> DrillRecord:
        """Return the record of one drill."""
        return next(record for record in self.evidence().drills if record.drill == key)


def removed(record: DrillRecord) -> bool:
    """Tell whether the copy of a drill has gone, with proof."""
    return record.teardown is not None and record.teardown.removed


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for copies, open to the unprivileged user that root drops to; what was kept there is removed."""
    directory = short_directory()
    yield directory
    sweep(LocalSettings(directory=directory), kept=True)
    shutil.rmtree(directory)


WORKERS = {"one-process": [], "xdist": ["-n2"]}
"""Flags of a run without and with workers."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what drills in each kind of sandbox, but where a module says that the sandbox does not matter to it.

    A test that takes `workers` runs with them too: in the first kind of sandbox, and in all of them where it says so by
    the mark `everywhere`.
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
    for name, value in environment_of(request.param).items():
        monkeypatch.setenv(name, value)
    return Drills(pytester, world)
