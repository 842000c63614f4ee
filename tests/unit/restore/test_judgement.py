"""The end of recovery, judged from what servers really printed (PostgreSQL 15 to 18)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.errors import (
    BackupNotRestorable,
    HarnessError,
    PgRestoreError,
    TargetUnreachable,
)
from pytest_pgrestore.model.evidence import DataLossFigures
from pytest_pgrestore.model.objectives import Objectives, ObjectiveStatus
from pytest_pgrestore.model.target import AtLsn, AtTime, AtXid, Immediate, Latest, RecoveryTarget
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.privacy.log_text import without_values
from pytest_pgrestore.restore.judgement import objectives
from pytest_pgrestore.restore.judgement.end_of_recovery import (
    EndOfRecovery,
    target_reached,
    why_not_up,
)
from pytest_pgrestore.restore.server.log import ServerLog

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
    ("fatal", "status", "kind"),
    [
        ("recovery ended before configured recovery target was reached", 1, TargetUnreachable),
        ("requested recovery stop point is before consistent recovery point", 1, TargetUnreachable),
        ("could not locate required checkpoint record at 0/A00080", 1, BackupNotRestorable),
        ('could not extend file "base/5/1": No space left on device', 1, HarnessError),
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


LOG = """\
2026-03-01 12:00:00.001 UTC [10] 00000 LOG:  starting point-in-time recovery to XID 741
2026-03-01 12:00:00.002 UTC [10] 00000 LOG:  redo starts at 0/A00028
2026-03-01 12:00:00.003 UTC [10] 00000 LOG:  consistent recovery state reached at 0/A00100
2026-03-01 12:00:00.004 UTC [11] 57P03 FATAL:  the database system is starting up
2026-03-01 12:00:01.000 UTC [10] 00000 LOG:  redo in progress, elapsed time: 1.00 s, current LSN: 0/B00000
2026-03-01 12:00:01.200 UTC [10] 00000 LOG:  recovery stopping after commit of transaction 741, time 2026-03-01 12:00:01
2026-03-01 12:00:01.300 UTC [10] 00000 LOG:  redo done at 0/B00120 system usage: CPU: user: 0.00 s
2026-03-01 12:00:01.300 UTC [10] 00000 LOG:  last completed transaction was at log time 2026-03-01 12:00:00.5+00
2026-03-01 12:00:01.400 UTC [10] 00000 LOG:  archive recovery complete
2026-03-01 12:00:01.500 UTC [9] 00000 LOG:  database system is ready to accept connections
2026-03-01 12:00:02.000 UTC [12] 23505 ERROR:  duplicate key value
2026-03-01 12:00:02.000 UTC [12] 23505 DETAIL:  Key (email)=(a@example.com) already exists.
"""


def test_the_log_tells_the_phases_in_order(tmp_path: Path) -> None:
    """The boundaries of start, replay and promote are these lines."""
    path = tmp_path / "log"
    path.touch()
    log = ServerLog(path)
    stages = []
    for line in LOG.splitlines(keepends=True):
        with path.open("a") as stream:
            stream.write(line)
        log.refresh()
        stages.append(log.stage())

    assert list(dict.fromkeys(stages)) == ["start", "replay", "promote", "ready"]
    assert log.stopped_transaction() == ("after", 741)
    assert log.consistent_at() == Lsn.parse("0/A00100")
    assert log.replayed() == (1.0, Lsn.parse("0/B00000"))
    assert log.last_commit() == datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    assert log.fatal() is None
    assert log.bad_wal() is None


def test_saved_logs_keep_no_row_values() -> None:
    """A DETAIL line quotes the row; before clients could log in it quotes settings, which are wanted."""
    kept = without_values(LOG)

    assert "a@example.com" not in kept
    assert "duplicate key value" in kept


def test_an_error_message_that_quotes_a_value_is_not_kept() -> None:
    """Class 22 errors (data exceptions) quote the value in the message itself."""
    line = '2026-03-01 12:00:03.000 UTC [12] 22P02 ERROR:  invalid input syntax for type integer: "secret"\n'

    assert "secret" not in without_values(LOG + line)


def test_a_raise_with_a_code_of_its_own_is_not_kept() -> None:
    """Its text is anything; the context tells it. Messages around it stay."""
    stamp = "2026-03-01 12:00:03.000 UTC [12] 23514"
    raised = (
        f"{stamp} ERROR:  kept one\n"
        f"{stamp} ERROR:  order secret\n\tLOG:  secret\n"
        f"{stamp} HINT:  ask secret\n"
        f"{stamp} CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE\n"
        f"{stamp} ERROR:  kept two\n"
        f"{stamp} CONTEXT:  PL/pgSQL function inline_code_block line 1 at SQL statement\n"
    )

    kept = without_values(LOG + raised)

    assert "secret" not in kept
    assert "kept one" in kept
    assert "kept two" in kept


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("loss", "one_moment", "judgement"),
    [
        (DataLossFigures(last_commit_seconds=10), False, ObjectiveStatus.MET),
        (DataLossFigures(last_commit_seconds=7200), False, ObjectiveStatus.NOT_MEASURED),
        (DataLossFigures(last_commit_seconds=7200), True, ObjectiveStatus.MISSED),
        (DataLossFigures(), False, ObjectiveStatus.NOT_MEASURED),
        (
            DataLossFigures(last_commit_seconds=7200, freshness_seconds=10),
            False,
            ObjectiveStatus.MET,
        ),
        (
            DataLossFigures(last_commit_seconds=10, freshness_seconds=7200),
            False,
            ObjectiveStatus.MISSED,
        ),
        (DataLossFigures(freshness_seconds=7200, live_seconds=0), False, ObjectiveStatus.MET),
    ],
)
def test_the_best_witness_decides_the_rpo(
    loss: DataLossFigures, judgement: ObjectiveStatus, *, one_moment: bool
) -> None:
    """On an idle source an old commit proves nothing: that is "not measured", never "met" and never "missed"."""
    drill = Drill("shop", Latest(), objectives=Objectives(rpo=HOUR))

    assert objectives.rpo(drill, loss, one_moment=one_moment).judgement is judgement


def test_the_rpo_is_not_judged_on_a_point_in_time() -> None:
    """Going back an hour on purpose is not data loss."""
    drill = Drill("shop", AtTime(NOON), objectives=Objectives(rpo=HOUR))

    assert (
        objectives.rpo(
            drill, DataLossFigures(last_commit_seconds=99_999), one_moment=False
        ).judgement
        is ObjectiveStatus.NOT_SET
    )


@pytest.mark.parametrize(
    ("ended", "verdict"),
    [
        (NOON - HOUR, Verdict.PASSED),
        (NOON - 25 * HOUR, Verdict.FAILED),
        (None, Verdict.COULD_NOT_VERIFY),
    ],
)
def test_an_old_backup_is_told_from_a_new_one(ended: datetime | None, verdict: Verdict) -> None:
    """A backup job that stopped a month ago still leaves a backup that restores."""
    check = objectives.backup_age(
        Drill("shop", objectives=Objectives(max_age=24 * HOUR)), ended, NOON
    )

    assert check is not None
    assert check.verdict is verdict
