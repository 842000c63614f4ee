"""What is told: names and verdicts, and no message, in which a row may stand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pytest_pgrestore.model.evidence import AssertionOutcome, Evidence, LeftOut
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.notices.message import Message
from tests.unit.evidence_samples import SAMPLES, START, bad_data, every_sample, healthy_dump, run

ROW = "4012-8888-8888-1881"


def shown(evidence: Evidence, *, details: bool, status: int = 1) -> str:
    """Return all that a message says."""
    message = Message(evidence, status, details=details)
    return "\n".join([message.title(), message.body(), json.dumps(message.document())])


def leaky() -> Evidence:
    """Return a run in which an author chose to show a value."""
    outcome = AssertionOutcome(
        name="test_cards", verdict=Verdict.FAILED, message=f"card {ROW}", seconds=0.1
    )
    return run(bad_data(assertions=(outcome,)), problems=(f"the run was interrupted: {ROW}",))


def test_no_message_is_told() -> None:
    """Names and verdicts go to a service of somebody else, and rows do not."""
    text = shown(leaky(), details=False)

    assert ROW not in text
    assert "1 problem of the run: see its report" in text


def test_messages_are_told_where_the_user_asks_for_them() -> None:
    """The details are those of the reports."""
    text = shown(leaky(), details=True)

    assert f"the run was interrupted: {ROW}" in text


def test_the_cause_is_named() -> None:
    """Whoever is woken up sees what to look at."""
    text = shown(run(bad_data()), details=False)

    assert "restore drills failed: 0 of 1 drills passed" in text
    assert "crm@latest timeline=2: failed, restore 4 s" in text
    assert "because of: rto (failed)" in text


def test_a_run_without_drills_says_so() -> None:
    """The commonest silence: nothing was collected."""
    assert "no drill ran" in Message(run(), 6, details=False).title()


def test_green_drills_of_a_run_that_is_not_green_do_not_sound_green() -> None:
    """For example when its history could not be written."""
    title = Message(run(healthy_dump()), 6, details=False).title()

    assert title == ("restore drills passed: 1 of 1 drills passed, but the run ended with status 6")


@every_sample
@pytest.mark.parametrize("details", [False, True])
def test_every_run_can_be_told(evidence: Evidence, details: bool) -> None:
    """Also one whose texts are hostile: it is one line for each fact, and it can be encoded."""
    message = Message(evidence, 1, details=details)

    assert message.body().encode()
    assert "\x1b" not in message.body()
    assert "\n" not in message.title()
    assert json.loads(json.dumps(message.document()).encode())


def test_many_drills_are_cut() -> None:
    """A chat has a limit."""
    message = Message(run(*(healthy_dump() for _ in range(60))), 0, details=False)

    assert "and 10 more" in message.body()
    assert message.document()["drills_left_out"] == 10
    assert len(SAMPLES) > 1


def test_a_night_in_which_nothing_was_due_is_no_alarm() -> None:
    """It verified nothing, and nothing is wrong."""
    left_out = LeftOut(drill="shop@latest", source="shop", why="", proven_at=START, proven_by="run")
    evidence = replace(run(), left_out=(left_out,))

    assert evidence.is_green
    title = Message(evidence, 0, details=False).title()
    assert title == "restore drills skipped: nothing was due of 1 drills"
    assert not replace(evidence, problems=("it was interrupted",)).is_green
