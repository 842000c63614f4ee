"""WAL-G prefixes with several timelines or clusters: what a default restore does, the way out."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.target import AtTime
from tests.real.tool_histories import History, Prefix, history
from tests.real.tool_worlds import could_not_verify, failed, passed
from tests.real.walg_worlds import WALG
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

pytestmark = [
    pytest.mark.skipif(WALG is None, reason="wal-g is not on PATH"),
    pytest.mark.long,
    pytest.mark.parametrize("tool_run", ["local"], indirect=True),
]


@pytest.fixture(scope="module")
def abandoned() -> Iterator[tuple[History, dict[str, AtTime]]]:
    """Production was put back to a moment before its newest backup, and has none since."""
    with history(Prefix) as world:
        world.grow()
        world.back_up("f1")
        world.grow()
        moments = {"before": world.moment()}
        world.switch()
        world.grow()
        moments["between"] = world.moment()
        world.grow(5)
        world.back_up("f2", "--full")
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
def stray() -> Iterator[History]:
    """A restore test promoted itself twice and archived; production wrote one segment since."""
    with history(Prefix) as world:
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


def test_a_stray_copy_that_archived(stray: History, tool_drill: Drilling) -> None:
    """A default restore follows the copy, and loses what production wrote since."""
    failed(tool_drill(stray.repository.source()), "timeline 3", "timeline = 1")
    passed(tool_drill(stray.repository.source(), timeline="current", database="postgres"), 30)


def test_a_missing_history_in_the_middle(stray: History, tool_drill: Drilling) -> None:
    """PostgreSQL stops looking at the first number that is missing, and opens on timeline 1."""
    with stray.without("00000002.history*") as repository:
        failed(tool_drill(repository.source()), "00000002.history", "timeline = 3")


@pytest.fixture(scope="module")
def replaced() -> Iterator[History]:
    """A new cluster archives under the prefix of the old one, and has no backup."""
    with history(Prefix) as world:
        for _ in range(6):
            world.switch()
        world.grow()
        world.back_up("old")
        world.back_up("delta")
        world.grow()
        world.switch()
        world.cluster.stop()
        world.new_cluster()
        world.start()
        world.switch()
        world.switch()
        yield world


def test_a_new_cluster_without_a_backup(replaced: History, tool_drill: Drilling) -> None:
    """A default restore brings the old cluster back without a word. To name its backup is green."""
    source, delta = replaced.repository.source, f'backup = "{replaced.labels["delta"]}"'

    failed(
        tool_drill(source()),
        "the newest WAL is that of another cluster",
        "system identifier",
        delta,
    )
    # By a directory of variables, as Spilo has them.
    place = replaced.directory / "env"
    place.mkdir()
    (place / "WALG_FILE_PREFIX").write_text(f"{replaced.directory}/store\n")
    by_envdir = source(env={}, envdir=str(place), backup=replaced.labels["delta"])
    passed(tool_drill(by_envdir, timeline=1, database="postgres"), 20)


def test_a_full_backup_that_is_gone(replaced: History, tool_drill: Drilling) -> None:
    """The delta is failed, and both are named, also where it is marked as permanent."""
    old, delta = replaced.labels["old"], replaced.labels["delta"]
    assert isinstance(replaced.repository, Prefix)
    replaced.repository.run(replaced.cluster, "backup-mark", delta)
    copy, _ = replaced.repository.copied()
    try:
        for path in (copy.directory / "store" / "basebackups_005").glob(f"{old}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

        failed(tool_drill(copy.source()), f"backup {delta} is a delta to {old}")
    finally:
        shutil.rmtree(copy.directory)


def test_wal_without_a_backup(replaced: History, tool_drill: Drilling) -> None:
    """Production archives there, so that no backup is there is a finding."""
    copy, _ = Prefix.copied(replaced.repository)  # type: ignore[arg-type]  # a Prefix, see the fixture
    try:
        shutil.rmtree(copy.directory / "store" / "basebackups_005")

        failed(tool_drill(copy.source()), "there is no backup in", "although WAL is archived there")
    finally:
        shutil.rmtree(copy.directory)


def test_a_prefix_that_is_one_directory_short(replaced: History, tool_drill: Drilling) -> None:
    """Spilo's ends in /wal/15. The hint names the variable, and what lies below."""
    directory = short_directory()
    try:
        (directory / "spilo" / "wal").mkdir(parents=True)
        shutil.copytree(
            Path(replaced.repository.source()._storage.location),  # type: ignore[attr-defined]  # of a Prefix
            directory / "spilo" / "wal" / "15",
        )
        short = {"WALG_FILE_PREFIX": str(directory / "spilo" / "wal")}

        could_not_verify(
            tool_drill(replaced.repository.source(env=short)),
            "neither a backup nor WAL of WAL-G",
            "correct WALG_FILE_PREFIX",
            "below it there are 15",
        )
    finally:
        shutil.rmtree(directory)
