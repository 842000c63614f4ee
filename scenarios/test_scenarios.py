"""Every disaster reaches its verdict, and its healthy twin stays green."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios.conftest import Outcome


def test_the_verdict_is_reached(story: dict[str, Any], case: str, outcome: Outcome) -> None:
    """The pipeline reads the exit status, the auditor the verdicts, the engineer the cause."""
    wanted = story[case]

    assert (outcome.status, outcome.verdicts()) == (wanted["exit"], wanted["verdicts"]), (
        outcome.printed
    )
    assert wanted.get("cause", "") in outcome.printed
    assert all(drill["teardown"]["removed"] for drill in outcome.evidence["drills"])
