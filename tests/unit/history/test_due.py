"""Which sources are due, by a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pytest_pgrestore.history.due import Standing, standings
from pytest_pgrestore.history.entry import Entry, entry_of
from tests.unit.evidence_samples import failed, healthy_pitr, run

DAY = timedelta(days=1)
GREEN = entry_of(run(healthy_pitr()), "{}", ())
RED = entry_of(run(failed()), "{}", ())
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
            Standing.DUE,
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


def test_proof_expires() -> None:
    """The moment stands in the report."""
    (found, other) = standings({NAME: 30 * DAY, "other": DAY}, [GREEN], BEGAN + DAY)

    assert found.fresh_until == BEGAN + 30 * DAY
    assert other.fresh_until is None
    assert found.runs == 1
