"""Choosing among the backups of a tool's catalogue that hold more than one cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pytest_pgrestore.model.backup import Backup
from pytest_pgrestore.model.errors import HarnessError, TargetUnreachable
from pytest_pgrestore.model.target import AtLsn, AtTime, Immediate, Latest, RecoveryTarget
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.protocol import LocateRequest
from pytest_pgrestore.sources.tool_source import pick_among
from pytest_pgrestore.sources.wal.stored_wal import StoredWal

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
MIB = 1 << 20
WAL = StoredWal(segments={}, histories={})


def entry(label: str, cluster: int, hours: int, segment: int) -> tuple[Backup, str]:
    """Return a backup that ended some hours after the beginning, in a segment of 1 MiB."""
    start = Lsn(segment * MIB + 0x28)
    backup = Backup(
        label=label,
        location="/store",
        form="tar",
        kind="full",
        stopped_at=BEGAN + timedelta(hours=hours),
        start_lsn=start,
        stop_lsn=Lsn(start + 0x100),
        timeline=1,
        system_identifier=cluster,
    )
    return backup, f"0000000100000000000000{segment:02X}"


CATALOGUE = [
    entry("old-1", 71, 1, 0x40),
    entry("old-2", 71, 2, 0x60),
    entry("new-1", 72, 3, 0x08),
    entry("new-2", 72, 4, 0x20),
]


def request_for(target: RecoveryTarget) -> LocateRequest:
    """Return a request; nothing of it is run."""

    def nothing(_major: int | None) -> None:
        pytest.fail("choosing runs nothing")

    return LocateRequest(
        target=target,
        timeline="latest",
        now=BEGAN + timedelta(days=1),
        find_programs=nothing,  # type: ignore[arg-type]  # not called
        find_tool_runner=nothing,  # type: ignore[arg-type]  # not called
        log=lambda _step, _text: None,
    )


@pytest.mark.parametrize(
    ("target", "wanted", "label", "newest"),
    [
        (Latest(), None, "new-2", True),
        (Immediate(), None, "new-2", True),
        (Latest(), "new-2", "new-2", False),
        (Latest(), "old-2", "old-2", False),
        (AtLsn(Lsn(0x70 * MIB)), None, "new-2", True),
        (AtLsn(Lsn(0x10 * MIB)), None, "new-1", False),
        (AtTime(BEGAN + timedelta(hours=2.5)), None, "old-2", False),
        (AtTime(BEGAN + timedelta(hours=3.5)), None, "new-1", False),
    ],
    ids=str,
)
def test_the_cluster_that_is_meant(
    target: RecoveryTarget, wanted: str | None, label: str, *, newest: bool
) -> None:
    """A position is that of the newest cluster with a backup that fits; a moment is of all."""
    pick = pick_among(CATALOGUE, WAL, request_for(target), wanted)

    assert pick.picked.backup.label == label
    assert {backup.system_identifier for backup in pick.graph.backups} == {
        pick.picked.backup.system_identifier
    }
    assert pick.start_file == {one.label: name for one, name in CATALOGUE}[label]
    assert pick.newest is newest


def test_a_moment_before_every_backup() -> None:
    """No cluster reaches it; the first backup of all is named."""
    with pytest.raises(TargetUnreachable, match="the end of backup old-1"):
        pick_among(CATALOGUE, WAL, request_for(AtTime(BEGAN)), None)


def test_a_backup_that_is_not_there() -> None:
    """Those of every cluster are named."""
    with pytest.raises(HarnessError, match="old-1, old-2, new-1, new-2"):
        pick_among(CATALOGUE, WAL, request_for(Latest()), "no-such")
