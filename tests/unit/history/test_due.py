"""Which sources are due, by a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pytest_pgrestore.history.due import SourceStanding, Standing, standings
from pytest_pgrestore.history.entry import Entry, entry_of
from pytest_pgrestore.model.evidence import DrillRecord, LeftOut
from tests.unit.evidence_samples import failed, healthy_pitr, run

DAY = timedelta(days=1)
GREEN = replace(entry_of(run(healthy_pitr()), "{}", ()), full=True)
RED = replace(entry_of(run(failed()), "{}", ()), full=True)
NAME = GREEN.drills[0].source
BEGAN = GREEN.drills[0].started_at


@pytest.mark.parametrize(
    ("every", "entries", "days", "standing", "reason"),
    [
        (None, [], 0, Standing.NEVER, "it was never drilled"),
        (30 * DAY, [], 0, Standing.NEVER, "it was never drilled"),
        (30 * DAY, [GREEN], 29, Standing.PROVEN, None),
        (
            30 * DAY,
            [GREEN],
            30,
            Standing.OVERDUE,
            "its last green drill was 30 d ago, and every is 30 d",
        ),
        (None, [GREEN], 400, Standing.UNSCHEDULED, None),
        (
            30 * DAY,
            [GREEN, RED],
            1,
            Standing.DUE,
            "its last drill was failed: restored: the archive",
        ),
        (30 * DAY, [RED, GREEN], 1, Standing.PROVEN, None),
        (None, [RED], 1, Standing.DUE, "its last drill was failed: "),
    ],
)
def test_a_source_is_due_for_a_reason(
    every: timedelta | None,
    entries: list[Entry],
    days: int,
    standing: Standing,
    reason: str | None,
) -> None:
    """And silent when its proof is fresh."""
    entries = [
        replace(entry, drills=tuple(replace(one, source=NAME) for one in entry.drills))
        for entry in entries
    ]

    (found,) = standings({NAME: every}, entries, BEGAN + days * DAY)

    assert found.standing is standing
    assert len(found.reasons) == (reason is not None)
    assert found.reasons[0].startswith(reason) if reason else not found.reasons


def asked(entry: Entry, days: int, tests: str, *, full: bool) -> Entry:
    """A run of these tests, some days after the first."""
    at = BEGAN + days * DAY
    drills = tuple(
        replace(one, source=NAME, drill="x@latest", started_at=at, tests=tests)
        for one in entry.drills
    )
    return replace(entry, drills=drills, full=full, started_at=at, ended_at=at, run_id=f"d{days}")


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (
            [asked(GREEN, 0, "all", full=True), asked(GREEN, 39, "one", full=False)],
            "its last green drill was 40 d ago",
        ),
        (
            [asked(RED, 20, "all", full=True), asked(GREEN, 39, "one", full=False)],
            "its last drill was failed: ",
        ),
        ([asked(GREEN, 20, "all", full=True), asked(GREEN, 39, "one", full=False)], None),
        ([asked(GREEN, 0, "all", full=True), asked(GREEN, 39, "new", full=True)], None),
        ([asked(GREEN, 0, "one", full=False), asked(GREEN, 39, "two", full=False)], None),
    ],
)
def test_a_run_of_one_test_is_no_proof_of_all(entries: list[Entry], reason: str | None) -> None:
    """Where a full run shows which tests there are."""
    (found,) = standings({NAME: 30 * DAY}, entries, BEGAN + 40 * DAY)

    assert (found.standing is Standing.PROVEN) == (reason is None)
    assert found.reasons[0].startswith(reason) if reason else not found.reasons


def test_proof_expires() -> None:
    """The moment stands in the report."""
    (found, other) = standings({NAME: 30 * DAY, "other": DAY}, [GREEN], BEGAN + DAY)

    assert found.fresh_until == BEGAN + 30 * DAY
    assert other.fresh_until is None
    assert found.runs == 1


def drilled(
    name: str, record: DrillRecord, *, days: float = 0, full: bool = True, **changes: Any
) -> Entry:
    """A run of one drill, that many days after the first."""
    at = BEGAN + timedelta(days=days)
    changed = replace(record, started_at=at, drill=f"shop@{name}", source="shop", **changes)
    evidence = replace(run(changed), run_id=f"{name}{days}")
    return replace(entry_of(evidence, "{}", ()), full=full)


def stands(*entries: Entry, days: float, settings: dict[str, str] | None = None) -> SourceStanding:
    """How `shop` stands by these runs."""
    now = BEGAN + timedelta(days=days)
    (found,) = standings(
        {"shop": 30 * DAY}, entries, now, None if settings is None else {"shop": settings}
    )
    return found


def test_the_target_that_expires_first_counts() -> None:
    """A source with several targets is as fresh as the oldest of their proofs."""
    both = entry_of(
        run(
            replace(healthy_pitr(), drill="shop@a"),
            replace(healthy_pitr(), drill="shop@b", started_at=BEGAN - 20 * DAY),
        ),
        "{}",
        (),
    )

    found = stands(both, days=11)

    assert found.standing is Standing.OVERDUE
    assert found.reasons == ("shop@b: its last green drill was 31 d ago, and every is 30 d",)
    assert found.fresh_until == BEGAN + 10 * DAY


def test_a_target_that_no_test_asks_for_any_more_is_given_up() -> None:
    """Its last red drill is of no interest."""
    entries = drilled("old", failed()), drilled("new", healthy_pitr(), days=1)

    assert stands(*entries, days=2).standing is Standing.PROVEN


def test_a_run_of_one_target_hides_no_other_one() -> None:
    """Somebody tried one test by hand: the red target is as red as before."""
    red = drilled("old", failed())
    by_hand = drilled("new", healthy_pitr(), days=1, full=False)

    found = stands(red, by_hand, days=2)

    assert found.standing is Standing.DUE
    assert [reason.partition(":")[0] for reason in found.reasons] == ["shop@old"]
    assert found.last is not None
    assert found.last.drill == "shop@new"


def test_what_was_proven_of_a_target_that_was_given_up_is_shown() -> None:
    """An alert asks how old the last success of a source is."""
    found = stands(drilled("old", healthy_pitr()), drilled("new", failed(), days=1), days=40)

    assert found.standing is Standing.DUE
    assert found.last_green is not None
    assert found.last_green.drill == "shop@old"
    assert found.runs == 2


def test_a_drill_that_was_left_out_is_still_asked_for() -> None:
    """A night in which another target was due does not hide that this one expires."""
    first = drilled("a", healthy_pitr())
    night = drilled("b", healthy_pitr(), days=25)
    left = LeftOut(
        drill="shop@a", source="shop", why="", proven_at=BEGAN, proven_by="a0", backup=None
    )

    found = stands(first, replace(night, left_out=(left,)), days=31)

    assert found.standing is Standing.OVERDUE
    assert found.last_green is not None
    assert found.last_green.drill == "shop@a"
    assert found.green_run == "a0"


def test_changed_settings_of_the_source_are_seen() -> None:
    """Those of the sandbox are not known here: another machine may drill."""
    entry = drilled("a", healthy_pitr(), settings={"path": "1", "sandbox.runtime": "2"})

    assert stands(entry, days=1, settings={"path": "1"}).standing is Standing.PROVEN
    changed = stands(entry, days=1, settings={"path": "9", "jobs": "4"})
    assert changed.standing is Standing.DUE
    assert changed.reasons == ("its settings changed since its last green drill: jobs, path",)
    assert stands(entry, days=1, settings={"jobs": "4"}).reasons == (
        "its settings changed since its last green drill: jobs, path",
    )


def test_a_restore_without_an_assertion_is_no_proof() -> None:
    """Its run was not green either."""
    found = stands(drilled("a", healthy_pitr(), assertions=()), days=1)

    assert found.standing is Standing.DUE
    assert found.last_green is None
