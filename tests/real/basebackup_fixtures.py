"""Small real worlds for the tests of the source `basebackup`: a cluster, its backups, drills.

A test file imports the fixtures it uses, and chooses the majors of `world` with `on_majors`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.evidence import Check, DrillRecord
from pytest_pgrestore.model.target import Latest, RecoveryTarget, Timeline
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.restore.drill import DrillSettings, run_drill
from pytest_pgrestore.sandboxes.protocol import PostgresPrograms, Run, Sandbox, ToolRunner
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from pytest_pgrestore.sources.protocol import ChosenBackup, LocateRequest
from pytest_pgrestore.system.waiting import wait_until

DEADLINE = 120.0
TAR = ("--format", "tar")
"""Arguments of pg_basebackup for a backup in tar format."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment between two batches of rows: recovery to it finds exactly `rows` rows."""

    rows: int
    lsn: Lsn
    xid: int
    when: datetime


@dataclass(slots=True)
class World:
    """A cluster with backups. Its server may be stopped."""

    directory: Path
    cluster: Cluster
    marks: dict[str, Mark] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        """Directory of archived WAL."""
        return self.cluster.archive

    @property
    def backups(self) -> Path:
        """Directory of backups."""
        return self.directory / "backups"

    def grow(self, name: str, rows: int = 100) -> Mark:
        """Insert rows into both tablespaces in one transaction; make a restore point after it."""
        with self.cluster.connect() as connection:
            with connection.transaction():
                connection.execute(
                    "insert into ledger (note) select repeat('x', 50) from generate_series(1, %s)",
                    [rows],
                )
                connection.execute("insert into elsewhere select generate_series(1, %s)", [rows])
                found = connection.execute(
                    "select pg_current_xact_id()::text, (select count(*) from ledger)"
                ).fetchone()
            # A moment of its own between the commits before and after it.
            connection.execute("select pg_sleep(0.02)")
            after = connection.execute(
                "select clock_timestamp(), pg_current_wal_lsn()::text"
            ).fetchone()
            connection.execute("select pg_sleep(0.02)")
        assert found is not None
        assert after is not None
        self.cluster.restore_point(name)
        self.marks[name] = Mark(
            found[1], Lsn.parse(after[1]), int(found[0]), after[0].astimezone(UTC)
        )
        return self.marks[name]

    def backup(self, name: str, *arguments: str) -> Path:
        """Take a backup called `name`; a plain one gets its tablespaces beside it."""
        path = self.backups / name
        mapping = [
            f"--tablespace-mapping={self.directory / 'fast'}={self.directory / 'mapped' / name}"
        ]
        return self.cluster.base_backup(
            path, *(mapping if "tar" not in arguments else []), *arguments
        )


def forked(world: World, backup: Path, point: str | None, name: str = "f") -> Cluster:
    """Start a second server from a plain backup, recovered to a restore point, or to the end.

    It archives to the archive of the first server. That is like a real recovery if the first server
    is stopped. If the first server still runs, the second one writes a foreign timeline.
    """
    cluster = copied(world, backup, name)
    cluster.archive = world.archive
    target = {} if point is None else {"recovery_target_name": point}
    promote(cluster, world.archive, target)
    return cluster


def copied(world: World, backup: Path, name: str) -> Cluster:
    """Return a server whose directory is a copy of a plain backup; it does not run yet."""
    cluster = Cluster(world.directory / name, world.cluster.programs)
    account = cluster.programs.account
    shutil.copytree(backup, cluster.data, symlinks=True)
    cluster.data.chmod(0o700)
    for link in (cluster.data / "pg_tblspc").iterdir():
        own = cluster.directory / link.name
        shutil.copytree(link.resolve(), own)
        link.unlink()
        link.symlink_to(own)
    account.own_tree(cluster.directory)
    return cluster


def promote(cluster: Cluster, archive: Path, settings: Mapping[str, str] | None = None) -> None:
    """Start a server in archive recovery and wait until it is promoted."""
    (cluster.data / "recovery.signal").touch()
    cluster.programs.account.own(cluster.data / "recovery.signal")
    restore = {"restore_command": f"cp '{archive}/%f' %p", "recovery_target_action": "promote"}
    cluster.start({**restore, **(settings or {})})
    wait_until(
        lambda: not cluster.value("select pg_is_in_recovery()"),
        what="the promotion",
        timeout_seconds=DEADLINE,
    )


