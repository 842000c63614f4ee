"""The examples are projects to copy; each one is run as it is."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import evidence_in, removed, run_pytest, use_sandbox
from tests.project import ROOT
from tests.real.barman_worlds import barmaned
from tests.real.pgbackrest_worlds import backed
from tests.real.production import production
from tests.real.runtimes import BACKUP_TOOLS, environment_of
from tests.real.walg_worlds import WALG, pushed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Drills

EXAMPLES = ROOT / "examples"
RUNTIMES = ("docker",)


def laid_out(pytester: pytest.Pytester, name: str) -> Path:
    """Copy an example as it is, and return the path of its settings file."""
    for path in (EXAMPLES / name).iterdir():
        shutil.copy(path, pytester.path)
    return pytester.path / "pgrestore.toml"


def test_the_docker_example_runs(drills: Drills, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own settings; the base image and the network of the build are those of the tests."""
    settings = laid_out(drills.pytester, "docker")
    backups = drills.pytester.path / "backups"
    backups.mkdir()
    (backups / "base").symlink_to(drills.world.base)
    (backups / "wal").symlink_to(drills.world.wal)
    monkeypatch.setenv("SHOP_BACKUPS", str(backups))
    monkeypatch.setenv("PGRESTORE_BASE_IMAGE", environment_of("docker")["PGRESTORE_BASE_IMAGE"])
    settings.write_text(settings.read_text() + 'build_network = "host"\npull = false\n')

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    record = drills.record("shop@latest")
    assert record.server is not None
    assert record.server.sandbox.startswith("docker, ")
    assert removed(record)


def prepared(pytester: pytest.Pytester, name: str) -> None:
    """Copy an example; base image, packages and network of the build are those of the tests."""
    settings = laid_out(pytester, name)
    mine = (
        f'pull = false\nbuild_network = "host"\ntool_network = "host"\n'
        f"packages = {list(BACKUP_TOOLS)}\n"
    )
    assert settings.read_text().rstrip().rpartition("[sandbox]")[2].count("[") == 0
    settings.write_text(settings.read_text() + mine)


def test_the_pgbackrest_example_runs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both repositories are drilled, the second one by the drill file alone."""
    use_sandbox(monkeypatch, "docker")
    with backed(17) as world:
        world.server.sql("create table orders as select generate_series(1, 100) id")
        world.server.archived()
        monkeypatch.setenv("PGBACKREST_CONFIG_FILE", str(world.config))
        prepared(pytester, "pgbackrest")

        result = run_pytest(pytester)

    assert result.ret == 0, result.stdout.str()
    evidence = evidence_in(pytester.path)
    assert sorted(record.drill for record in evidence.drills) == [
        "shop.offsite@latest",
        "shop@latest",
    ]
    assert all(removed(record) for record in evidence.drills)


@pytest.mark.skipif(WALG is None, reason="wal-g is not on PATH")
def test_the_walg_example_runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The binary is a file of the user's, mounted into the container."""
    use_sandbox(monkeypatch, "docker")
    with pushed(17) as world:
        world.server.sql("create table orders as select generate_series(1, 100) id")
        world.server.archived()
        monkeypatch.setenv("WALG_BINARY", str(WALG))
        monkeypatch.setenv("SHOP_BACKUPS", str(world.store))
        prepared(pytester, "walg")

        result = run_pytest(pytester)

    assert result.ret == 0, result.stdout.str()


def test_the_barman_example_runs(drills: Drills, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a home that a real Barman filled; only the name of the server is another one."""
    settings = laid_out(drills.pytester, "barman")
    text = (
        settings.read_text()
        .replace('server = "shop"', 'server = "stream"')
        .replace('rpo = "1h"\n', "")
    )
    packages = '", "'.join(BACKUP_TOOLS)
    settings.write_text(text + f'build_network = "host"\npull = false\npackages = ["{packages}"]\n')
    monkeypatch.setenv("PGRESTORE_BASE_IMAGE", environment_of("docker")["PGRESTORE_BASE_IMAGE"])
    with barmaned(15) as world:
        monkeypatch.setenv("BARMAN_CONF", str(world.config))

        result = drills.run()

    assert result.ret == 0, result.stdout.str()
    record = drills.record("shop@latest")
    assert record.backup is not None
    assert record.backup.restored_by is not None
    assert record.backup.restored_by.startswith("Barman ")
    assert removed(record)


def test_the_command_example_runs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backup is taken by the example's own script."""
    use_sandbox(monkeypatch, "docker")
    with production(17, start=False) as server:
        commands, directory = server.directory / "commands", server.directory
        shutil.copytree(EXAMPLES / "command", commands)
        for name in ("wal", "backups"):
            server.run("mkdir", str(directory / name))
        server.start({"archive_command": f"cp %p {directory}/wal/%f"})
        server.sql("create table ledger as select generate_series(1, 100) i")
        env = {"PGHOST": str(directory), "PGUSER": "postgres"}
        server.run(
            "sh", f"{commands}/take-backup", str(server.data), f"{directory}/backups", env=env
        )
        server.archived()
        monkeypatch.setenv("SHOP_COMMANDS", str(commands))
        monkeypatch.setenv("SHOP_BACKUPS", str(directory / "backups"))
        monkeypatch.setenv("SHOP_WAL", str(directory / "wal"))
        prepared(pytester, "command")

        result = run_pytest(pytester)

    assert result.ret == 0, result.stdout.str()
