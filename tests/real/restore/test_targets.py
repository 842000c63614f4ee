"""The table: kinds of target x source forms x majors, with exact rows on both sides of a point."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.model.objectives import Objectives, ObjectiveStatus
from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid, Latest
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.worlds import MAJORS, POINTS, ROWS, Drilled, World, a_day_before, copied, forms_of

Drilling = Callable[..., Drilled]
Worlds = Callable[[int], World]

TABLE = [
    (major, form, point)
    for major in MAJORS
    for form in forms_of(major)
    # A form is a matter of fetching, a point one of recovery: each form is seen at two points, each point in one form.
    for point in (POINTS if form == "plain" else ("latest", "time"))
]


def source(world: World, form: str = "plain", archive: Path | None = None) -> BasebackupSource:
    """Return the source of a world's backup."""
    return BasebackupSource("shop", str(world.backup(form)), wal=str(archive or world.archive))


@pytest.mark.parametrize(
    ("major", "form", "point"), TABLE, ids=[f"{m}-{f}-{p}" for m, f, p in TABLE]
)
def test_recovery_stops_exactly_there(
    worlds: Worlds, drill: Drilling, major: int, form: str, point: str
) -> None:
    """The row before the point is there, the row after it is not, and none is missing."""
    target, last = worlds(major).points[point]

    drilled = drill(source(worlds(major), form), target, database="shop")

    assert drilled.rows() == last
    assert drilled.verdict_of("target reached") == "passed"
    assert drilled.verdict_of("quarantine") == "passed"
    assert drilled.verdict_of("manifest") == "passed"
    assert drilled.result.access is not None
    run_directory = Path(drilled.result.access.socket_directory).parents[2]
    location = drilled.ask(
        "select pg_tablespace_location(oid) from pg_tablespace where spcname = 'extra'"
    )
    assert run_directory in Path(location).parents


@pytest.mark.parametrize("major", MAJORS)
def test_a_restore_point_that_does_not_exist_is_named(
    worlds: Worlds, drill: Drilling, major: int
) -> None:
    """It never turns into latest, and the message says which points there are."""
    drilled = drill(source(worlds(major)), AtName("before_deploiment"), database="shop")

    assert drilled.result.access is None
    assert drilled.result.record.verdict() == "failed"
    assert "recovery ended before it reached name:before_deploiment" in drilled.cause
    assert "nearest reachable: name:before_deployment" in drilled.cause


def test_an_xid_that_never_was_is_named(worlds: Worlds, drill: Drilling) -> None:
    """The nearest commits are what the user wants next."""
    drilled = drill(source(worlds(18)), AtXid(4_000_000), database="shop")

    assert "nearest reachable: commit of" in drilled.cause


@pytest.mark.parametrize("major", MAJORS)
def test_a_time_after_the_last_commit_is_refused_before_the_restore(
    worlds: Worlds, drill: Drilling, major: int
) -> None:
    """On an idle source the last commit may be hours old; PostgreSQL would find out after the whole restore."""
    world = worlds(major)
    assert world.ended is not None

    drilled = drill(source(world), AtTime(world.ended), database="shop")

    assert "lies after the last commit in the archive, commit of" in drilled.cause
    assert [phase.name for phase in drilled.result.record.phases] == ["locate"]


def test_a_time_before_the_backup_is_refused_before_the_restore(
    worlds: Worlds, drill: Drilling
) -> None:
    """PostgreSQL would open later than asked, without a word."""
    drilled = drill(source(worlds(18)), AtTime(a_day_before(worlds(18))), database="shop")

    assert "lies before the end of every backup; the earliest reachable point is" in drilled.cause


def test_a_position_beyond_the_archive_is_refused_before_the_restore(
    worlds: Worlds, drill: Drilling
) -> None:
    """The archive's last segment is the limit."""
    drilled = drill(source(worlds(18)), AtLsn(Lsn.parse("FF/0")), database="shop")

    assert "lies beyond the end of WAL" in drilled.cause


def test_a_timeline_that_does_not_exist_is_named(worlds: Worlds, drill: Drilling) -> None:
    """A typo in a timeline restores other rows."""
    drilled = drill(source(worlds(18)), Latest(), timeline=7, database="shop")

    assert "timeline 7 cannot be reached" in drilled.cause


def test_without_an_archive_latest_is_the_end_of_the_backup(
    worlds: Worlds, drill: Drilling
) -> None:
    """A base backup alone restores too, and the report says what is missing."""
    drilled = drill(BasebackupSource("shop", str(worlds(18).backup("tar.gz"))), database="shop")

    assert drilled.rows() == 100
    assert drilled.result.record.data_loss.last_commit_seconds is not None
    assert any("no WAL archive" in text for text in drilled.result.record.not_checked)


@pytest.mark.parametrize(
    "tool", ["gzip", "bzip2", "zstd --rm", "lz4 -m --rm"], ids=lambda tool: tool.split()[0]
)
def test_a_compressed_archive_is_read(
    worlds: Worlds, drill: Drilling, tmp_path: Path, tool: str
) -> None:
    """Archive commands compress; recovery wants plain segments."""
    archive = copied(worlds(17).archive, tmp_path / "archive")
    for path in archive.iterdir():
        subprocess.run(
            [*tool.split(), "-q" if "gzip" in tool or "bzip2" in tool else "-qf", str(path)],
            check=True,
        )

    assert drill(source(worlds(17), archive=archive), database="shop").rows() == ROWS


