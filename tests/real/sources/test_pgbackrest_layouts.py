"""Where pgBackRest's configuration may be: the evidence names the repository that was read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.checks import repository
from pytest_pgrestore.demo.cluster import short_directory
from pytest_pgrestore.restore.attempt import listing_path
from pytest_pgrestore.sandboxes.protocol import Run
from tests.real.tool_histories import History, Stanza, history
from tests.real.tool_worlds import could_not_verify, passed
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("tool_run", ["local"], indirect=True),
]


@pytest.fixture(scope="module")
def world() -> Iterator[History]:
    """A production with one backup."""
    with history(Stanza) as made:
        made.grow()
        made.back_up("only")
        made.switch()
        yield made


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for configuration files."""
    directory = short_directory()
    yield directory
    shutil.rmtree(directory)


def conf_d(world: History, place: Path) -> dict[str, object]:
    """Return the keys for PGO's layout: conf.d with the instance's file and that of a Secret."""
    text = (world.directory / "pgbackrest.conf").read_text()
    lines = text.splitlines(keepends=True)
    place_line = next(line for line in lines if line.startswith("repo1-path"))
    (place / "pgbackrest_instance.conf").write_text(text.replace(place_line, ""))
    (place / "repo.conf").write_text(f"[global]\n{place_line}")
    return {"config": str(place)}


def base_directory(world: History, place: Path) -> dict[str, object]:
    """Return the keys for a variable that names what /etc/pgbackrest is elsewhere."""
    shutil.copy(world.directory / "pgbackrest.conf", place)
    return {"config": None, "env": {"PGBACKREST_CONFIG_PATH": str(place)}}


def variables(world: History, place: Path) -> dict[str, object]:
    """Return the keys for a configuration of variables alone, whatever this machine has in /etc."""
    del place
    env = {
        "PGBACKREST_REPO1_PATH": str(world.directory / "repo"),
        "PGBACKREST_LOG_LEVEL_FILE": "off",
    }
    return {"config": None, "env": env}


@pytest.mark.parametrize("layout", [conf_d, base_directory, variables])
def test_the_evidence_names_the_repository_that_was_read(
    world: History,
    place: Path,
    tool_run: Run,
    tool_drill: Drilling,
    layout: Callable[[History, Path], dict[str, object]],
) -> None:
    """Location, files that were compared, and network are those of this repository."""
    drilled = tool_drill(world.repository.source(**layout(world, place)), database="postgres")

    passed(drilled, 10)
    record = drilled.result.record
    assert record.backup is not None
    assert record.backup.location == f"repo1: {world.directory}/repo"
    assert not any("had the network" in note for note in record.notes)
    (check,) = repository.look_again(listing_path(tool_run, record.drill))
    assert check.verdict.value == "passed"
    assert not check.message.startswith("0 files")


def test_a_kept_directory_in_the_repository(world: History, tool_drill: Drilling) -> None:
    """A drill never writes there, and the restore of a drill is no part of a repository."""
    inside = world.directory / "repo" / "kept"

    could_not_verify(
        tool_drill(world.repository.source(delta=str(inside))),
        "lie in each other",
        "outside of the repository",
    )
    assert not inside.exists()
