"""Small real worlds for the tests of the source `basebackup`: a cluster, its backups, and drills on them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

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


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment between two batches of rows: recovery to it must find `rows` rows and not one more."""

    rows: int
    lsn: Lsn
    xid: int
    when: datetime


@dataclass(slots=True)
class World:
    """A cluster that has backups; the server may be gone by now."""

    directory: Path
    cluster: Cluster
    marks: dict[str, Mark] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        """Where its WAL is archived."""
        return self.cluster.archive

    @property
    def backups(self) -> Path:
        """Where its backups lie."""
        return self.directory / "backups"

    def grow(self, name: str, rows: int = 100) -> Mark:
        """Insert rows in one transaction, in both tablespaces, and make a restore point behind it."""
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


def forked(world: World, backup: Path, point: str) -> Cluster:
    """Start a second server from a plain backup, recovered to a restore point, archiving where the first one does.

    That is what a real recovery leaves when the first server is gone, and a foreign timeline when it is not.
    """
    cluster = Cluster(world.directory / "f", world.cluster.programs)
    cluster.archive = world.archive
    account = cluster.programs.account
    shutil.copytree(backup, cluster.data, symlinks=True)
    cluster.data.chmod(0o700)
    for link in (cluster.data / "pg_tblspc").iterdir():
        own = cluster.directory / link.name
        shutil.copytree(link.resolve(), own)
        link.unlink()
        link.symlink_to(own)
    (cluster.data / "recovery.signal").touch()
    account.own_tree(cluster.directory)
    restore = {"restore_command": f"cp '{world.archive}/%f' %p", "recovery_target_name": point}
    cluster.start({**restore, "recovery_target_action": "promote"})
    wait_until(
        lambda: not cluster.value("select pg_is_in_recovery()"),
        what="the promotion",
        timeout_seconds=DEADLINE,
    )
    return cluster


@contextmanager
def new_world(major: int) -> Iterator[World]:
    """Make a cluster with a table in a tablespace, and take everything away at the end."""
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
    """Make three batches of rows, a plain backup behind the first, a compressed one behind the second; then stop."""
    with new_world(major) as world:
        world.grow("one")
        world.backup("a")
        # Catalogues tell whole seconds.
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


def request(
    run: Run, target: RecoveryTarget | None = None, timeline: Timeline = "latest"
) -> LocateRequest:
    """Return what a drill asks `locate`."""
    return LocateRequest(
        target=target or Latest(),
        timeline=timeline,
        now=datetime.now(UTC),
        find_programs=_reading_everything(run),
        find_tool_runner=_no_toolbox,
        log=lambda _step, _text: None,
    )


def _no_toolbox(_major: int | None) -> ToolRunner:
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
    """What a drill came to: its record, and the rows of both tables where a server came up."""

    record: DrillRecord
    rows: tuple[int, int] | None

    def check(self, name: str) -> Check:
        """Return the check called `name`."""
        return next(check for check in self.record.checks if check.name == name)

    @property
    def problem(self) -> str:
        """Return the problem of the failure; empty where there is none."""
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
    """Copy a backup or an archive, to be damaged; links stay links."""
    target = into / path.name
    shutil.copytree(path, target, symlinks=True)
    return target


def fingerprint(directory: Path) -> dict[str, tuple[int, int, int]]:
    """Return size, time of change and number of links of every file: what writing to it, or linking it, changes."""
    return {
        str(path.relative_to(directory)): (
            path.stat().st_size,
            path.stat().st_mtime_ns,
            path.stat().st_nlink,
        )
        for path in directory.rglob("*")
        if path.is_file()
    }