def test_the_backup_and_its_archive_are_left_as_they_were(worlds: Worlds, drill: Drilling) -> None:
    """Recovery writes into the files it is given; it must be given copies."""
    world = worlds(18)

    def digest() -> list[tuple[str, bytes]]:
        files = sorted(
            path
            for path in (*world.archive.rglob("*"), *world.backup().rglob("*"))
            if path.is_file()
        )
        return [(str(path), path.read_bytes()) for path in files]

    before = digest()
    drill(source(world), database="shop")

    assert digest() == before


def test_of_several_backups_the_right_one_is_taken(drill: Drilling) -> None:
    """An older target needs an older backup: the newest one ended after it."""
    directory = short_directory()
    try:
        with Cluster.create(directory, 18) as cluster:
            cluster.sql("create table ledger (i int)")
            points = []
            for number in (1, 2, 3):
                cluster.base_backup(directory / "backups" / f"day-{number}")
                cluster.switch_wal()
                cluster.sql("insert into ledger values (%s)", number)
                cluster.restore_point(f"after-{number}")
                points.append(AtLsn(cluster.lsn()))
                cluster.sql("create table filler as select generate_series(1, 10)")
                cluster.sql("drop table filler")
            cluster.switch_wal()
        several = BasebackupSource(
            "shop", str(directory / "backups"), wal=str(directory / "archive")
        )
        labels = {}
        for target in (points[0], points[1], AtName("after-2"), Latest()):
            drilled = drill(several, target, database="postgres")
            labels[str(target)] = (drilled.result.record.backup, drilled.rows())
    finally:
        shutil.rmtree(directory)

    assert [(backup.label, rows) for backup, rows in labels.values() if backup] == [
        ("day-1", 1),
        ("day-2", 2),
        ("day-2", 2),
        ("day-3", 3),
    ]


@pytest.mark.parametrize("major", [17, 18])
@pytest.mark.parametrize("form", ["plain", "tar"])
def test_a_chain_of_incremental_backups_is_combined(drill: Drilling, major: int, form: str) -> None:
    """Incremental backups of PostgreSQL 17 and newer are worth nothing without pg_combinebackup."""
    directory = short_directory()
    try:
        with Cluster.create(directory, major) as cluster:
            cluster.sql("create table ledger as select generate_series(1, 1000) i")
            full = cluster.base_backup(directory / "b" / "1-full", f"--format={form}")
            cluster.sql("insert into ledger select generate_series(1001, 1010)")
            cluster.base_backup(
                directory / "b" / "2-incr",
                f"--format={form}",
                f"--incremental={full}/backup_manifest",
            )
            cluster.sql("insert into ledger select generate_series(1011, 1020)")
            cluster.switch_wal()
        chain = BasebackupSource("shop", str(directory / "b"), wal=str(directory / "archive"))
        drilled = drill(chain, database="postgres")
        assert drilled.rows() == 1020
        assert drilled.result.record.backup is not None
        assert drilled.result.record.backup.chain == ("1-full",)
        shutil.rmtree(directory / "b" / "1-full")
        orphan = drill(chain, timeline="current", database="postgres")
    finally:
        shutil.rmtree(directory)

    assert orphan.result.record.verdict() == "failed"
    assert "parent" in orphan.cause


def test_objectives_are_judged_on_what_was_measured(worlds: Worlds, drill: Drilling) -> None:
    """An RTO of nothing is missed, an RPO of a day is met, and both figures are there."""
    objectives = Objectives(rto=timedelta(0), rpo=timedelta(days=1), max_age=timedelta(days=1))

    record = drill(source(worlds(18)), database="shop", objectives=objectives).result.record

    assert (record.rto.judgement, record.rpo.judgement) == (
        ObjectiveStatus.MISSED,
        ObjectiveStatus.MET,
    )
    assert record.verdict() == "failed"
    assert record.rto.measured_seconds == record.restore_seconds()
    assert {phase.name for phase in record.phases if phase.counts_toward_rto} == {
        "fetch",
        "configure",
        "start",
        "replay",
        "promote",
        "ready",
    }


@pytest.mark.parametrize(
    ("freshness", "judgement"),
    [
        ("select now() - interval '2 days'", ObjectiveStatus.MISSED),
        ("select now()", ObjectiveStatus.MET),
        ("select null::timestamptz", ObjectiveStatus.NOT_MEASURED),
    ],
    ids=["old row", "fresh row", "no row"],
)
def test_the_freshest_row_decides_the_rpo(
    worlds: Worlds, drill: Drilling, freshness: str, judgement: ObjectiveStatus
) -> None:
    """The heartbeat is what the business knows of its data."""
    objectives = Objectives(
        rpo=timedelta(seconds=0)
        if judgement is ObjectiveStatus.NOT_MEASURED
        else timedelta(hours=1)
    )

    record = drill(
        source(worlds(18)), database="shop", freshness=freshness, objectives=objectives
    ).result.record

    assert record.rpo.judgement is judgement
