"""Several backups: the newest that ends before the target, and no target that cannot be reached."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import TargetUnreachable
from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, AtXid, Immediate, RecoveryTarget
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.basebackup_fixtures import (
    World,
    drill,
    locate_request,
    on_majors,
    source,
    world,
)
from tests.real.worlds import MAJORS

__all__ = ["source", "world"]

pytestmark = on_majors(*MAJORS)


def test_latest_takes_the_newest(source: BasebackupSource, run: Run) -> None:
    """Recovery reaches the last batch."""
    restored = drill(source, run)

    assert restored.rows == (300, 300)
    assert restored.record.backup is not None
    assert restored.record.backup.label == "b"
    assert restored.record.backup.selection == "the newest of 2"


def test_immediate_takes_the_newest(source: BasebackupSource, run: Run) -> None:
    """Its end is the latest point that needs no WAL but the backup's own."""
    assert source.locate(locate_request(run, Immediate())).backup.label == "b"


@pytest.mark.parametrize(("point", "label"), [("two", "a"), ("three", "b")])
@pytest.mark.parametrize("kind", ["time", "lsn", "xid", "name"])
def test_the_target_decides(
    world: World, source: BasebackupSource, run: Run, kind: str, point: str, label: str
) -> None:
    """The newest backup that ended before the target; exact rows are in restore/test_targets.py."""
    mark = world.marks[point]
    # After the last commit there is no transaction that would tell recovery to stop.
    when = world.marks["behind b"].when if point == "three" else mark.when
    targets: dict[str, RecoveryTarget] = {
        "time": AtTime(when),
        "lsn": AtLsn(mark.lsn),
        "xid": AtXid(mark.xid),
        "name": AtName(point),
    }

    assert source.locate(locate_request(run, targets[kind])).backup.label == label


def test_a_target_before_every_backup_is_refused(
    world: World, source: BasebackupSource, run: Run
) -> None:
    """PostgreSQL would silently open at the end of the backup, after the target."""
    first = world.marks["one"]
    early = "lies before the end of every backup; the earliest reachable point is"
    for target in (AtLsn(first.lsn), AtTime(first.when - timedelta(seconds=5))):
        with pytest.raises(TargetUnreachable, match=early):
            source.locate(locate_request(run, target))
    with pytest.raises(TargetUnreachable, match="is not in the WAL"):
        source.locate(locate_request(run, AtXid(first.xid)))


def test_a_target_behind_the_archive_is_refused(
    world: World, source: BasebackupSource, run: Run
) -> None:
    """The target is refused before the restore, and the message names the last commit."""
    last = world.marks["three"]
    chosen = source.locate(locate_request(run))
    assert chosen.archive_end is not None

    with pytest.raises(
        TargetUnreachable,
        match=rf"after the last commit in the archive, commit of .*xid:{last.xid},",
    ):
        source.locate(locate_request(run, AtTime(last.when)))
    with pytest.raises(TargetUnreachable, match="beyond the end of WAL"):
        source.locate(locate_request(run, AtLsn(chosen.archive_end)))
    with pytest.raises(TargetUnreachable, match="in the future"):
        source.locate(locate_request(run, AtTime(last.when + timedelta(days=9999))))
    with pytest.raises(TargetUnreachable, match=r"nearest reachable: .*name:three"):
        source.locate(locate_request(run, AtName("four")))
    with pytest.raises(TargetUnreachable, match=rf"nearest reachable: .*xid:{last.xid},"):
        source.locate(locate_request(run, AtXid(last.xid + 1000)))


def test_an_unfinished_backup_is_left_out(world: World, run: Run, tmp_path: Path) -> None:
    """pg_basebackup renames the manifest at the very end."""
    backups = tmp_path / "backups"
    shutil.copytree(world.backups, backups, symlinks=True)
    (backups / "b" / "backup_manifest").rename(backups / "b" / "backup_manifest.tmp")

    chosen = BasebackupSource("shop", str(backups), wal=str(world.archive)).locate(
        locate_request(run)
    )

    assert chosen.backup.label == "a"
    assert "backup b was never finished" in chosen.notes
