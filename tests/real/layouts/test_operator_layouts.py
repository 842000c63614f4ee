"""Backups in the layouts of Kubernetes operators, drilled from what a layout proposes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_pgrestore.cli.init.proposal import Proposal
from tests.layout_manifests import proposed
from tests.real.barman_newest import NEWEST
from tests.real.layouts.layout_drills import drill, words
from tests.real.layouts.operator_world import ROWS, OperatorWorld, operator_world
from tests.real.local_tools import Pgbackrest, Walg
from tests.real.local_tools import require as require_tool

pytestmark = pytest.mark.long

LAYOUTS = {
    "cluster-example": "prod/cluster-example/wals",
    "hippo": "pgbackrest/postgres-operator/hippo/repo1/archive",
    "hippo-directory": "pgbackrest/postgres-operator/hippo/repo1/archive",
    "acid-shop": "spilo/acid-shop",
    "acid-directory": "spilo/acid-shop",
    "demodb": "sgbackups.stackgres.io/shop/demodb",
}
"""Proposed source to the directory of its WAL in the bucket."""


@pytest.fixture(scope="module")
def world() -> Iterator[OperatorWorld]:
    """One production, backed up by the tool of each operator."""
    require_tool(Pgbackrest())
    require_tool(Walg())
    with operator_world() as made:
        yield made


@pytest.fixture(scope="module")
def proposals(world: OperatorWorld, tmp_path_factory: pytest.TempPathFactory) -> list[Proposal]:
    """What the layouts make of each operator's manifests, and of directories of its pods."""
    place = tmp_path_factory.mktemp("manifests")
    made = [
        proposed(layout, place, world.manifest(layout))
        for layout in ("cnpg", "pgo", "spilo", "stackgres")
    ]
    conf_d = (world.directory / "conf.d",)
    made.append(proposed("pgo", place, paths=conf_d, name="hippo-directory"))
    made.append(proposed("spilo", place, paths=(world.envdir(),), name="acid-directory"))
    assert [one.name for proposal in made for one in proposal.sources] == [
        *("cluster-example", "hippo", "acid-shop", "demodb", "hippo-directory", "acid-directory")
    ]
    return made


def environment(world: OperatorWorld) -> dict[str, str]:
    """Return the variables that the proposals ask for, and the operator's barman-cloud."""
    import os

    return {**world.variables, "PATH": f"{NEWEST}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def whole(
    world: OperatorWorld, proposals: list[Proposal], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """Evidence of a drill of each layout."""
    project = tmp_path_factory.mktemp("whole")
    return drill(project, proposals, environment(world), rows=ROWS)


@pytest.fixture(scope="module")
def broken(
    world: OperatorWorld,
    proposals: list[Proposal],
    whole: dict[str, dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, Any]]:
    """The same after the segment before the last one was lost in the store."""
    assert whole
    lost = f"{int(world.last, 16) - 1:024X}"
    for directory in set(LAYOUTS.values()):
        found = list((world.objects / directory).rglob(f"{lost}*"))
        assert found, directory
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    project = tmp_path_factory.mktemp("broken")
    return drill(project, proposals, environment(world), rows=ROWS)


@pytest.mark.parametrize("source", LAYOUTS)
def test_an_operators_backup_is_drilled_as_proposed(
    whole: dict[str, dict[str, Any]], source: str
) -> None:
    """The last row is there, and nobody edited a line."""
    assert whole[source]["verdict"] == "passed", words(whole[source])


@pytest.mark.parametrize("source", LAYOUTS)
def test_a_lost_segment_is_the_cause(broken: dict[str, dict[str, Any]], source: str) -> None:
    """A hole in the archive is the backup's fault, and the message names it."""
    assert broken[source]["verdict"] == "failed", words(broken[source])
    assert "missing" in words(broken[source])


def test_no_secret_is_in_a_proposal(world: OperatorWorld, proposals: list[Proposal]) -> None:
    """Manifests and directories have them; what is written has not."""
    assert world.store.secret not in repr(proposals)
