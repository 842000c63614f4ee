"""Two clusters under the name of one server: WAL tells which of them production is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pytest_pgrestore.demo.cluster import Cluster
from pytest_pgrestore.model.target import Immediate
from tests.real.barman_histories import History, history
from tests.real.barman_newest import CloudPlace, cloud_place
from tests.real.tool_worlds import failed
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("tool_run", ["local"], indirect=True),
]


@pytest.fixture(scope="module")
def moved() -> Iterator[History]:
    """A home whose server has a backup of the old cluster, and WAL of the new one.

    Barman has the first names of initdb's already: it moves the new files to ``errors``.
    """
    with history("shop") as world:
        world.grow()
        world.back_up("old")
        world.grow()
        world.switch()
        with world.another_cluster() as other:
            other.switch()
        yield world


def test_production_is_another_cluster(moved: History, tool_drill: Drilling) -> None:
    """The restore of the old one would be green; a backup that is named is restored."""
    label = f'backup = "{moved.labels["old"]}"'
    failed(tool_drill(moved.source()), "another cluster", "system identifier", label)

    named = tool_drill(moved.source(backup=moved.labels["old"]), Immediate(), database="postgres")
    assert named.rows() == 10
    assert named.result.record.verdict() == "passed", named.result.record.checks


@pytest.fixture(scope="module")
def clouds() -> Iterator[tuple[CloudPlace, Cluster]]:
    """A store with a cluster's backup, and another cluster, which was promoted once."""
    with cloud_place() as place:
        directory = place.cluster.directory.parent / "o"
        with Cluster.create(directory, place.cluster.programs.major) as other:
            other.stop()
            signal = other.data / "recovery.signal"
            signal.touch()
            other.programs.account.own(signal)
            other.start({"restore_command": "false"})
            other.switch_wal()
            yield place, other


def test_another_clusters_history_in_a_store(
    clouds: tuple[CloudPlace, Cluster], tool_drill: Drilling
) -> None:
    """A default restore follows it, and finds none of its own WAL there. `current` is green."""
    place, other = clouds
    kept = sorted(path.name for path in other.archive.iterdir())
    place.archived |= {name for name in kept if not name.startswith("00000002")}
    place.upload("reused", other.archive)
    place.grow()
    place.archived = {path.name for path in place.cluster.archive.iterdir()}
    place.backup("reused")
    place.grow()
    place.upload("reused")

    drilled = tool_drill(place.source("reused"))

    failed(drilled, "00000002.history is another cluster's", 'timeline = "current"')
    stays = tool_drill(place.source("reused"), timeline="current", database="postgres")
    assert stays.rows() == place.rows
    assert stays.result.record.verdict() == "passed", stays.result.record.checks

    place.archived = set(kept)
    other.switch_wal()
    place.upload("reused", other.archive)

    moved = tool_drill(place.source("reused"))

    failed(moved, "the newest WAL is that of another cluster", "system identifier")
