"""Barman homes with more than one timeline: what a default restore would do, and the way out."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_pgrestore.model.target import AtName, AtTime
from tests.real.barman_histories import History, history, seconds_later
from tests.real.tool_worlds import could_not_verify, failed
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("tool_run", ["local"], indirect=True),
]


@contextmanager
def home_without(world: History, pattern: str) -> Iterator[Path]:
    """Copy the home without WAL that fits the pattern; yields its configuration."""
    config = world.copied(pattern)
    try:
        yield config
    finally:
        shutil.rmtree(config.parent)


def passed(drilled: Drilled, rows: int) -> None:
    """Assert a green drill with these rows."""
    assert drilled.rows() == rows
    assert drilled.result.record.verdict() == "passed", drilled.result.record.checks


@pytest.fixture(scope="module")
def failovers() -> Iterator[History]:
    """Two power failures, each with a promotion; one backup, taken before them."""
    with history("failovers") as first:
        made = first
        made.grow()
        made.back_up("a")
        made.grow()
        made.switch()
        made.grow(5)
        made.crash()
        for _ in range(2):
            made = made.branch()
            made.grow()
            made.switch()
            made.crash()
        yield made


def test_failovers_are_followed(failovers: History, tool_drill: Drilling) -> None:
    """Recovery ends on timeline 3, with every row."""
    passed(tool_drill(failovers.source(), database="postgres"), failovers.rows)


def test_a_missing_history_in_the_middle(failovers: History, tool_drill: Drilling) -> None:
    """PostgreSQL stops looking at the first number that is missing, and opens on timeline 1."""
    with home_without(failovers, "00000002.history") as config:
        drilled = tool_drill(failovers.source(config=str(config)))

    failed(drilled, "00000002.history", "timeline = 3")


def test_only_the_history_of_a_failover_arrived(failovers: History, tool_drill: Drilling) -> None:
    """Timeline 2 begins where no WAL of timeline 1 is archived."""
    with home_without(failovers, "0000000[23]????????????????") as config:
        drilled = tool_drill(failovers.source(config=str(config)))

    failed(drilled, "timeline 2 begins at")


@pytest.fixture(scope="module")
def abandoned() -> Iterator[tuple[History, dict[str, AtTime]]]:
    """Production was put back to a moment before its newest backup, and has none since."""
    with history("abandoned") as world:
        world.grow()
        world.back_up("f1")
        world.grow()
        moments = {"before": world.moment()}
        seconds_later(world.cluster, moments["before"].when)
        world.switch()
        world.grow()
        moments["between"] = world.moment()
        seconds_later(world.cluster, moments["between"].when)
        world.grow(5)
        world.cluster.restore_point("before_f2")
        world.back_up("f2")
        world.grow(5)
        world.switch()
        world.crash()
        live = world.branch("f1", moments["before"])
        try:
            live.grow(50)
            moments["later"] = live.moment()
            seconds_later(live.cluster, moments["later"].when)
            live.grow(30)
            live.switch()
        finally:
            live.cluster.stop()
            shutil.rmtree(live.cluster.directory)
        yield live, moments


def test_the_newest_backup_is_on_a_branch_that_production_left(
    abandoned: tuple[History, dict[str, AtTime]], tool_drill: Drilling
) -> None:
    """A default restore is FATAL, and the hint names the older backup, which is green."""
    world, moments = abandoned

    drilled = tool_drill(world.source())

    failed(drilled, "timeline 2", f'backup = "{world.labels["f1"]}"')
    older = tool_drill(world.source(backup=world.labels["f1"]), database="postgres")
    passed(older, world.rows)
    later = tool_drill(world.source(), moments["later"], database="postgres")
    passed(later, 70)
    assert later.result.record.backup is not None
    assert later.result.record.backup.label == world.labels["f1"]
    assert "passed over: not on the timeline" in str(later.result.record)


def test_a_moment_on_two_timelines(
    abandoned: tuple[History, dict[str, AtTime]], tool_drill: Drilling
) -> None:
    """Nobody but the user can say which one is meant."""
    world, moments = abandoned

    twice = tool_drill(world.source(), moments["between"])
    could_not_verify(twice, "exists on two timelines", "timeline = 1")
    meant = tool_drill(world.source(), moments["between"], timeline=1, database="postgres")
    passed(meant, 30)


def test_an_older_backup_for_a_name(
    abandoned: tuple[History, dict[str, AtTime]], tool_drill: Drilling
) -> None:
    """The newest backup on the timeline ends after the restore point: the one before reaches it."""
    world, _ = abandoned

    drilled = tool_drill(world.source(), AtName("before_f2"), timeline=1, database="postgres")

    passed(drilled, 35)
    assert drilled.result.record.backup is not None
    assert drilled.result.record.backup.label == world.labels["f1"]


@pytest.fixture(scope="module")
def stray() -> Iterator[History]:
    """A restore test promoted itself and archived; production wrote one more segment since."""
    with history("stray") as world:
        world.grow()
        world.back_up("f1")
        world.grow()
        world.switch()
        other = world.branch("f1")
        try:
            other.grow(1)
            other.switch()
        finally:
            other.cluster.stop()
            shutil.rmtree(other.cluster.directory)
        world.grow()
        world.switch()
        yield world


def test_a_stray_timeline(stray: History, tool_drill: Drilling) -> None:
    """A default restore follows it. The timeline that the hint names is green."""
    failed(tool_drill(stray.source()), "timeline 2", "timeline = 1")
    passed(tool_drill(stray.source(), timeline=1, database="postgres"), 30)


def test_a_stray_timeline_and_a_new_backup(stray: History, tool_drill: Drilling) -> None:
    """A default restore of the new backup is FATAL. The hint's `current` is green."""
    stray.back_up("f2")
    stray.grow()
    stray.switch()

    failed(tool_drill(stray.source()), "timeline 2", 'timeline = "current"')
    passed(tool_drill(stray.source(), timeline="current", database="postgres"), stray.rows)
