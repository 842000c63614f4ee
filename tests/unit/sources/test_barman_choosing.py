"""Which backup of Barman's catalogue a drill restores, and which it never takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.target import AtTime, Immediate, Latest, RecoveryTarget
from pytest_pgrestore.sources.barman import catalogue
from pytest_pgrestore.sources.barman.choosing import Catalogue, ChosenEntry, choose_entry
from pytest_pgrestore.sources.barman.other_cluster import Trace
from pytest_pgrestore.sources.json_answer import Answer
from pytest_pgrestore.sources.protocol import LocateRequest
from pytest_pgrestore.sources.wal.stored_wal import StoredWal

BEGAN = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
OWN = int(BEGAN.timestamp() - 86400) << 32
HISTORY = "1\t0/5000000\tno recovery target specified\n"


def entry(number: int, **changes: object) -> catalogue.Entry:
    """Return a complete backup of timeline 1 that began at segment `number`."""
    begin = BEGAN + timedelta(hours=number)
    raw: dict[str, object] = {
        "backup_id": f"20261123T{number:02}0000",
        "begin_time": begin.isoformat(),
        "begin_wal": f"0000000100000000{number:08X}",
        "begin_xlog": f"0/{number:X}000028",
        "end_time": (begin + timedelta(minutes=1)).isoformat(),
        "end_xlog": f"0/{number:X}000100",
        "mode": "postgres",
        "status": "DONE",
        "systemid": str(OWN),
        "version": 150018,
    }
    return catalogue.entries([Answer(raw | changes)], "/home")[0]


def choose(
    entries: Sequence[catalogue.Entry],
    target: RecoveryTarget | None = None,
    wanted: str | None = None,
    *,
    histories: dict[int, str] | None = None,
    traces: Sequence[Trace] = (),
    timeline: Any = "latest",
) -> ChosenEntry:
    """Choose among `entries`, with an archive of segments 1 to 9 of timeline 1."""
    names = {f"0000000100000000{number:08X}": None for number in range(1, 10)}
    request: Any = LocateRequest(
        target=target or Latest(),
        timeline=timeline,
        now=BEGAN + timedelta(days=1),
        find_programs=lambda _: pytest.fail("no program is needed"),
        find_tool_runner=lambda _: pytest.fail("no tool is needed"),
        log=lambda *_: None,
    )
    stored = StoredWal(segments=names, histories=histories or {})
    return choose_entry(Catalogue(entries, stored, {}, traces, "/home"), request, wanted)


@pytest.mark.parametrize("status", ["FAILED", "STARTED", "SYNCING", "EMPTY", "RETRIEVING", ""])
def test_a_backup_that_is_not_complete(status: str) -> None:
    """It is never chosen, and the notes say so; named, it is a finding."""
    broken = entry(3, status=status, error="disk full")

    chosen = choose([entry(2), broken])

    assert chosen.entry.backup.label == "20261123T020000"
    assert f"backup {broken.backup.label} is {status or 'of no known status'}" in chosen.notes[0]
    with pytest.raises(BackupNotRestorable, match="disk full"):
        choose([entry(2), broken], wanted=broken.backup.label)
    with pytest.raises(BackupNotRestorable, match="there is no backup"):
        choose([broken])


def test_a_backup_that_waits_for_wal() -> None:
    """All its files are there; whether its WAL is, the drill sees itself."""
    chosen = choose([entry(2), entry(3, status="WAITING_FOR_WALS")])

    assert chosen.entry.backup.label == "20261123T030000"
    assert "has not seen yet" in chosen.notes[0]


def test_the_newest_backup_that_ends_before_a_moment() -> None:
    """The selection says why it is not the newest of all."""
    chosen = choose([entry(2), entry(3), entry(4)], AtTime(BEGAN + timedelta(hours=3.5)))

    assert chosen.entry.backup.label == "20261123T030000"
    assert chosen.picked.selection == "the newest of 2 that end before the target, 3 in all"


def test_snapshots_of_disks() -> None:
    """No sandbox can attach them: nothing is learned. No older one is taken instead."""
    with pytest.raises(HarnessError, match="snapshots of a cloud's disks"):
        choose([entry(2), entry(3, mode="snapshot")])


def test_a_name_and_an_id() -> None:
    """An id is looked for first; of two backups with one name the newest complete one counts."""
    named = [
        entry(2, backup_name="nightly"),
        entry(3, backup_name="nightly"),
        entry(4, backup_name="nightly", status="FAILED"),
        entry(5),
    ]

    assert choose(named, wanted="nightly").entry.backup.label == "20261123T030000"
    assert choose(named, wanted="20261123T020000").entry.backup.label == "20261123T020000"
    with pytest.raises(HarnessError, match=r"there are: 20261123T020000 \(nightly\)"):
        choose(named, wanted="weekly")


def trace(system_identifier: int, hours: float | None, timeline: int = 1, number: int = 4) -> Trace:
    """Return the trace of a segment that was stored some hours after the beginning."""
    stored_at = None if hours is None else BEGAN + timedelta(hours=hours)
    return Trace(f"{timeline:08X}{number:016X}", system_identifier, stored_at)


NEW = int((BEGAN + timedelta(hours=6)).timestamp()) << 32
OLD = 1 << 32


@pytest.mark.parametrize(
    ("traces", "found"),
    [
        ([trace(OWN, 8)], False),
        ([trace(OWN, 7), trace(NEW, 8)], True),
        ([trace(OWN, 7), trace(NEW, None)], True),
        ([trace(OWN, 7), trace(OLD, 8)], True),
        ([trace(OWN, 8), trace(OLD, 7)], False),
        ([trace(OWN, 7), trace(OLD, None)], False),
        ([trace(OLD, 1), trace(OWN, 7)], False),
    ],
    ids=["own", "newer", "made-later", "older-id", "both", "unknown-time", "left-before"],
)
def test_wal_of_another_cluster(traces: list[Trace], *, found: bool) -> None:
    """Newer than the newest backup and its WAL, it is production's; older, it is what was left."""
    for target in (Latest(), Immediate()):
        if found:
            with pytest.raises(BackupNotRestorable, match="system identifier"):
                choose([entry(5)], target, traces=traces)
        else:
            assert choose([entry(5)], target, traces=traces)
    # A moment, or a backup that is named, is reached in the old cluster.
    assert choose([entry(5)], AtTime(BEGAN + timedelta(hours=5.5)), traces=traces)
    assert choose([entry(5)], wanted="20261123T050000", traces=traces)


def test_wal_of_an_older_cluster_after_the_backup() -> None:
    """It begins where a hole would be seen: it is the drill that cannot tell, not the backup."""
    mixed = [trace(OWN, 7), trace(OLD, 1, number=9)]

    with pytest.raises(HarnessError, match="WAL of two clusters is mixed"):
        choose([entry(5)], traces=mixed)
    assert choose([entry(5)], Immediate(), traces=mixed)


def test_a_history_of_another_cluster() -> None:
    """A default restore follows it; `current` does not."""
    histories = {2: HISTORY}
    left = [trace(OLD, 1, timeline=2)]

    with pytest.raises(BackupNotRestorable, match=r"00000002\.history is another cluster's"):
        choose([entry(3)], histories=histories, traces=left)
    assert choose([entry(3)], histories=histories, traces=left, timeline="current")
    assert choose([entry(3)], histories=histories, traces=[trace(OWN, 7, timeline=2)])
