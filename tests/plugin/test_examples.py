"""The examples are projects to copy; each is run as it stands, in containers.

Their backups are taken by the tools of this machine: a production server in a container would only
add time, and tests/real has all of those.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import short_directory
from tests.plugin.conftest import Drills, removed
from tests.project import ROOT
from tests.real.local_tools import (
    Barman,
    Commands,
    LocalTool,
    Pgbackrest,
    Walg,
    archiving,
    back_up_between,
    require,
)
from tests.real.runtimes import BACKUP_TOOLS, require_tool_images

pytestmark = pytest.mark.long  # in containers

RUNTIMES = ("docker",)
EXAMPLES = ROOT / "examples"
OURS = 'pull = false\nbuild_network = "host"\n'
"""The build of images reaches packages as this machine does."""

Taken = Callable[[LocalTool], Path]


@pytest.fixture
def backups() -> Iterator[Taken]:
    """A function that backs a server up with a tool; returns the directory of its backups."""
    with ExitStack() as stack:

        def _take(tool: LocalTool) -> Path:
            require(tool)
            require_tool_images()
            directory = short_directory()
            stack.callback(shutil.rmtree, directory)
            with archiving(tool, directory) as place:
                create = "create table {} as select generate_series(1, 100) id"
                back_up_between(
                    tool,
                    place,
                    lambda: place.cluster.sql(create.format("orders")),
                    lambda: place.cluster.sql(create.format("ledger")),
                )
            return directory

        yield _take


def lay_out(drills: Drills, name: str, *settings: str) -> None:
    """Copy an example; only settings of the sandbox are added."""
    for path in (EXAMPLES / name).iterdir():
        shutil.copy(path, drills.pytester.path)
    file = drills.pytester.path / "pgrestore.toml"
    text = file.read_text()
    assert "\n[" not in text.rpartition("[sandbox]")[2], "its last table is that of the sandbox"
    file.write_text(text + OURS + "".join(f"{line}\n" for line in settings))


TOOLS = f"packages = {list(BACKUP_TOOLS)}"
"""The image of tests/real, which is built already."""


def test_the_docker_example_runs(drills: Drills, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own settings."""
    lay_out(drills, "docker")
    place = drills.pytester.path / "backups"
    place.mkdir()
    (place / "base").symlink_to(drills.world.base)
    (place / "wal").symlink_to(drills.world.wal)
    monkeypatch.setenv("SHOP_BACKUPS", str(place))

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    record = drills.record("shop@latest")
    assert record.server is not None
    assert record.server.sandbox.startswith("docker, ")
    assert removed(record)


def test_the_pgbackrest_example_runs(
    drills: Drills, backups: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both repositories are drilled, the second one by the drill file alone."""
    lay_out(drills, "pgbackrest", TOOLS)
    directory = backups(Pgbackrest(repositories=2))
    monkeypatch.setenv("PGBACKREST_CONFIG_FILE", str(directory / "pgbackrest.conf"))

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    records = drills.evidence().drills
    assert sorted(record.drill for record in records) == ["shop.offsite@latest", "shop@latest"]
    assert all(removed(record) for record in records)


def test_the_walg_example_runs(
    drills: Drills, backups: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The binary is a file of the user's, mounted into the container."""
    lay_out(drills, "walg", TOOLS)
    monkeypatch.setenv("SHOP_BACKUPS", str(backups(Walg()) / Walg.kept))
    monkeypatch.setenv("WALG_BINARY", str(shutil.which("wal-g")))

    result = drills.run()

    assert result.ret == 0, result.stdout.str()


def test_the_barman_example_runs(
    drills: Drills, backups: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a home that a real Barman filled."""
    lay_out(drills, "barman", TOOLS)
    monkeypatch.setenv("BARMAN_CONF", str(backups(Barman()) / "barman.conf"))

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    record = drills.record("shop@latest")
    assert record.backup is not None
    assert record.backup.restored_by is not None
    assert record.backup.restored_by.startswith("Barman ")
    assert removed(record)


def test_the_command_example_runs(
    drills: Drills, backups: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backup is taken by the example's own script."""
    lay_out(drills, "command", TOOLS)
    directory = backups(Commands())
    monkeypatch.setenv("SHOP_COMMANDS", str(directory / "commands"))
    monkeypatch.setenv("SHOP_BACKUPS", str(directory / Commands.kept))
    monkeypatch.setenv("SHOP_WAL", str(directory / "wal"))

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
