"""The examples are projects to copy; each is run as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.plugin.conftest import removed
from tests.real.barman_worlds import barmaned
from tests.real.sandboxes import BACKUP_TOOLS, environment_of

if TYPE_CHECKING:
    import pytest

    from tests.plugin.conftest import Drills

EXAMPLES = Path(__file__).parents[2] / "examples"
RUNTIMES = ("docker",)


def test_the_docker_example_runs(drills: Drills, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own settings; the base and the network of the build are those of the tests."""
    for path in (EXAMPLES / "docker").iterdir():
        shutil.copy(path, drills.pytester.path)
    backups = drills.pytester.path / "backups"
    backups.mkdir()
    (backups / "base").symlink_to(drills.world.base)
    (backups / "wal").symlink_to(drills.world.wal)
    monkeypatch.setenv("SHOP_BACKUPS", str(backups))
    monkeypatch.setenv("PGRESTORE_BASE", environment_of("docker")["PGRESTORE_BASE"])
    settings = drills.pytester.path / "pgrestore.toml"
    settings.write_text(settings.read_text() + 'build_network = "host"\npull = false\n')

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    record = drills.record("shop@latest")
    assert record.server is not None
    assert record.server.sandbox.startswith("docker, ")
    assert removed(record)


def test_the_barman_example_runs(drills: Drills, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a home that a real Barman filled; only the name of the server is another one."""
    for path in (EXAMPLES / "barman").iterdir():
        shutil.copy(path, drills.pytester.path)
    settings = drills.pytester.path / "pgrestore.toml"
    text = settings.read_text().replace('server = "shop"', 'server = "stream"').replace('rpo = "1h"\n', "")
    packages = '", "'.join(BACKUP_TOOLS)
    settings.write_text(text + f'build_network = "host"\npull = false\npackages = ["{packages}"]\n')
    monkeypatch.setenv("PGRESTORE_BASE", environment_of("docker")["PGRESTORE_BASE"])
    with barmaned(15) as world:
        monkeypatch.setenv("BARMAN_CONF", str(world.config))

        result = drills.run()

    assert result.ret == 0, result.stdout.str()
    record = drills.record("shop@latest")
    assert record.backup is not None
    assert record.backup.restored_by is not None
    assert record.backup.restored_by.startswith("Barman ")
    assert removed(record)
