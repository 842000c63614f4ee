"""A run that is killed, at any moment and by any signal, leaves nothing of its copy.

It disturbs nobody. The moments are chosen at random. PGRESTORE_TEST_SEED repeats a choice; the
output has the seed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.verdict import Verdict
from tests.plugin.conftest import removed
from tests.plugin.killing import DEADLINE_SECONDS, LAST, PHASES, Kill, Project, kill, some, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plugin.conftest import World

pytestmark = pytest.mark.long  # dozens of runs, most of them to be killed

RUNTIMES = ("local", "docker")
PROCESSES = ("plain", "controller", "worker")
SIGNALS = (signal.SIGTERM, signal.SIGKILL, signal.SIGINT)
SEED = int(os.environ.get("PGRESTORE_TEST_SEED") or random.SystemRandom().randrange(10**6))
AT_ONCE = 3
"""Runs killed side by side."""

PLAIN_KILLS = {"local": len(PHASES), "docker": 8}
"""Of a run of one process."""

XDIST_KILLS = {"local": 6, "docker": 3}
"""Of a controller, and of a worker: under xdist each run is three processes."""


def chosen(runtime: str, where: str) -> list[Kill]:
    """Return the kills of one kind of process: random moments, each signal equally often."""
    chance = random.Random(f"{SEED} {runtime} {where}")  # noqa: S311 - repeatable, not secret
    # At the beginning there is no worker yet, or one that xdist is still talking to: that is an
    # internal error of xdist, status 3.
    phases = [phase for phase in PHASES if (phase, where) != ("begin", "worker")]
    chance.shuffle(phases)
    signals = list(SIGNALS)
    chance.shuffle(signals)
    kept = phases[: PLAIN_KILLS[runtime] if where == "plain" else XDIST_KILLS[runtime]]
    return [
        Kill(runtime, where, phase, signals[index % len(signals)])
        for index, phase in enumerate(kept)
    ]


@pytest.fixture
def places() -> Iterator[tuple[Path, Path]]:
    """Two places for copies; nothing may be left in them."""
    both = short_directory(), short_directory()
    yield both
    for place in both:
        left = sorted(place.glob("pgrestore-*/*")) + sorted(place.glob("pgrestore-*/.*"))
        subprocess.run(["rm", "-rf", str(place)], check=True)
        assert left == []


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nothing_is_left_of_a_killed_run_and_others_go_on(
    runtime: str, world: World, places: tuple[Path, Path], tmp_path: Path
) -> None:
    """Kill runs of one process, controllers and workers, at every phase.

    Beside the kills two other runs go on, one below the same base, where the process of somebody
    else has its working directory too.
    """
    print(f"PGRESTORE_TEST_SEED={SEED}")  # noqa: T201 - to repeat a failure
    here, elsewhere = places
    living = [
        Project(tmp_path / "live", world, here, runtime),
        Project(tmp_path / "other", world, elsewhere, runtime),
    ]
    kills = [kill for where in PROCESSES for kill in chosen(runtime, where)]
    victims = [
        Project(tmp_path / f"victim{number}", world, here, runtime)
        for number, _ in enumerate(kills)
    ]
    with subprocess.Popen(["sleep", "600"], cwd=here) as stranger:
        try:
            for project in living:
                project.start()
            for project in living:
                until(partial(project.reached, "test"), "the live runs")
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(check_kill, victims, kills))
            for project in living:
                project.go()
            statuses = [project.child.wait(DEADLINE_SECONDS) for project in living]

            assert statuses == [0, 0], living[0].output + living[1].output
            assert [project.evidence().verdict() for project in living] == [Verdict.PASSED] * 2
            assert stranger.poll() is None
        finally:
            stranger.kill()
            for project in (*living, *victims):
                project.finish()


def test_a_test_that_hangs_loses_its_copy_at_the_time_limit(
    world: World, places: tuple[Path, Path], tmp_path: Path
) -> None:
    """The process lives on; what its tests find later does not count against the backup."""
    project = Project(tmp_path / "hangs", world, places[0])
    try:
        project.start("--pgrestore-max-lifetime=6s")
        until(lambda: project.reached("test"), "the test")
        root = project.root
        assert root is not None
        until(lambda: not some(root, "drills/*"), "the time limit")
        hung = project.child.poll() is None
        project.go()
        status = project.child.wait(DEADLINE_SECONDS)
    finally:
        project.finish()

    assert hung
    assert (status, project.remains()) == (6, []), project.output
    (record,) = project.evidence().drills
    assert record.verdict() is Verdict.COULD_NOT_VERIFY
    assert removed(record)
    told = next(check for check in record.checks if check.name == "time limit")
    assert (
        told.message == "the time limit of 0:00:06 passed, and every copy of this run was removed"
    )


def check_kill(project: Project, wanted: Kill) -> None:
    """Kill one run, and check what it left and reported."""
    status = kill(project, wanted)
    try:
        until(lambda: not project.remains(), f"everything of {wanted}")
    finally:
        assert project.remains() == [], f"{wanted}, PGRESTORE_TEST_SEED={SEED}\n{project.output}"
    message = f"{wanted} ended with {status}, PGRESTORE_TEST_SEED={SEED}\n{project.output}"
    assert status in expected_statuses(wanted), message
    if status < 0:
        return
    evidence = project.evidence()
    assert all(removed(record) for record in evidence.drills), message
    if status == 0:
        assert evidence.verdict() is Verdict.PASSED, message
        return
    assert evidence.verdict() is Verdict.COULD_NOT_VERIFY, message
    if status == pytest.ExitCode.INTERRUPTED:
        assert evidence.problems[0].startswith("the run was interrupted"), message
        assert (
            "interrupted" in (project.directory / "pgrestore-report" / "junit.xml").read_text()
        ), message


def expected_statuses(wanted: Kill) -> set[int]:
    """Return the exit statuses that a kill may lead to.

    A run whose tests have all ended may end as if nobody had killed it.
    """
    late = {0} if wanted.phase in LAST else set()
    if wanted.number != signal.SIGKILL:
        return {2} | late
    return {6} | late if wanted.where == "worker" else {-signal.SIGKILL} | late
