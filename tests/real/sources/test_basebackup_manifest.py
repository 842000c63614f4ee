"""The check `manifest`: green on the healthy, red on each damage, never green by silence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pgrestore.demo.damage import cut, flip
from pytest_pgrestore.model.target import Latest
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.basebackup_fixtures import (
    World,
    copy_of,
    drill,
    fetched,
    locate_request,
    new_world,
    on_majors,
    world,
)

__all__ = ["world"]


@on_majors(17)
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda data: flip(data / "base/1/1259", 5000), 'checksum mismatch for file "base/1/1259"'),
        (lambda data: cut(data / "base/1/1259", 0.5), '"base/1/1259" has size'),
        (
            lambda data: (data / "base/1/1259").unlink(),
            '"base/1/1259" is present in the manifest but not on disk',
        ),
        (
            lambda data: (data / "base/1/424242").touch(),
            '"base/1/424242" is present on disk but not',
        ),
        (lambda data: (data / "PG_VERSION").unlink(), '"PG_VERSION" is present in the manifest'),
        (
            lambda data: flip(next((data / "pg_tblspc").glob("*/PG_*/*/*")), 100),
            "checksum mismatch",
        ),
    ],
    ids=["flipped", "cut", "missing", "extra", "version", "tablespace"],
)
def test_damage_is_found_and_named(
    world: World, run: Run, tmp_path: Path, harm: Callable[[Path], object], words: str
) -> None:
    """The message is the tool's own, in one sentence."""
    backup = copy_of(world.backups / "a", tmp_path)
    for link in (backup / "pg_tblspc").iterdir():
        inside = tmp_path / link.name
        shutil.copytree(link.resolve(), inside)
        link.unlink()
        link.symlink_to(inside)
    healthy = BasebackupSource("shop", str(backup), wal=str(world.archive))
    chosen = healthy.locate(locate_request(run))
    assert [check.verdict for check in healthy.verify(chosen, fetched(healthy, run, chosen))] == [
        Verdict.PASSED
    ]
    harm(backup)

    damaged = BasebackupSource("shop", str(backup), wal=str(world.archive))
    chosen = damaged.locate(locate_request(run))
    (check,) = damaged.verify(chosen, fetched(damaged, run, chosen))

    assert check.verdict is Verdict.FAILED
    assert words in check.message
    assert "\n" not in check.message


@on_majors(17)
def test_no_manifest_is_not_green(world: World, run: Run, tmp_path: Path) -> None:
    """Without a manifest the files cannot be verified; verify = false accepts that."""
    backup = copy_of(world.backups / "a", tmp_path)
    (backup / "backup_manifest").unlink()
    source = BasebackupSource(
        "shop", str(backup), wal=str(world.archive), linked_paths=[world.directory / "mapped"]
    )
    chosen = source.locate(locate_request(run))

    (check,) = source.verify(chosen, fetched(source, run, chosen))
    consenting = BasebackupSource(
        "shop",
        str(backup),
        wal=str(world.archive),
        linked_paths=[world.directory / "mapped"],
        verify=False,
    )

    assert check.verdict is Verdict.COULD_NOT_VERIFY
    assert consenting.check_names(Latest()) == ("relation files", "archive")
    assert "verify = false" in " ".join(consenting.locate(locate_request(run)).not_checked)
    restored = drill(consenting, run)
    assert restored.rows == (300, 300)
    assert "manifest" not in {check.name for check in restored.record.checks}
    assert any("verify = false" in text for text in restored.record.not_checked)


def test_a_manifest_without_checksums_is_not_green(run: Run) -> None:
    """pg_verifybackup prints `successfully verified` for a damaged file then."""
    with new_world(15) as made:
        made.grow("one")
        backup = made.backup("plain", "--manifest-checksums=none")
        flip(backup / "base/1/1259", 5000)
        source = BasebackupSource("shop", str(backup))
        chosen = source.locate(locate_request(run))

        (check,) = source.verify(chosen, fetched(source, run, chosen))

        assert check.verdict is Verdict.COULD_NOT_VERIFY
        assert "--manifest-checksums=none" in check.message
