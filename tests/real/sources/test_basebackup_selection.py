"""Several backups: the newest that ends before the target, and no target that cannot be reached."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, TargetUnreachable
from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid, Immediate, RecoveryTarget
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.basebackup_fixtures import (
    World,
    drill,
    request,
    three_batches,
)
from tests.real.worlds import MAJORS


@pytest.fixture(scope="module", params=MAJORS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Three batches of rows; a backup after the first and one after the second; WAL of it all."""
    with three_batches(request.param) as made:
        yield made


@pytest.fixture
def source(world: World) -> BasebackupSource:
    """All backups of the world, and its archive."""
    return BasebackupSource("shop", str(world.backups), wal=str(world.archive))


def test_latest_takes_the_newest(source: BasebackupSource, run: Run) -> None:
    """And reaches the last batch."""
    restored = drill(source, run)

    assert restored.rows == (300, 300)
    assert restored.record.backup is not None
    assert restored.record.backup.label == "b"
    assert restored.record.backup.selection == "the newest of 2"


def test_immediate_is_the_end_of_the_newest(source: BasebackupSource, run: Run) -> None:
    """No row of the batch behind the backup."""
    assert drill(source, run, Immediate()).rows == (200, 200)


@pytest.mark.parametrize(("point", "label"), [("two", "a"), ("three", "b")])
@pytest.mark.parametrize("kind", ["time", "lsn", "xid", "name"])
def test_the_target_decides(
    world: World, source: BasebackupSource, run: Run, kind: str, point: str, label: str
) -> None:
    """Exact rows at the target: the batch before it is there, the one after it is not."""
    mark = world.marks[point]
    targets: dict[str, RecoveryTarget] = {
        "time": AtTime(mark.when),
        "lsn": AtLsn(mark.lsn),
        "xid": AtXid(mark.xid),
        "name": AtName(point),
    }
    target = targets[kind]
    if (kind, point) == ("time", "three"):
        # Behind it there is no transaction that would tell recovery to stop.
        mark = world.marks["behind b"]
        target = AtTime(mark.when)

    restored = drill(source, run, target)

    assert (restored.problem, restored.rows) == ("", (mark.rows, mark.rows))
    assert restored.record.backup is not None
    assert restored.record.backup.label == label


def test_a_target_before_every_backup_is_refused(
    world: World, source: BasebackupSource, run: Run
) -> None:
    """PostgreSQL opens at the end of the backup, later than asked, without a word."""
    first = world.marks["one"]
    for target in (AtLsn(first.lsn), AtXid(first.xid), AtTime(first.when - timedelta(seconds=5))):
        with pytest.raises(
            TargetUnreachable, match=r"before the end of every backup|is not in the WAL"
        ):
            source.locate(request(run, target))


def test_a_target_behind_the_archive_is_refused(
    world: World, source: BasebackupSource, run: Run
) -> None:
    """Found before the restore, with the last commit named."""
    last = world.marks["three"]
    chosen = source.locate(request(run))
    assert chosen.archive_end is not None

    with pytest.raises(
        TargetUnreachable,
        match=rf"after the last commit in the archive, commit of .*xid:{last.xid},",
    ):
        source.locate(request(run, AtTime(last.when)))
    with pytest.raises(TargetUnreachable, match="beyond the end of WAL"):
        source.locate(request(run, AtLsn(chosen.archive_end)))
    with pytest.raises(TargetUnreachable, match="in the future"):
        source.locate(request(run, AtTime(last.when + timedelta(days=9999))))
    with pytest.raises(TargetUnreachable, match=r"nearest reachable: .*name:three"):
        source.locate(request(run, AtName("four")))
    with pytest.raises(TargetUnreachable, match=rf"nearest reachable: .*xid:{last.xid},"):
        source.locate(request(run, AtXid(last.xid + 1000)))


def test_a_name_that_is_not_there_is_found_after_the_restore_of_the_only_backup(
    world: World, run: Run
) -> None:
    """One backup leaves nothing to choose, so recovery tells, and the names there are help on."""
    restored = drill(
        BasebackupSource("shop", str(world.backups / "a"), wal=str(world.archive)),
        run,
        AtName("four"),
    )

    assert restored.record.verdict() is Verdict.FAILED
    assert "name:three" in restored.problem


def test_an_unfinished_backup_is_left_out(world: World, run: Run, tmp_path: Path) -> None:
    """pg_basebackup renames the manifest at the very end."""
    backups = tmp_path / "backups"
    shutil.copytree(world.backups, backups, symlinks=True)
    (backups / "b" / "backup_manifest").rename(backups / "b" / "backup_manifest.tmp")

    chosen = BasebackupSource("shop", str(backups), wal=str(world.archive)).locate(request(run))

    assert chosen.backup.label == "a"
    assert "backup b was never finished" in chosen.notes


def test_no_backup_is_a_finding_and_no_directory_is_not(run: Run, tmp_path: Path) -> None:
    """An empty directory says that the backup job does not work; a missing one says that nothing was learned."""
    with pytest.raises(BackupNotRestorable, match="no backup in"):
        BasebackupSource("shop", str(tmp_path)).locate(request(run))
    with pytest.raises(HarnessError, match="is not there"):
        BasebackupSource("shop", str(tmp_path / "gone")).locate(request(run))
    with pytest.raises(HarnessError, match="cannot be read"):
        BasebackupSource("shop", str(tmp_path), wal=str(tmp_path / "gone")).locate(request(run))
