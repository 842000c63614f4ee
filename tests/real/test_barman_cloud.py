"""barman-cloud: backups in an S3 store over TLS, restored to every kind of target; and what a store may answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from pytest_pgrestore.sandboxes.protocol import Run
from tests.real.barman_cloud import SECRET, Clouded, clouded, s3_store
from tests.real.production import digests
from tests.real.worlds import Drilled

Worlds = Callable[[int], Clouded]
Drilling = Callable[..., Drilled]

HOST_KNOWS = 15
"""Newest server that this machine's barman-cloud (3.4) is tried with."""

TABLE = [
    (15, None, "latest"),
    (15, "plain", "immediate"),
    (15, "plain", "xid"),
    (15, "gzip", "time"),
    (17, None, "lsn"),
    (17, "plain", "name"),
    (17, "gzip", "xid exclusive"),
]
"""Major, backup named (None: the newest that fits), target."""


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """Return the world of a major, built on first use, each with a store of its own."""
    with ExitStack() as stack:

        @cache
        def world_of(major: int) -> Clouded:
            return stack.enter_context(clouded(major, stack.enter_context(s3_store())))

        yield world_of


def possible(run: Run, major: int) -> None:
    """Leave out what this machine's own barman-cloud is too old for."""
    if type(run).__name__ == "LocalRun" and major > HOST_KNOWS:
        pytest.skip("the barman-cloud of this machine's distribution is older than this PostgreSQL")


@pytest.mark.parametrize(("major", "kind", "point"), TABLE, ids=[f"{m}-{k or 'newest'}-{p}" for m, k, p in TABLE])
def test_recovery_stops_exactly_there(
    worlds: Worlds, tool_run: Run, tool_drill: Drilling, major: int, kind: str | None, point: str
) -> None:
    """The row before the point is there, the row after it is not, and the store is as it was."""
    possible(tool_run, major)
    world = worlds(major)
    target, last = world.server.points[point]
    label = world.labels[kind or "gzip"]
    before = digests(world.store.directory)

    drilled = tool_drill(world.source(backup=kind and label), target, database="postgres")

    assert drilled.rows() == (world.rows[label] if point == "immediate" else last)
    for check in ("target reached", "quarantine", "archive"):
        assert drilled.verdict_of(check) == "passed"
    backup = drilled.result.record.backup
    assert backup is not None
    assert backup.label == label
    assert backup.restored_by is not None
    assert backup.restored_by.startswith("barman-cloud 3.")
    assert digests(world.store.directory) == before
