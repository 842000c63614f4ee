"""The table: methods of backup, kinds of target, majors; exact rows on both sides of every point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from pytest_pgrestore.sandboxes.protocol import Run
from tests.real.barman_worlds import Barmaned, barmaned
from tests.real.production import digests
from tests.real.worlds import Drilled

Worlds = Callable[[int], Barmaned]
Drilling = Callable[..., Drilled]

HOST_KNOWS = 15
"""Newest server whose home the Barman of this machine's distribution (3.4) can read: newer ones are Barman 3.13's."""

TABLE = [
    (15, "stream full", "latest"),
    (15, "stream full", "immediate"),
    (15, "stream full", "time"),
    (15, "rsync link", "xid"),
    (15, "rsync full", "lsn"),
    (15, "packed full", "name"),
    (15, "packed full", "xid exclusive"),
    (17, "stream block", "latest"),
    (17, "stream block", "time"),
    (17, "stream full", "name"),
    (17, "rsync link", "lsn"),
    (17, "packed full", "xid"),
    (18, "stream block", "xid exclusive"),
    (18, "rsync full", "immediate"),
    (18, "packed full", "latest"),
]
"""Major, server of Barman and kind of backup, target."""


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """Return the world of a major, built on first use; tests must not change it: copy what you damage."""
    with ExitStack() as stack:

        @cache
        def world_of(major: int) -> Barmaned:
            return stack.enter_context(barmaned(major))

        yield world_of


def possible(run: Run, major: int) -> None:
    """Leave out what this machine's own Barman cannot do; in its container every major is restored."""
    if type(run).__name__ == "LocalRun" and major > HOST_KNOWS:
        pytest.skip("the Barman of this machine's distribution is older than the home")


@pytest.mark.parametrize(("major", "kind", "point"), TABLE, ids=[f"{m}-{k}-{p}" for m, k, p in TABLE])
def test_recovery_stops_exactly_there(
    worlds: Worlds, tool_run: Run, tool_drill: Drilling, major: int, kind: str, point: str
) -> None:
    """The row before the point is there, the row after it is not, and none in between is missing."""
    possible(tool_run, major)
    world = worlds(major)
    target, last = world.server.points[point]
    label = world.labels[kind]
    before = digests(world.home)

    drilled = tool_drill(world.source(kind.partition(" ")[0], backup=label), target, database="postgres")

    assert drilled.rows() == (world.rows[label] if point == "immediate" else last)
    for check in ("target reached", "quarantine", "archive"):
        assert drilled.verdict_of(check) == "passed"
    backup = drilled.result.record.backup
    assert backup is not None
    assert backup.label == label
    assert backup.restored_by is not None
    assert backup.restored_by.startswith("Barman 3.")
    assert digests(world.home) == before
    location = str(drilled.ask("select pg_tablespace_location(oid) from pg_tablespace where spcname = 'extra'"))
    assert not location.startswith(str(world.server.directory))
