"""Slower than usual, and failures of the archiver: fires on the slow one, silent on its twin."""

from __future__ import annotations

from datetime import timedelta
from math import inf
from typing import Any

import pytest

from pytest_pgrestore.history import archiver, slower
from pytest_pgrestore.history.series import point_of
from pytest_pgrestore.model.past import ArchiverFigures
from pytest_pgrestore.model.verdict import Verdict, worst
from tests.unit.history.made import DAY, GIB, NOW, drill

BEFORE = [point_of(drill(ago, 600.0 + ago % 3)) for ago in range(10, 0, -1)]


@pytest.mark.parametrize(
    ("seconds", "margin", "fails", "verdict"),
    [
        (900.0, 0.5, False, Verdict.PASSED),
        (905.0, 0.5, False, Verdict.WARNING),
        (905.0, 0.5, True, Verdict.FAILED),
        (905.0, 0.6, True, Verdict.PASSED),
        (60.0, 0.5, True, Verdict.PASSED),
        (9000.0, inf, True, None),
    ],
)
def test_a_restore_against_those_before_it(
    seconds: float, margin: float, fails: bool, verdict: Verdict | None
) -> None:
    """By the margin, and with the verdict that the user chose."""
    found = slower.judge(point_of(drill(0, seconds)), BEFORE, margin, fails=fails)

    assert (None if found is None else found.verdict) == verdict


def test_the_message_names_phase_and_size() -> None:
    """The reader knows where to begin."""
    slow = point_of(drill(0, 1200.0, restored_bytes=60 * GIB))

    found = slower.judge(slow, BEFORE, 0.5, fails=False)

    assert found is not None
    assert found.message.startswith("the restore took 20 min (1200.000 s) (100 % longer), and")
    assert "the backup is 50 % larger" in found.message
    assert "phase fetch took 9 min" in found.message
    assert worst([found.verdict]) is Verdict.PASSED


@pytest.mark.parametrize("number", [0, 4, 5])
def test_nothing_is_said_before_there_are_five(number: int) -> None:
    """Two drills are no custom."""
    found = slower.judge(point_of(drill(0, 9000.0)), BEFORE[:number], 0.5, fails=True)

    assert (found is None) == (number < slower.LEAST)


@pytest.mark.parametrize(
    "changes",
    [{"verdict": Verdict.FAILED}, {"kind": "incremental"}, {"replay": 600.0}, {"wal_bytes": None}],
)
def test_only_comparable_drills_count(changes: dict[str, Any]) -> None:
    """Green ones, of the same kind of backup, with as much WAL."""
    others = [point_of(drill(ago, **changes)) for ago in range(1, 10)]

    assert slower.judge(point_of(drill(0, 9000.0)), others, 0.5, fails=True) is None


def test_drills_that_differ_anyway_are_no_measure() -> None:
    """Of 0.2 to 0.4 s, 0.5 s is no news."""
    noisy = [point_of(drill(ago, 0.2 + 0.05 * (ago % 5), replay=0.0)) for ago in range(1, 11)]
    quiet = [point_of(drill(ago, 0.3, replay=0.0)) for ago in range(1, 11)]
    now = point_of(drill(0, 0.5, replay=0.0))

    silent = slower.judge(now, noisy, 0.5, fails=False)
    fires = slower.judge(now, quiet, 0.5, fails=False)

    assert silent is not None
    assert silent.verdict is Verdict.PASSED
    assert fires is not None
    assert fires.verdict is Verdict.WARNING


def figures(failed: int | None, *, reset: int = 30, still: bool = False) -> ArchiverFigures:
    """What an archiver says."""
    return ArchiverFigures(
        failed_count=failed,
        archived_count=1000,
        last_failed_at=NOW - timedelta(hours=1 if still else 9),
        last_archived_at=NOW - timedelta(hours=2),
        stats_reset=NOW - reset * DAY,
        problem="" if failed is not None else "the live server could not be asked",
    )


@pytest.mark.parametrize(
    ("now", "then", "verdict", "told"),
    [
        (figures(7), figures(7), Verdict.PASSED, "no failed attempt since the last drill at 2026"),
        (figures(9), figures(7), Verdict.WARNING, "2 failed attempts since the last drill"),
        (figures(9), figures(7), Verdict.WARNING, "and archiving works again"),
        (figures(9, still=True), figures(7), Verdict.WARNING, "nothing was archived after"),
        (figures(3, reset=1), figures(7), Verdict.WARNING, "3 or more failed attempts"),
        (figures(9, reset=1), figures(7), Verdict.WARNING, "9 or more failed attempts"),
        (figures(0, reset=1), figures(7), Verdict.PASSED, "none before it is known"),
        (figures(None), figures(7), Verdict.COULD_NOT_VERIFY, "could not be asked"),
    ],
)
def test_failures_of_the_archiver(
    now: ArchiverFigures, then: ArchiverFigures, verdict: Verdict, told: str
) -> None:
    """Since the last drill that asked, and a counter that began anew is known."""
    past = [
        drill(3, archiver=figures(99)),
        drill(2, archiver=then),
        drill(1, archiver=figures(None)),
        drill(1, source="crm", archiver=figures(0)),
    ]
    last = archiver.last_figures(past, "shop", NOW)

    found = archiver.judge(now, last)

    assert found is not None
    assert found.verdict is verdict
    assert told in found.message


def test_the_first_drill_that_asks_has_nothing_to_compare() -> None:
    """No check is better than one that always passes."""
    assert archiver.judge(figures(7), archiver.last_figures([drill(1)], "shop", NOW)) is None
