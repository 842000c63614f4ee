"""RTO, RPO and the age of the backup, judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pytest_pgrestore.model.drill import Drill
from pytest_pgrestore.model.evidence import DataLossFigures
from pytest_pgrestore.model.objectives import Objectives, ObjectiveStatus
from pytest_pgrestore.model.target import AtTime, Latest
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.restore.judgement import objectives

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
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
        (
            DataLossFigures(last_commit_seconds=1, freshness_seconds=-99, problem="x"),
            True,
            ObjectiveStatus.NOT_MEASURED,
        ),
    ],
)
def test_the_best_witness_decides_the_rpo(
    loss: DataLossFigures, judgement: ObjectiveStatus, *, one_moment: bool
) -> None:
    """An old commit of an idle source proves nothing: it is "not measured", not met, not missed."""
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
        (NOON + timedelta(seconds=59), Verdict.PASSED),
        (NOON + timedelta(seconds=61), Verdict.COULD_NOT_VERIFY),
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
    assert ("find out why" in check.message) is (verdict is Verdict.FAILED)


def test_an_age_never_reads_like_the_limit_it_breaks() -> None:
    """Rounded to the nearest second, 24 hours and a moment would be 24 hours, and *failed*."""
    limit = Drill("shop", objectives=Objectives(max_age=24 * HOUR))

    late = objectives.backup_age(limit, NOON - 24 * HOUR - timedelta(milliseconds=1), NOON)
    exact = objectives.backup_age(limit, NOON - 24 * HOUR, NOON)

    assert late is not None
    assert exact is not None
    assert (late.verdict, late.observed) == (Verdict.FAILED, "1 day, 0:00:01")
    assert (exact.verdict, exact.observed) == (Verdict.PASSED, "1 day, 0:00:00")


@pytest.mark.parametrize(
    ("part", "verdict"),
    [(NOON - 25 * HOUR, Verdict.FAILED), (NOON - HOUR, Verdict.COULD_NOT_VERIFY)],
)
def test_one_part_that_is_too_old_is_enough(part: datetime, verdict: Verdict) -> None:
    """A new part proves nothing of another one that does not tell its age."""
    drill = Drill("shop", objectives=Objectives(max_age=24 * HOUR))

    check = objectives.backup_age(drill, None, NOON, part)

    assert check is not None
    assert check.verdict is verdict
