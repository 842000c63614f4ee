"""A failover in production: a drill follows the new timeline, or stays on the one it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pytest_pgrestore.system.waiting import wait_until
from tests.real.pgbackrest_worlds import STANZA, Backed, backed
from tests.real.runtimes import DEADLINE_SECONDS
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

pytestmark = pytest.mark.parametrize("tool_run", ["docker"], indirect=True)


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Backed, int]]:
    """A server that came back on a new timeline, and the rows it had before."""
    with backed(17) as made:
        server, before = made.server, made.server.rows
        tool = f"pgbackrest --config={made.config} --stanza={STANZA}"
        server.stop()
        server.run("touch", str(server.data / "recovery.signal"))
        server.start(
            {
                "archive_command": f"{tool} archive-push %p",
                "restore_command": f"{tool} archive-get %f %p",
            },
        )
        wait_until(
            lambda: not server.value("select pg_is_in_recovery()"),
            what="the promotion",
            timeout_seconds=DEADLINE_SECONDS,
        )
        server.grow(5)
        server.archived()
        yield made, before


@pytest.mark.parametrize("repo", [1, 2])
def test_latest_follows_production(
    world: tuple[Backed, int], tool_drill: Drilling, repo: int
) -> None:
    """The history is read from the repository, encrypted or not; the old timeline is no error."""
    made, _ = world

    drilled = tool_drill(made.source(repo), database="postgres")

    assert drilled.rows() == made.server.rows
    assert drilled.verdict_of("target reached") == "passed"
    assert "recovery follows timelines 1 to 2" in drilled.result.record.notes
    recovered = drilled.result.record.recovered_to
    assert recovered is not None
    assert recovered.timeline == 2


def test_the_old_timeline_by_name(world: tuple[Backed, int], tool_drill: Drilling) -> None:
    """As far as it went."""
    made, before = world

    drilled = tool_drill(made.source(1), timeline=1, database="postgres")

    assert drilled.rows() == before


def test_a_timeline_that_is_not_there(world: tuple[Backed, int], tool_drill: Drilling) -> None:
    """A typo restores other rows."""
    drilled = tool_drill(world[0].source(1), timeline=7)

    assert "timeline 7 cannot be reached" in drilled.cause
