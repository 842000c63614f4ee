"""WAL-G prefixes with several clusters, or incomplete ones. Timelines: test_tool_timelines."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import short_directory
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
