"""Repositories of tools with more than one timeline: what a default restore does, the way out.

The same worlds for each tool. Barman has its own, in test_barman_timelines.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.model.target import AtTime
from tests.real.scripted_history import Scripts
from tests.real.tool_histories import History, Prefix, Repository, Stanza, history
from tests.real.tool_worlds import could_not_verify, failed, passed
from tests.real.walg_worlds import WALG
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("tool_run", ["local"], indirect=True),
]

without_walg = pytest.mark.skipif(WALG is None, reason="wal-g is not on PATH")


@pytest.fixture(
    scope="module",
    params=[Stanza, pytest.param(Prefix, marks=without_walg), Scripts],
    ids=["pgbackrest", "walg", "command"],
)
def kind(request: pytest.FixtureRequest) -> Callable[[Path], Repository]:
    """Makes a repository."""
    made: Callable[[Path], Repository] = request.param
    return made


@pytest.fixture(scope="module")
def abandoned(kind: Callable[[Path], Repository]) -> Iterator[tuple[History, dict[str, AtTime]]]:
    """Production was put back to a moment before its newest backup, and has none since."""
    with history(kind) as world:
        world.grow()
        world.back_up("f1")
        world.grow()
        moments = {"before": world.moment()}
        world.switch()
        world.grow()
        moments["between"] = world.moment()
        world.grow(5)
        world.back_up("f2", *(["--full"] if kind is Prefix else []))
        world.grow(5)
        world.switch()
        world.cluster.stop()
        live = world.branch("f1", moments["before"].when)
        try:
            live.grow(50)
            moments["later"] = live.moment()
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
    older = world.labels["f1"]

    failed(tool_drill(world.repository.source()), "timeline 2", f'backup = "{older}"')
    passed(tool_drill(world.repository.source(backup=older), database="postgres"), 100)
    later = tool_drill(world.repository.source(), moments["later"], database="postgres")
    passed(later, 70)
    assert later.result.record.backup is not None
    assert later.result.record.backup.label == older
    assert "passed over: not on the timeline" in later.result.record.backup.selection


def test_a_moment_on_two_timelines(
    abandoned: tuple[History, dict[str, AtTime]], tool_drill: Drilling
) -> None:
    """Nobody but the user can say which one is meant."""
    world, moments = abandoned
    source = world.repository.source

    twice = tool_drill(source(), moments["between"])
    could_not_verify(twice, "exists on two timelines", "timeline = 1")
    meant = tool_drill(source(), moments["between"], timeline=1, database="postgres")
    passed(meant, 30)


@pytest.fixture(scope="module")
def stray(kind: Callable[[Path], Repository]) -> Iterator[History]:
    """A restore test promoted itself twice and archived; production wrote one segment since."""
    with history(kind) as world:
        world.grow()
        world.back_up("f1")
        world.grow()
        world.switch()
        copy = world.branch("f1")
        try:
            copy.grow(1)
            copy.switch()
            copy.crash()
            copy.branch().switch()
        finally:
            copy.cluster.stop()
            shutil.rmtree(copy.cluster.directory)
        world.grow()
        world.switch()
        yield world


def test_a_missing_history_in_the_middle(stray: History, tool_drill: Drilling) -> None:
    """PostgreSQL stops looking at the first number that is missing, and opens on timeline 1."""
    with stray.without("00000002.history*") as repository:
        failed(tool_drill(repository.source()), "00000002.history", "timeline = 3")


def test_a_stray_copy_that_archived(stray: History, tool_drill: Drilling) -> None:
    """A default restore follows the copy, and loses what production wrote since.

    After a new backup it is FATAL. The same setting makes both green.
    """
    source = stray.repository.source()

    failed(tool_drill(source), "timeline 3", "timeline = 1")
    passed(tool_drill(source, timeline="current", database="postgres"), 30)
    stray.back_up("f2", *(["--full"] if isinstance(stray.repository, Prefix) else []))
    stray.grow()
    stray.switch()
    failed(tool_drill(stray.repository.source()), "timeline 3", 'timeline = "current"')
    passed(tool_drill(stray.repository.source(), timeline=1, database="postgres"), 40)
