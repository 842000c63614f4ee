"""A source and a sandbox that a conftest.py adds, as docs/extending.md shows."""

from __future__ import annotations

import re
import shutil

from tests.plugin.conftest import COUNTS, Drills, removed
from tests.project import ROOT

DOCS = ROOT / "docs" / "extending.md"


def shown(language: str) -> str:
    """Return the first block of code on the page in this language."""
    found = re.search(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_a_source_of_ones_own(drills: Drills) -> None:
    """The page's example, on a real backup."""
    mount = drills.world.base.parents[1] / "snapshots"
    if not mount.exists():
        shutil.copytree(drills.world.base, mount / "shop" / "one", symlinks=True)
        shutil.copytree(drills.world.wal, mount / "wal")
    (drills.pytester.path / "conftest.py").write_text(shown("python"))
    settings = shown("toml").replace("/mnt/snapshots", str(mount))
    (drills.pytester.path / "pgrestore.toml").write_text(settings + 'database = "shop"\n')
    drills.write(test_a=COUNTS)

    result = drills.run()

    assert result.ret == 0, result.stdout.str()
    record = drills.record("shop@latest")
    assert record.source_type == "snapshot"
    assert removed(record)


def test_a_mistyped_key_of_it_is_reported(drills: Drills) -> None:
    """As for a source of ours."""
    (drills.pytester.path / "conftest.py").write_text(shown("python"))
    (drills.pytester.path / "pgrestore.toml").write_text(
        '[sources.shop]\ntype = "snapshot"\nmuont = "x"\n'
    )
    drills.write(test_a="def test_a(pgrestore_conn): assert pgrestore_conn")

    result = drills.run()

    assert result.ret == 4
    assert (
        "sources.shop.muont: unknown key\nHINT: did you mean mount?"
        in result.stdout.str() + result.stderr.str()
    )


def test_a_sandbox_of_ones_own(drills: Drills) -> None:
    """It is entered instead of ours, with the run's settings."""
    (drills.pytester.path / "conftest.py").write_text(
        """
from pytest_pgrestore.extending import Runtime, local_settings
from pytest_pgrestore.sandboxes.local.run import LocalRun

class NamedRun(LocalRun):
    def sandbox(self, *args, **kwargs):
        made = super().sandbox(*args, **kwargs)
        made.kind = "a place of ours"
        return made

def enter(settings, run_id, root):
    local = local_settings(settings)
    return NamedRun.open(local, run_id) if root is None else NamedRun.join(local, root)

def pytest_pgrestore_runtimes():
    return {"ours": Runtime(enter)}
"""
    )
    drills.write(test_a=COUNTS)

    result = drills.run("--pgrestore-runtime=ours")

    assert result.ret == 0, result.stdout.str()
    server = drills.record("shop@latest").server
    assert server is not None
    assert server.sandbox == "a place of ours"
