"""How the demo compares its drills with what they should find."""

from __future__ import annotations

import pytest

from pytest_pgrestore.cli.demo.drills import RunOutcome, unexpected
from pytest_pgrestore.model.verdict import Verdict
from tests.unit.evidence_samples import bad_data, failed, healthy_pitr, run

GOOD = healthy_pitr()
BAD = failed()
ASSERTED = bad_data()
CAUSE = BAD.failure.problem if BAD.failure else ""


def test_what_came_out_as_it_should_is_not_reported() -> None:
    """Good backups pass, and damaged ones fail with the right cause."""
    assert CAUSE
    assert unexpected(RunOutcome(0, run(GOOD)), 0, Verdict.PASSED, {GOOD.drill: ""}) == []
    assert unexpected(RunOutcome(1, run(BAD)), 1, Verdict.FAILED, {BAD.drill: CAUSE}) == []


@pytest.mark.parametrize(
    ("outcome", "status", "wanted", "causes", "expected"),
    [
        (
            RunOutcome(1, run(GOOD)),
            0,
            Verdict.PASSED,
            {GOOD.drill: ""},
            "pytest ended with status 1, not 0",
        ),
        (
            RunOutcome(0, run()),
            0,
            Verdict.PASSED,
            {GOOD.drill: ""},
            f"{GOOD.drill} was not drilled",
        ),
        (RunOutcome(0, run(GOOD)), 0, Verdict.PASSED, {}, f"{GOOD.drill} was drilled"),
        (
            RunOutcome(0, run(GOOD)),
            0,
            Verdict.FAILED,
            {GOOD.drill: ""},
            f"{GOOD.drill} is passed, not failed",
        ),
        (
            RunOutcome(1, run(BAD)),
            1,
            Verdict.PASSED,
            {BAD.drill: ""},
            f"{BAD.drill} is failed, not passed",
        ),
        (
            RunOutcome(1, run(BAD)),
            1,
            Verdict.FAILED,
            {BAD.drill: "moths"},
            f"{BAD.drill} went red for another cause",
        ),
        (
            RunOutcome(1, run(ASSERTED)),
            1,
            Verdict.FAILED,
            {ASSERTED.drill: CAUSE},
            f"{ASSERTED.drill} went red for another cause: none given",
        ),
    ],
    ids=["status", "missing", "surplus", "green", "red", "cause", "no cause"],
)
def test_each_difference_is_reported(
    outcome: RunOutcome, status: int, wanted: Verdict, causes: dict[str, str], expected: str
) -> None:
    """A damaged backup that goes red for the wrong reason proves nothing."""
    wrong = unexpected(outcome, status, wanted, causes)

    assert len(wrong) == 1
    assert wrong[0].startswith(expected)
