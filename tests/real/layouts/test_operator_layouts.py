"""Backups in the layouts of Kubernetes operators, drilled from what `init --from` prints."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.barman_newest import NEWEST
from tests.real.layouts.layout_drills import drill, printed, words
from tests.real.layouts.operator_world import ROWS, OperatorWorld, operator_world
from tests.real.local_tools import Pgbackrest, Walg
from tests.real.local_tools import require as require_tool

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Case:
    """What the user gives.

    Attributes:
        layout: Name of the layout.
        wal: Directory of its WAL in the bucket.
        given: ``manifest``, or the directory that is a copy of the pod's.
        variables: Those that the user sets.
    """

    layout: str
    wal: str
    given: str
    variables: tuple[str, ...] = ()


KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
ARCHIVE = "pgbackrest/postgres-operator/hippo/repo1/archive"
CASES = {
    "cnpg": Case("cnpg", "prod/cluster-example/wals", "manifest", (*KEYS, "AWS_CA_BUNDLE")),
    "pgo": Case(
        "pgo",
        ARCHIVE,
        "manifest",
        ("PGBACKREST_REPO1_S3_KEY", "PGBACKREST_REPO1_S3_KEY_SECRET"),
    ),
    "pgo-conf.d": Case("pgo", ARCHIVE, "conf.d"),
    "spilo": Case("spilo", "spilo/acid-shop", "manifest", KEYS),
    "spilo-envdir": Case("spilo", "spilo/acid-shop", "env"),
    "stackgres": Case(
        "stackgres",
        "sgbackups.stackgres.io/shop/demodb",
        "manifest",
        (*KEYS, "WALG_S3_CA_CERT_FILE"),
    ),
}


@pytest.fixture(scope="module")
def world() -> Iterator[OperatorWorld]:
    """One production, backed up by the tool of each operator."""
    require_tool(Pgbackrest())
    with operator_world() as made:
        made.envdir()
        yield made


def require(case: Case) -> None:
    """Skip without the tool of the operator."""
    if case.layout in {"spilo", "stackgres"}:
        require_tool(Walg())


def project_of(world: OperatorWorld, case: Case, directory: Path) -> tuple[Path, dict[str, str]]:
    """Return a project with the printed settings, and the variables it is run with."""
    if case.given == "manifest":
        given = directory / "manifest.yaml"
        given.write_text(world.manifest(case.layout))
    else:
        given = world.directory / case.given
    environment = {"PATH": f"{NEWEST}:{os.environ['PATH']}", "PGRESTORE_RUNTIME": "local"}
    environment |= {name: world.variables[name] for name in case.variables}
    text = printed(case.layout, given, environment=environment)
    assert world.store.secret not in text
    project = directory / "project"
    project.mkdir()
    (project / "pgrestore.toml").write_text(text)
    return project, environment


@pytest.mark.parametrize("name", CASES)
def test_an_operators_backup_is_drilled_as_printed(
    world: OperatorWorld, tmp_path: Path, name: str
) -> None:
    """The last row is there, nobody edited a line, and no secret is in it."""
    require(CASES[name])
    project, environment = project_of(world, CASES[name], tmp_path)

    record = drill(project, environment, rows=ROWS)

    assert record["verdict"] == "passed", words(record)


@pytest.mark.parametrize("name", ["cnpg", "pgo", "spilo", "stackgres"])
def test_a_lost_segment_is_the_cause(world: OperatorWorld, tmp_path: Path, name: str) -> None:
    """A hole in the archive is the backup's fault, and the message names it."""
    case = CASES[name]
    require(case)
    project, environment = project_of(world, case, tmp_path)
    lost = f"{int(world.last, 16) - 1:024X}"
    found = list((world.objects / case.wal).rglob(f"{lost}*"))
    assert found
    for path in found:
        shutil.move(path, tmp_path)
    try:
        record = drill(project, environment, rows=ROWS)
    finally:
        for path in found:
            shutil.move(tmp_path / path.name, path)

    assert record["verdict"] == "failed", words(record)
    assert "missing" in words(record)
