"""pgBackRest: repositories, kinds of backup, targets, majors; exact rows around every point."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.system.account import server_account
from tests.real.pgbackrest_worlds import Backed, backed
from tests.real.production import digests
from tests.real.tool_worlds import by_major, could_not_verify
from tests.real.worlds import Drilled

Worlds = Callable[[int], Backed]
Drilling = Callable[..., Drilled]

POINTS = ("latest", "immediate", "time", "lsn", "xid", "xid exclusive", "name")
TABLE = [
    # The pgBackRest of this machine's distribution (2.45) supports servers up to 15.
    *(("local", 15, 1, None, point) for point in POINTS),
    ("local", 15, 2, None, "name"),
    ("local", 15, 1, "full1", "time"),
    ("local", 15, 1, "diff1", "latest"),
    ("docker", 15, 1, None, "latest"),
    ("docker", 15, 2, "full2", "lsn"),
    *(("docker", 17, 1, None, point) for point in POINTS),
    ("docker", 17, 2, None, "time"),
    ("docker", 17, 1, "full1", "xid"),
    ("docker", 17, 1, "diff1", "latest"),
    ("docker", 18, 1, None, "latest"),
    ("docker", 18, 1, "full1", "time"),
    ("docker", 18, 2, None, "name"),
]
"""Sandbox, major, repository, backup named (None: the newest that fits), target."""


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """Return the world of a major, built on first use; tests must not change it."""
    with by_major(backed) as world_of:
        yield world_of


@pytest.mark.parametrize(
    ("tool_run", "major", "repo", "kind", "point"),
    TABLE,
    ids=[f"{runtime}-{m}-repo{r}-{k or 'newest'}-{p}" for runtime, m, r, k, p in TABLE],
    indirect=["tool_run"],
)
def test_recovery_stops_exactly_there(
    worlds: Worlds, tool_drill: Drilling, major: int, repo: int, kind: str | None, point: str
) -> None:
    """The row before the point is there, the row after it is not, and no row is missing."""
    world = worlds(major)
    target, last = world.server.points[point]
    before = digests(world.repository(repo))

    drilled = tool_drill(
        world.source(repo, backup=world.labels[kind] if kind else None), target, database="postgres"
    )

    assert drilled.rows() == last
    for check in ("target reached", "quarantine", "archive", "page checksums in the backup"):
        assert drilled.verdict_of(check) == "passed"
    backup = drilled.result.record.backup
    assert backup is not None
    assert backup.label == world.labels[kind or ("incr1" if repo == 1 else "full2")]
    assert backup.restored_by is not None
    assert backup.restored_by.startswith("pgBackRest 2.")
    assert digests(world.repository(repo)) == before
    location = str(
        drilled.ask("select pg_tablespace_location(oid) from pg_tablespace where spcname = 'extra'")
    )
    assert not location.startswith(str(world.server.directory))


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A directory of production; the server's user may write to it."""
    place = short_directory()
    yield place
    shutil.rmtree(place)


@pytest.mark.parametrize(
    ("tool_run", "major"), [("local", 15), ("docker", 17)], indirect=["tool_run"]
)
def test_what_production_says_of_a_restore_is_not_done(
    worlds: Worlds, tool_drill: Drilling, major: int, tmp_path: Path, elsewhere: Path
) -> None:
    """Its file and variables name directories of production, and some databases only.

    `restore` would empty production's spool, too.
    """
    world = worlds(major)
    queued = elsewhere / "spool" / "archive" / "main" / "out" / "000000010000000000000001.ok"
    queued.parent.mkdir(parents=True)
    queued.touch()
    server_account().own_tree(elsewhere)
    text = world.config.read_text().replace(
        f"{world.server.directory}/spool", str(elsewhere / "spool")
    )
    config = tmp_path / "pgbackrest.conf"
    config.write_text(
        f"{text}\n[global:restore]\nlink-map=pg_wal={elsewhere}/wal\n"
        f"tablespace-map-all={elsewhere}/spaces\ndb-include=elsewhere\nlink-all=y\nforce=y\n"
    )
    said = {
        "PGBACKREST_PG1_PATH": str(elsewhere / "data"),
        "PGBACKREST_SPOOL_PATH": str(elsewhere / "spool"),
    }

    drilled = tool_drill(world.source(1, config=config, env=said), database="postgres")

    assert drilled.rows() == world.server.rows
    assert queued.exists()
    assert [path.name for path in elsewhere.iterdir()] == ["spool"]


@pytest.mark.parametrize("tool_run", ["local"], indirect=True)
def test_an_older_tool_verifies_too(worlds: Worlds, tool_drill: Drilling) -> None:
    """`verify` of 2.45 prints the same as that of 2.55."""
    assert tool_drill(worlds(15).source(2, verify=True)).verdict_of("pgbackrest verify") == "passed"


@pytest.mark.parametrize("tool_run", ["docker"], indirect=True)
def test_the_tool_of_this_machine_fills_a_container(worlds: Worlds, tool_drill: Drilling) -> None:
    """It is for a tool that no image has; the server still runs in its container."""
    world = worlds(15)

    drilled = tool_drill(world.source(2, tool_location="host"), database="postgres")

    assert drilled.rows() == world.server.rows
    record = drilled.result.record
    assert record.backup is not None
    assert record.backup.restored_by is not None
    assert record.backup.restored_by.startswith("pgBackRest 2.45, this machine, ")
    assert record.server is not None
    assert record.server.sandbox.startswith("docker, ")


@pytest.mark.parametrize("tool_run", ["local"], indirect=True)
def test_a_tool_that_is_too_old_for_the_server(worlds: Worlds, tool_drill: Drilling) -> None:
    """The backup is not to blame."""
    drilled = tool_drill(worlds(17).source(2))

    could_not_verify(drilled, "this pgBackRest is too old for the backup's PostgreSQL")
