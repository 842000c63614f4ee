"""pgBackRest: every compression, a backup from a standby, and a backup of damaged pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.real.pgbackrest_worlds import COMPRESSIONS, Kinds, kinds
from tests.real.production import digests
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

MAJOR = 17
pytestmark = pytest.mark.parametrize("tool_run", ["docker"], indirect=True)


@pytest.fixture(scope="module")
def world() -> Iterator[Kinds]:
    """A server with a standby, and backups of every kind."""
    with kinds(MAJOR) as made:
        yield made


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_compression_is_restored(
    world: Kinds, tool_drill: Drilling, compression: str
) -> None:
    """The backup and the WAL after it have that compression."""
    endings = {path.suffix for path in world.repository(1).glob("archive/main/*/*/0*-*")}
    assert endings == {"", ".gz", ".bz2", ".lz4", ".zst"}
    before = digests(world.repository(1))

    drilled = tool_drill(world.source(1, backup=world.labels[compression]), database="postgres")

    assert drilled.rows() == world.server.rows
    assert drilled.verdict_of("target reached") == "passed"
    assert drilled.verdict_of("page checksums in the backup") == "passed"
    assert digests(world.repository(1)) == before


def test_a_backup_from_a_standby(world: Kinds, tool_drill: Drilling) -> None:
    """Its configuration names two servers; only the drill's data directory is written to."""
    drilled = tool_drill(
        world.source(1, backup=world.labels["standby"], config=world.standby_config),
        database="postgres",
    )

    assert drilled.rows() == world.server.rows
    assert drilled.verdict_of("target reached") == "passed"


def test_production_stopped_by_an_operator_does_not_stop_a_drill(
    world: Kinds, tool_drill: Drilling
) -> None:
    """`pgbackrest stop` writes to production's lock directory; a drill has its own."""
    world.tool("stop")
    try:
        drilled = tool_drill(world.source(1), database="postgres")
    finally:
        world.tool("start")

    assert drilled.rows() == world.server.rows


def test_pages_that_were_damaged_when_they_were_backed_up(
    world: Kinds, tool_drill: Drilling
) -> None:
    """`restore` ends with status 0 for it, and so does `info`."""
    drilled = tool_drill(world.source(2), database="postgres")

    assert drilled.result.record.verdict() == "failed"
    assert drilled.verdict_of("page checksums in the backup") == "failed"
    assert world.labels["damaged"] in drilled.message_of("page checksums in the backup")
    assert world.damaged in drilled.message_of("page checksums in the backup")
    assert drilled.rows() == world.server.rows
