"""Failovers in a pgBackRest repository. More worlds of timelines: test_tool_timelines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.real.tool_histories import History, Stanza, history
from tests.real.tool_worlds import failed, passed
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("tool_run", ["local"], indirect=True),
]


@pytest.fixture(scope="module")
def failovers() -> Iterator[History]:
    """Two power failures, each with a promotion; one backup, taken before them. Encrypted."""
    with history(Stanza, "repo1-cipher-type=aes-256-cbc", "repo1-cipher-pass=four-owls") as world:
        made = world
        made.grow()
        made.back_up("a")
        made.grow()
        made.switch()
        made.grow(5)
        for _ in range(2):
            made.crash()
            made = made.branch()
            made.grow()
            made.switch()
        yield made


def test_failovers_are_followed(failovers: History, tool_drill: Drilling) -> None:
    """Recovery ends on timeline 3, with every row. The old one is there by its number."""
    source = failovers.repository.source()

    drilled = tool_drill(source, database="postgres")

    passed(drilled, failovers.rows)
    assert "recovery follows timelines 1 to 2 to 3" in drilled.result.record.notes
    passed(tool_drill(source, timeline=1, database="postgres"), 20)
    failed(tool_drill(source, timeline=7), "timeline 7 cannot be reached")


def test_a_missing_history_in_the_middle(failovers: History, tool_drill: Drilling) -> None:
    """PostgreSQL stops looking at the first number that is missing, and opens on timeline 1."""
    with failovers.without("00000002.history") as repository:
        failed(tool_drill(repository.source()), "00000002.history", "timeline = 3")


def test_only_the_history_of_a_failover_arrived(failovers: History, tool_drill: Drilling) -> None:
    """Timeline 2 begins where no WAL of timeline 1 is archived."""
    with failovers.without("0000000[23]????????????????-*") as repository:
        failed(tool_drill(repository.source()), "timeline 2 begins at")