@contextmanager
def new_world(major: int) -> Iterator[World]:
    """Make a cluster with a table in a tablespace; remove everything at the end."""
    directory = short_directory()
    try:
        with Cluster.create(directory / "c", major) as cluster:
            for folder in ("fast", "backups", "mapped"):
                (directory / folder).mkdir()
                cluster.programs.account.own(directory / folder)
            cluster.sql(f"create tablespace fast location '{directory / 'fast'}'")
            cluster.sql("create table ledger (id serial primary key, note text)")
            cluster.sql("create table elsewhere (id int) tablespace fast")
            yield World(directory, cluster)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def three_batches(major: int) -> Iterator[World]:
    """Make a cluster with three batches of rows, and stop it.

    Backup ``a`` is plain and follows the first batch. Backup ``b`` is a compressed tar and follows
    the second one.
    """
    with new_world(major) as world:
        world.grow("one")
        world.backup("a")
        # Times in a catalogue are whole seconds.
        world.cluster.sql("select pg_sleep(1)")
        world.grow("two")
        world.cluster.sql("select pg_sleep(1)")
        world.backup("b", "--format", "tar", "--gzip")
        world.cluster.sql("select pg_sleep(1)")
        world.marks["behind b"] = replace(world.marks["two"], when=world.cluster.now())
        world.grow("three")
        world.cluster.switch_wal()
        world.cluster.stop()
        yield world


def on_majors(*majors: int) -> pytest.MarkDecorator:
    """Return the mark that runs tests on the fixture `world` of these majors."""
    return pytest.mark.parametrize("world", majors, indirect=True)


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Three batches of rows, and two backups; see `three_batches` and `on_majors`."""
    with three_batches(request.param) as made:
        yield made


@pytest.fixture
def source(world: World) -> BasebackupSource:
    """All backups of the world, and its archive."""
    return BasebackupSource("shop", str(world.backups), wal=str(world.archive))


@pytest.fixture
def archive(world: World, tmp_path: Path) -> Path:
    """A copy of the world's archive that a test may damage."""
    return copy_of(world.archive, tmp_path)


def locate_request(
    run: Run, target: RecoveryTarget | None = None, timeline: Timeline = "latest"
) -> LocateRequest:
    """Return the request of a drill to `locate`."""
    return LocateRequest(
        target=target or Latest(),
        timeline=timeline,
        now=datetime.now(UTC),
        find_programs=_reading_everything(run),
        find_tool_runner=_no_tool_runner,
        log=lambda _step, _text: None,
    )


def _no_tool_runner(_major: int | None) -> ToolRunner:
    raise AssertionError("a base backup needs no tool but PostgreSQL's")


def _reading_everything(run: Run) -> Callable[[int | None], PostgresPrograms]:
    return lambda major: run.find_programs(major, reads=(Path(tempfile.gettempdir()),))


def fetched(source: BasebackupSource, run: Run, chosen: ChosenBackup) -> Sandbox:
    """Return a fresh sandbox that holds the located backup."""
    sandbox = run.sandbox(uuid4().hex, run.find_programs(chosen.server_major), reads=source.places)
    source.fetch(chosen, sandbox)
    return sandbox


@dataclass(frozen=True, slots=True)
class Restored:
    """The record of a drill, and the rows of both tables if a server came up."""

    record: DrillRecord
    rows: tuple[int, int] | None

    def check(self, name: str) -> Check:
        """Return the check called `name`."""
        return next(check for check in self.record.checks if check.name == name)

    @property
    def problem(self) -> str:
        """The problem of the failure; empty without one."""
        return self.record.failure.problem if self.record.failure else ""


def drill(
    source: BasebackupSource,
    run: Run,
    target: RecoveryTarget | None = None,
    timeline: Timeline = "latest",
) -> Restored:
    """Run one whole drill and count the rows."""
    wanted = Drill(source.name, target or Latest(), timeline)
    result = run_drill(
        wanted,
        source,
        DrillSettings(timeout_seconds=DEADLINE),
        run,
        log_directory=run.root,
        progress=lambda _: None,
    )
    rows = None
    if result.access is not None:
        with result.access.open() as connection:
            found = connection.execute(
                "select (select count(*) from ledger), (select count(*) from elsewhere)"
            ).fetchone()
        assert found is not None
        rows = (found[0], found[1])
    run.close_drill(wanted.key)
    return Restored(result.record, rows)


def copy_of(path: Path, into: Path) -> Path:
    """Copy a backup or an archive that a test may damage; links stay links."""
    target = into / path.name
    shutil.copytree(path, target, symlinks=True)
    return target


def fingerprint(directory: Path) -> dict[str, tuple[int, int, int]]:
    """Return size, time of change and number of links of every file below `directory`."""
    return {
        str(path.relative_to(directory)): (
            path.stat().st_size,
            path.stat().st_mtime_ns,
            path.stat().st_nlink,
        )
        for path in directory.rglob("*")
        if path.is_file()
    }
