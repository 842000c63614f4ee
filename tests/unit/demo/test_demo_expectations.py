"""The demo's own judgement: it must not say that all is well when something came out otherwise."""

from __future__ import annotations

import pytest

from pytest_pgrestore.cli.demo import _Outcome, _unexpected
from pytest_pgrestore.model.verdict import Verdict
from tests.unit.evidence_samples import bad_data, failed, healthy_pitr, run

GOOD = healthy_pitr()
BAD = failed()
ASSERTED = bad_data()
CAUSE = BAD.failure.problem if BAD.failure else ""


def test_what_came_out_as_it_should_is_not_reported() -> None:
    """Green for the good backups, red with its cause for the damaged ones."""
    assert CAUSE
    assert _unexpected(_Outcome(0, run(GOOD)), 0, Verdict.PASSED, {GOOD.drill: ""}) == []
    assert _unexpected(_Outcome(1, run(BAD)), 1, Verdict.FAILED, {BAD.drill: CAUSE}) == []


@pytest.mark.parametrize(
    ("outcome", "status", "wanted", "causes", "told"),
    [
        (
            _Outcome(1, run(GOOD)),
            0,
            Verdict.PASSED,
            {GOOD.drill: ""},
            "pytest ended with status 1, not 0",
        ),
        (_Outcome(0, run()), 0, Verdict.PASSED, {GOOD.drill: ""}, f"{GOOD.drill} was not drilled"),
        (_Outcome(0, run(GOOD)), 0, Verdict.PASSED, {}, f"{GOOD.drill} was drilled"),
        (
            _Outcome(0, run(GOOD)),
            0,
            Verdict.FAILED,
            {GOOD.drill: ""},
            f"{GOOD.drill} is passed, not failed",
        ),
        (
            _Outcome(1, run(BAD)),
            1,
            Verdict.PASSED,
            {BAD.drill: ""},
            f"{BAD.drill} is failed, not passed",
        ),
        (
            _Outcome(1, run(BAD)),
            1,
            Verdict.FAILED,
            {BAD.drill: "moths"},
            f"{BAD.drill} went red for another cause",
        ),
        (
            _Outcome(1, run(ASSERTED)),
            1,
            Verdict.FAILED,
            {ASSERTED.drill: CAUSE},
            f"{ASSERTED.drill} went red for another cause: none given",
        ),
    ],
    ids=["status", "missing", "surplus", "green", "red", "cause", "no cause"],
)
def test_whatever_came_out_otherwise_is_told(
    outcome: _Outcome, status: int, wanted: Verdict, causes: dict[str, str], told: str
) -> None:
    """A damaged backup that goes red for the wrong reason proves nothing."""
    wrong = _unexpected(outcome, status, wanted, causes)

    assert len(wrong) == 1
    assert wrong[0].startswith(told)
