"""Copies of a directory: of a stopped server they are backups, of a running one they are not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from pytest_pgrestore.system.waiting import wait_until
from tests.real.local_drill import Drilling, local_drill, local_run
from tests.real.worlds import DEADLINE_SECONDS, Drilled, copied

__all__ = ["local_drill", "local_run"]

CONTROL = Path("global") / "pg_control"


@dataclass(frozen=True)
class Copies:
    """Copies of one server's directory, and its archive.

    Attributes:
        directory: Holds ``cold`` (100 rows), ``running`` (200), ``standby`` (150), ``archive``, and
            ``archive-then`` as it was when ``cold`` was made.
    """

    directory: Path

    def source(self, name: str, archive: str | None = None) -> BasebackupSource:
        """Return the source of one copy, without a manifest."""
        wal = None if archive is None else str(self.directory / archive)
        return BasebackupSource("shop", str(self.directory / name), wal=wal, verify=False)


def insert(cluster: Cluster, first: int, last: int) -> None:
    """Commit rows to the ledger."""
    cluster.sql("insert into ledger select generate_series(%s::int, %s::int)", first, last)


def standby_of(cluster: Cluster, backup: Path, directory: Path) -> None:
    """Run a standby from `backup` on the archive until it has all of it, and stop it."""
    standby = Cluster(directory, cluster.programs)
    directory.mkdir()
    shutil.copytree(backup, standby.data)
    (standby.data / "standby.signal").touch()
    standby.data.chmod(0o700)
    cluster.programs.account.own_tree(directory)
    standby.start({"restore_command": f"cp {cluster.archive}/%f %p", "hot_standby": "on"})
    try:
        wait_until(
            lambda: standby.value("select count(*) from ledger") == 150,
            what="the standby",
            timeout_seconds=DEADLINE_SECONDS,
        )
        standby.sql("checkpoint")  # a restart point, so that the end lies after it
    finally:
        standby.stop()


@pytest.fixture(scope="module", params=[15, 18])
def copies(request: pytest.FixtureRequest) -> Iterator[Copies]:
    """The copies of one major."""
    place = short_directory()
    with Cluster.create(place, request.param) as cluster:
        cluster.sql("create table ledger (i int primary key)")
        insert(cluster, 1, 100)
        cluster.switch_wal()
        cluster.switch_wal()  # segments to use again are ready in pg_wal
        cluster.sql("checkpoint")
        cluster.stop()
        copied(cluster.data, place / "cold")
        copied(cluster.archive, place / "archive-then")
        cluster.start()
        backup = cluster.base_backup(place / "backup")
        insert(cluster, 101, 150)
        cluster.switch_wal()
        standby_of(cluster, backup, place / "s")
        insert(cluster, 151, 200)
        cluster.switch_wal()
        copied(cluster.data, place / "running")
    (place / "s" / "data").rename(place / "standby")
    yield Copies(place)
    shutil.rmtree(place, ignore_errors=True)


@pytest.mark.parametrize(
    ("name", "archive", "rows"),
    [
        ("cold", None, 100),
        ("cold", "archive-then", 100),
        ("cold", "archive", 200),
        ("standby", None, 150),
    ],
)
def test_a_copy_of_a_stopped_server_is_a_backup(
    copies: Copies, local_drill: Drilling, name: str, archive: str | None, rows: int
) -> None:
    """With an archive it is rolled forward, as recovery.signal does for production."""
    drilled = local_drill(copies.source(name, archive), database="postgres")

    assert drilled.rows() == rows
    assert drilled.result.record.verdict() == "passed"
    assert any("needs none: its server was stopped" in note for note in drilled.result.record.notes)
    assert any("manifest out" in words for words in drilled.result.record.not_checked)


def failed(drilled: Drilled, words: str) -> bool:
    """Tell whether a drill is *failed*, and its cause has `words`."""
    assert words in drilled.cause
    return drilled.result.record.verdict() == "failed"


@pytest.mark.parametrize("copies", [15], indirect=True)
def test_a_copy_of_a_running_server_is_none(copies: Copies, local_drill: Drilling) -> None:
    """A server would open it after a replay of its own WAL, with torn pages and no word."""
    drilled = local_drill(copies.source("running", "archive"), database="postgres")

    assert failed(drilled, "its pg_control says 'in production'")


@pytest.mark.parametrize("copies", [15], indirect=True)
def test_a_server_that_was_started_while_it_was_copied_is_found(
    copies: Copies, local_drill: Drilling
) -> None:
    """Its pg_control was copied before the start, and its tables after it."""
    started = copied(copies.directory / "running", copies.directory / "started")
    shutil.copyfile(copies.directory / "cold" / CONTROL, started / CONTROL)
    for segment in (copies.directory / "cold" / "pg_wal").glob("0" * 7 + "1" + "?" * 16):
        if not (started / "pg_wal" / segment.name).exists():
            shutil.copyfile(
                copies.directory / "archive" / segment.name, started / "pg_wal" / segment.name
            )

    drilled = local_drill(copies.source("started"), database="postgres")

    assert failed(drilled, "the server ran while its directory was copied")


@pytest.mark.parametrize("copies", [15], indirect=True)
def test_the_pid_file_of_a_running_server_is_found(copies: Copies, local_drill: Drilling) -> None:
    """pg_control and pg_wal are those of the stop before, and the tables are not."""
    stale = copied(copies.directory / "cold", copies.directory / "stale")
    shutil.copyfile(copies.directory / "running" / "postmaster.pid", stale / "postmaster.pid")

    drilled = local_drill(copies.source("stale"), database="postgres")

    assert failed(drilled, "the server ran while its directory was copied")


@pytest.mark.parametrize("copies", [15], indirect=True)
def test_a_copy_whose_own_wal_is_lost_fails(copies: Copies, local_drill: Drilling) -> None:
    """The checkpoint of the shutdown is in its WAL; the archive has it later, or never."""
    bare = copied(copies.directory / "cold", copies.directory / "bare")
    for segment in (bare / "pg_wal").glob("?" * 24):
        segment.unlink()

    assert failed(local_drill(copies.source("bare"), database="postgres"), "is not complete")
    assert local_drill(copies.source("bare", "archive"), database="postgres").rows() == 200
