"""A restore that is kept for the next one: what pgBackRest's `--delta` changes and repairs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.model.objectives import Objectives, ObjectiveStatus
from pytest_pgrestore.sandboxes.local.run import LocalRun
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.pgbackrest.delta import MARKER, Kept
from pytest_pgrestore.sources.pgbackrest.source import PgbackrestSource
from tests.real.pgbackrest_worlds import Backed, backed
from tests.real.production import digests
from tests.real.worlds import Drilled, as_root

Drilling = Callable[..., Drilled]

NOBODY = 65534
ROOT_ONLY = pytest.mark.skipif(
    not as_root() and os.environ.get("CI") != "true", reason="only root can give a directory away"
)
SPACE = "select oid from pg_tablespace where spcname = 'extra'"


@pytest.fixture(scope="module")
def world(tool_run: Run) -> Iterator[Backed]:
    """A server with a tablespace and backups of every kind."""
    # This machine's pgBackRest supports servers up to 15.
    with backed(15 if isinstance(tool_run, LocalRun) else 17) as made:
        yield made


@pytest.fixture
def kept() -> Iterator[Kept]:
    """A directory for a kept restore; it does not exist yet."""
    above = short_directory()
    yield Kept(above / "kept")
    shutil.rmtree(above)


def test_the_second_restore_brings_what_changed(
    world: Backed, kept: Kept, tool_drill: Drilling
) -> None:
    """Right files stay, wrong ones are replaced, and files that the backup lacks are removed."""
    target, last = world.server.points["time"]
    older = world.source(backup=world.labels["full1"], delta=kept.directory)
    assert tool_drill(older, target, database="postgres").rows() == last
    # No file of a table, so it is the same in each backup.
    settled = kept.data / "postgresql.conf"
    written = settled.stat().st_ctime_ns
    table = next(
        path for path in kept.tablespaces.rglob("*") if path.is_file() and path.stat().st_size
    )
    with table.open("r+b") as file:
        file.seek(100)
        file.write(b"mouse")
    (kept.data / "foreign").write_text("left by somebody")
    (kept.tablespaces / "4711").mkdir()

    second = tool_drill(world.source(delta=kept.directory), database="postgres")

    assert second.rows() == world.server.rows
    backup = second.result.record.backup
    assert backup is not None
    assert backup.label == world.labels["incr1"]
    assert settled.stat().st_ctime_ns == written
    assert not (kept.data / "foreign").exists()
    assert [path.name for path in kept.tablespaces.iterdir()] == [str(world.server.value(SPACE))]


def test_no_server_runs_in_what_is_kept(world: Backed, kept: Kept, tool_drill: Drilling) -> None:
    """The restored server does not write to it, and the evidence reports that it stays."""
    drilled = tool_drill(world.source(delta=kept.directory), database="postgres")
    before = digests(kept.directory)

    assert drilled.result.access is not None
    with drilled.result.access.open() as connection:
        connection.execute("insert into ledger select generate_series(1000, 2000)")
        connection.commit()
        connection.autocommit = True
        connection.execute("checkpoint")

    assert digests(kept.directory) == before
    assert not (kept.data / "postmaster.pid").exists()
    assert any(str(kept.directory) in sentence for sentence in drilled.result.record.not_checked)
    assert drilled.verdict_of("quarantine") == "passed"


def test_its_time_is_not_judged(world: Backed, kept: Kept, tool_drill: Drilling) -> None:
    """A disaster leaves no files to restore onto; without `delta` the objective is met."""
    objectives = Objectives(rto=timedelta(hours=1))

    drilled = tool_drill(
        world.source(delta=kept.directory), database="postgres", objectives=objectives
    )
    target, _ = world.server.points["name"]
    plain = tool_drill(world.source(), target, database="postgres", objectives=objectives)

    assert drilled.result.record.rto.judgement is ObjectiveStatus.NOT_MEASURED
    assert "a disaster would not have" in drilled.result.record.rto.definition
    assert drilled.result.record.verdict() == "could not verify"
    assert plain.result.record.rto.judgement is ObjectiveStatus.MET
    assert plain.result.record.not_checked != drilled.result.record.not_checked


def filled(directory: Path) -> None:
    """Make a directory with files of a user."""
    directory.mkdir(mode=0o700)
    (directory / "PG_VERSION").write_text("15\n")


def foreign(directory: Path) -> None:
    """Make an empty directory of another user."""
    directory.mkdir()
    os.chown(directory, NOBODY, NOBODY)


def opened(directory: Path) -> None:
    """Make a kept directory that others may read."""
    Kept(directory).claim()
    directory.chmod(0o755)


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        pytest.param(filled, "holds files that are not ours", id="somebody's"),
        pytest.param(foreign, "belongs to another user", id="another's", marks=ROOT_ONLY),
        pytest.param(opened, "holds a copy of production, and others may read it", id="open"),
    ],
)
@pytest.mark.parametrize("tool_run", ["local"], indirect=True)
def test_a_directory_that_will_not_do(
    world: Backed, kept: Kept, tool_drill: Drilling, spoil: Callable[[Path], None], cause: str
) -> None:
    """The drill could not verify, and its files are unchanged."""
    spoil(kept.directory)
    before = digests(kept.directory)

    drilled = tool_drill(world.source(delta=kept.directory), database="postgres")

    assert cause in drilled.cause
    assert drilled.result.record.verdict() == "could not verify"
    assert digests(kept.directory) == before


@pytest.mark.parametrize("tool_run", ["local"], indirect=True)
def test_a_directory_that_cannot_be_made(world: Backed, kept: Kept, tool_drill: Drilling) -> None:
    """The parent directory is missing: probably a typo."""
    drilled = tool_drill(world.source(delta=kept.directory / "deeper"), database="postgres")

    assert "cannot be used: No such file or directory" in drilled.cause
    assert drilled.result.record.verdict() == "could not verify"


@pytest.mark.parametrize("tool_run", ["local"], indirect=True)
def test_one_drill_at_a_time(world: Backed, kept: Kept, tool_drill: Drilling) -> None:
    """Two restores into one directory would mix their files."""
    kept.claim()
    source = world.source(delta=kept.directory)
    hasty = PgbackrestSource("shop", source._table, timeout_seconds=0.1)

    target, last = world.server.points["name"]
    with FileLock(kept.directory / ".lock"):
        drilled = tool_drill(hasty, database="postgres")

    assert "another drill has used" in drilled.cause
    assert drilled.result.record.verdict() == "could not verify"
    assert (kept.directory / MARKER).is_file()
    assert tool_drill(source, target, database="postgres").rows() == last
