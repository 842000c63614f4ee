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


@pytest.fixture(scope="module", params=["initdb", "pg_upgrade"])
def moved(request: pytest.FixtureRequest) -> Iterator[History]:
    """A home whose server has a backup of the old cluster, and WAL of the new one.

    Barman has the first names of initdb's already: it moves the new files to ``errors``.
    """
    with history("shop") as world:
        world.grow()
        world.back_up("old")
        world.grow()
        world.switch()
        last = max(path.name for path in world.archive.iterdir() if len(path.name) == 24)
        first = f"{int(last, 16) + 1:024X}" if request.param == "pg_upgrade" else ""
        with world.another_cluster(first) as other:
            for _ in range(2):
                other.grow()
                other.switch()
        yield world


def test_production_is_another_cluster(moved: History, tool_drill: Drilling) -> None:
    """The restore of the old one would be green; a backup that is named is restored."""
    failed(tool_drill(moved.source()), "production has no backup", "system identifier")

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
    place.upload("reused", other.archive)
    place.archived.clear()
    place.backup("reused")
    place.grow()
    place.upload("reused")

    drilled = tool_drill(place.source("reused"))

    failed(drilled, "00000002.history is another cluster's", 'timeline = "current"')
    stays = tool_drill(place.source("reused"), timeline="current", database="postgres")
    assert stays.rows() == place.rows
    assert stays.result.record.verdict() == "passed", stays.result.record.checks

    place.archived.clear()
    other.switch_wal()
    other_new = max(path.name for path in other.archive.iterdir() if len(path.name) == 24)
    place.archived |= {path.name for path in other.archive.iterdir()} - {other_new}
    place.upload("reused", other.archive)

    moved = tool_drill(place.source("reused", backup=None))

    failed(moved, "production has no backup", "system identifier")
