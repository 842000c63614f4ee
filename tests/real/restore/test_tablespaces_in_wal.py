"""CREATE TABLESPACE in WAL names a path of production's host. Replay must not touch that path."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.target import AtLsn, RecoveryTarget
from pytest_pgrestore.restore.clone import clone
from pytest_pgrestore.restore.instance import RestoredInstance
from pytest_pgrestore.sandboxes.local.programs import LocalPrograms
from pytest_pgrestore.sandboxes.local.run import LocalRun
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from pytest_pgrestore.system.waiting import wait_until
from tests.real.worlds import MAJORS, Drilled

Drilling = Callable[..., Drilled]
SPACES = 40
"""So many records of different lengths that some lie across the ends of pages."""


@dataclass(frozen=True)
class Moved:
    """Production after it made tablespaces that its backup does not know.

    Attributes:
        major: Server major.
        directory: Holds ``backups/one``, ``archive`` and the tablespaces ``s0``, ``s1``...
        early: Before the first of them.
        programs: Its programs.
    """

    major: int
    directory: Path
    early: RecoveryTarget
    programs: LocalPrograms

    def source(self) -> BasebackupSource:
        """Return the backup and its archive."""
        return BasebackupSource(
            "shop", str(self.directory / "backups"), wal=str(self.directory / "archive")
        )

    def listing(self) -> list[tuple[str, int, int, int]]:
        """Return name, size, time of change and mode of each file in production's tablespaces."""
        return sorted(
            (str(path), path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_mode)
            for space in self.directory.glob("s[0-9]*")
            for path in (space, *space.rglob("*"))
        )


@pytest.fixture(params=MAJORS, scope="module")
def moved(request: pytest.FixtureRequest) -> Iterator[Moved]:
    """A production that runs on, and has more rows in its new tablespaces than any copy."""
    directory = short_directory()
    with Cluster.create(directory / "c", request.param) as cluster:
        cluster.base_backup(cluster.directory / "backups" / "one")
        cluster.sql("create table ledger (i int primary key)")
        cluster.sql("insert into ledger select generate_series(1, 100)")
        early = AtLsn(cluster.lsn(), inclusive=False)
        cluster.sql("select pg_create_restore_point('after_early')")
        for number in range(SPACES):
            place = cluster.directory / f"s{number}{'x' * number}"
            place.mkdir()
            cluster.programs.account.own(place)
            # Wide records between, so that pages end inside some of the small ones.
            cluster.sql("select pg_logical_emit_message(false, 'x', repeat('y', 7800))")
            cluster.sql(f"create tablespace space_{number} location '{place}'")
        cluster.sql("create table late tablespace space_7 as select generate_series(1, 50) i")
        cluster.sql("create database elsewhere tablespace space_8")
        cluster.switch_wal()
        cluster.sql("insert into late select generate_series(51, 5000)")
        cluster.sql("checkpoint")
        yield Moved(request.param, cluster.directory, early, cluster.programs)
    shutil.rmtree(directory)


def test_a_tablespace_made_after_the_backup_stays_inside_the_copy(
    moved: Moved, drill: Drilling
) -> None:
    """Its path exists here, in a production of the same user: nothing there may change."""
    before = moved.listing()

    drilled = drill(moved.source(), database="postgres")

    assert drilled.rows() == 100
    assert drilled.ask("select count(*) from late") == 50
    assert drilled.ask("select count(*) from pg_tablespace where spcname like 'space%%'") == SPACES
    assert (
        drilled.ask(
            "select count(*) from pg_tablespace where pg_tablespace_location(oid) like '/%%'"
        )
        == 0
    )
    assert drilled.verdict_of("target reached") == "passed"
    notes = [note for note in drilled.result.record.notes if "inside the data directory" in note]
    assert len(notes) == SPACES
    assert str(moved.directory / "s7xxxxxxx") in notes[7]
    assert moved.listing() == before


def test_a_target_before_the_tablespace_is_reached_as_well(moved: Moved, drill: Drilling) -> None:
    """What recovery never replays is changed all the same, and does no harm."""
    before = moved.listing()

    drilled = drill(moved.source(), moved.early, database="postgres")

    assert drilled.rows() == 100
    assert drilled.ask("select count(*) from pg_tablespace where spcname like 'space%%'") == 0
    assert moved.listing() == before


def test_a_private_copy_holds_such_a_tablespace_too(
    moved: Moved, drill: Drilling, run: LocalRun
) -> None:
    """It is no link, which recovery of the copy would refuse; pg_basebackup maps none of them."""
    drilled = drill(moved.source(), database="postgres")
    assert drilled.result.access is not None

    private = clone(RestoredInstance(drilled.result.access, drilled.result.record), run, "private")

    with private.connect() as connection:
        assert connection.execute("select count(*) from late").fetchone() == (50,)
    assert run.close_drill("private").removed


def test_without_the_remedy_production_is_overwritten(moved: Moved) -> None:
    """The control: the same WAL, replayed as it is, changes files of the running production."""
    place = short_directory()
    shutil.copytree(moved.directory / "backups" / "one", place / "data", symlinks=True)
    (place / "data" / "recovery.signal").touch()
    before = moved.listing()
    (place / "archive").mkdir()
    moved.programs.account.own_tree(place)
    naive = Cluster(place, moved.programs)
    (place / "data").chmod(0o700)
    try:
        naive.start(
            {"restore_command": f"cp {moved.directory}/archive/%f %p", "archive_mode": "off"}
        )
        wait_until(
            lambda: not naive.value("select pg_is_in_recovery()"),
            what="the naive copy",
            timeout_seconds=60.0,
        )
        assert moved.listing() != before
    finally:
        naive.stop()
        shutil.rmtree(place)


def test_a_record_that_cannot_be_changed_is_a_clear_refusal(tmp_path: Path) -> None:
    """A guess would write to production; so it is refused, and the message says why."""
    from pytest_pgrestore.model.wal import Lsn
    from pytest_pgrestore.sources.wal.segments import WalFile
    from pytest_pgrestore.sources.wal.tablespaces import _StagedRecord

    segment = tmp_path / "000000010000000000000001"
    segment.write_bytes(os.urandom(16384))
    record = _StagedRecord({1: WalFile(segment.name, segment)}, Lsn(16384 + 100), 16384)

    with pytest.raises(
        HarnessError, match=r"cannot be pointed into the sandbox.*\nHINT: take a new base backup"
    ):
        record.without_path()
