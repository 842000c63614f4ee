"""The examples are projects to copy; each is run as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.plugin.conftest import removed
from tests.real.sandboxes import environment_of

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
