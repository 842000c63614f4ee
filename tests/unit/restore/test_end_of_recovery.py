"""The end of recovery, judged by what servers of PostgreSQL 15 to 18 printed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pytest_pgrestore.model.errors import (
    BackupNotRestorable,
    HarnessError,
    PgRestoreError,
    TargetUnreachable,
)
from pytest_pgrestore.model.target import (
    AtLsn,
    AtName,
    AtTime,
    AtXid,
    Immediate,
    Latest,
    RecoveryTarget,
)
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.restore.judgement.end_of_recovery import (
    EndOfRecovery,
    Followed,
    target_reached,
    why_not_up,
)

MIB = 1024 * 1024
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = Lsn(10 * MIB)
AT_THE_END = EndOfRecovery(
    end=Lsn(9 * MIB + 500),
    stopping=None,
    stopped_transaction=None,
    last_commit_at=NOON,
    timeline=2,
    consistent_at=Lsn(4 * MIB),
    bad_wal=None,
)
STOPPED = replace(
    AT_THE_END,
    stopping="recovery stopping before commit of transaction 741, time 2026-03-01 12:00:01+00",
    stopped_transaction=("before", 741),
)

CASES = [
    ("latest, whole archive", Latest(), AT_THE_END, END, None),
    ("latest, no archive", Latest(), AT_THE_END, None, None),
    (
        "latest, a hole",
        Latest(),
        replace(AT_THE_END, end=Lsn(6 * MIB)),
        END,
        "the archive goes on to",
    ),
    (
        "latest, damage in the last segment",
        Latest(),
        replace(AT_THE_END, bad_wal="incorrect x"),
        END,
        "damaged WAL",
    ),
    ("label lost", Latest(), replace(AT_THE_END, consistent_at=None), END, "backup_label was lost"),
    ("time", AtTime(NOON), STOPPED, END, None),
    ("time, no stop", AtTime(NOON), AT_THE_END, END, "without saying that it stopped"),
    ("time before the backup's end", AtTime(NOON - timedelta(hours=1)), STOPPED, END, "later than"),
    ("xid", AtXid(741), STOPPED, END, None),
    ("another xid", AtXid(740), STOPPED, END, "another transaction"),
    ("lsn short", AtLsn(Lsn(9 * MIB + 600)), STOPPED, END, "short of"),
    (
        "immediate",
        Immediate(),
        replace(STOPPED, stopping="recovery stopping after reaching consistency"),
        END,
        None,
    ),
    ("immediate elsewhere", Immediate(), STOPPED, END, "elsewhere"),
]


@pytest.mark.parametrize(
    ("target", "reached", "end", "problem"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_the_end_of_recovery_is_compared_with_the_target(
    target: RecoveryTarget, reached: EndOfRecovery, end: Lsn | None, problem: str | None
) -> None:
    """PostgreSQL opens without a word on a hole; each trap has its healthy twin here."""
    check = target_reached(target, reached, end, MIB)

    assert check.verdict is (Verdict.FAILED if problem else Verdict.PASSED)
    assert problem is None or problem in check.message


@pytest.mark.parametrize(
    ("target", "followed", "problem"),
    [
        (Latest(), Followed(1, None), None),
        (Latest(), Followed(1, Lsn(9 * MIB + 500)), None),
        (Latest(), Followed(1, Lsn(9 * MIB + 501)), "before timeline 1 begins at 0/9001F5"),
        (AtTime(NOON), Followed(1, Lsn(10 * MIB)), None),
        (Latest(), Followed(2, None), "opened on timeline 2"),
    ],
    ids=["own", "begun", "not begun", "stopped before", "no archive recovery"],
)
def test_the_timeline_is_proved_by_the_server(
    target: RecoveryTarget, followed: Followed, problem: str | None
) -> None:
    """What was planned by names is compared with where the server is."""
    reached = AT_THE_END if isinstance(target, Latest) else STOPPED

    check = target_reached(target, reached, END, MIB, followed)

    assert check.verdict is (Verdict.FAILED if problem else Verdict.PASSED)
    assert problem is None or problem in check.message


@pytest.mark.parametrize(
    ("fatal", "status", "kind"),
    [
        ("recovery ended before configured recovery target was reached", 1, TargetUnreachable),
        ("requested recovery stop point is before consistent recovery point", 1, TargetUnreachable),
        ("could not locate required checkpoint record at 0/A00080", 1, BackupNotRestorable),
        ('could not extend file "base/5/1": No space left on device', 1, HarnessError),
        ("could not create semaphores: No space left on device", 1, HarnessError),
        ('could not resize shared memory segment "/PostgreSQL.1"', 1, HarnessError),
        ("could not fork: Cannot allocate memory", 1, HarnessError),
        ('could not open file "base/5/1": Too many open files', 1, HarnessError),
        ('unrecognized configuration parameter "event_triggers"', 1, HarnessError),
        ('9 is outside the valid range for parameter "max_wal_senders" (0 .. 8)', 1, HarnessError),
        ("maximum number of prepared transactions reached", 1, HarnessError),
        ('could not open file "global/1262": No such file or directory', 1, BackupNotRestorable),
        ("could not map anonymous shared memory: Cannot allocate memory", 1, HarnessError),
        (None, -9, HarnessError),
        (None, 1, BackupNotRestorable),
    ],
)
def test_a_server_that_did_not_come_up_is_blamed_on_the_right_one(
    fatal: str | None, status: int, kind: type[PgRestoreError]
) -> None:
    """Red because the backup is bad must never look like red because the disk was full."""
    error = why_not_up(fatal, status, Latest(), ["xid 7"], None)

    assert type(error) is kind


def test_nearest_points_and_damage_are_in_the_message() -> None:
    """The reader wants to know where else to go."""
    error = why_not_up(
        "recovery ended before configured recovery target was reached",
        1,
        AtXid(9),
        ["xid 7"],
        "incorrect checksum",
    )

    assert "nearest reachable: xid 7" in error.problem
    assert "WAL is damaged: incorrect checksum" in error.problem


@pytest.mark.parametrize(("target", "named"), [(AtName("deploy"), True), (AtXid(9), False)])
def test_a_restore_point_that_is_not_there_may_be_a_typo(
    target: RecoveryTarget, *, named: bool
) -> None:
    """The name is the one part of a target that a person makes up."""
    message = "recovery ended before configured recovery target was reached"

    error = why_not_up(message, 1, target, ["name:deployment"], None)

    assert ("correct the name" in error.hint) is named
