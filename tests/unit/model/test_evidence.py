"""The verdict of a drill, and the JSON of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_pgrestore.model.evidence import (
    AssertionOutcome,
    Check,
    DrillRecord,
    Evidence,
    Failure,
    ObjectiveResult,
    Teardown,
)
from pytest_pgrestore.model.evidence_json import to_json
from pytest_pgrestore.model.objectives import ObjectiveStatus
from pytest_pgrestore.model.verdict import Verdict

NOW = datetime(2026, 6, 15, 14, 30, tzinfo=UTC)


def record(**changes: Any) -> DrillRecord:
    """Return a passed drill with `changes`."""
    unset = ObjectiveResult(name="rto", judgement=ObjectiveStatus.NOT_SET, definition="")
    passed = AssertionOutcome(name="t", verdict=Verdict.PASSED, message="", seconds=0.1)
    plain = DrillRecord(
        drill="shop@latest",
        source="shop",
        source_type="dump",
        target="latest",
        started_at=NOW,
        rto=unset,
        rpo=unset,
        assertions=(passed,),
    )
    return replace(plain, **changes)


MISSED = ObjectiveResult(name="rto", judgement=ObjectiveStatus.MISSED, definition="")
UNMEASURED = ObjectiveResult(name="rpo", judgement=ObjectiveStatus.NOT_MEASURED, definition="")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.PASSED),
        ({"assertions": ()}, Verdict.COULD_NOT_VERIFY),
        ({"rto": MISSED}, Verdict.FAILED),
        ({"rpo": UNMEASURED}, Verdict.COULD_NOT_VERIFY),
        ({"checks": (Check(name="c", verdict=Verdict.FAILED, message=""),)}, Verdict.FAILED),
        (
            {"failure": Failure(problem="p", hint="h", verdict=Verdict.FAILED, phase="fetch")},
            Verdict.FAILED,
        ),
        ({"teardown": Teardown(removed=False, message="left")}, Verdict.COULD_NOT_VERIFY),
    ],
)
def test_a_drill_is_as_good_as_its_worst_part(changes: dict[str, object], verdict: Verdict) -> None:
    """A missed objective fails the run by default, and data left behind is never green."""
    assert record(**changes).verdict() is verdict


def test_evidence_is_plain_json_with_its_verdicts() -> None:
    """The JSON is read by people and programs that do not have this package."""
    evidence = Evidence(
        run_id="r",
        plugin_version="0",
        started_at=NOW,
        ended_at=NOW,
        host="h",
        drills=(record(),),
        problems=("cut",),
    )

    document = json.loads(to_json(evidence))

    assert document["verdict"] == "could not verify"
    assert document["drills"][0]["verdict"] == "passed"
    assert document["started_at"] == "2026-06-15T14:30:00+00:00"
