"""Incremental chains of PostgreSQL 17 and later, in both formats."""

from __future__ import annotations

import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.damage import flip
from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.target import AtName
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.basebackup_fixtures import (
    TAR,
    World,
    copy_of,
    drill,
    fetched,
    fingerprint,
    locate_request,
    new_world,
)


@pytest.fixture(
    scope="module",
    params=[(17, ()), (18, ()), (17, TAR), (18, TAR)],
    ids=["17", "18", "17-tar", "18-tar"],
)
def chain(request: pytest.FixtureRequest) -> Iterator[World]:
    """A full backup, two incremental ones on top, and a batch after each."""
    major, arguments = request.param
    with new_world(major) as made:
        made.grow("one", rows=5000)
        full = made.backup("full", *arguments)
        made.grow("two")
        first = made.backup("first", *arguments, f"--incremental={full / 'backup_manifest'}")
        made.grow("three")
        made.backup("second", *arguments, f"--incremental={first / 'backup_manifest'}")
        made.grow("four")
        made.cluster.switch_wal()
        made.cluster.stop()
        yield made


def test_a_chain_restores(chain: World, run: Run) -> None:
    """The chain is combined, verified and recovered; the backups are unchanged."""
    before = fingerprint(chain.backups), fingerprint(chain.directory / "mapped")
    restored = drill(BasebackupSource("shop", str(chain.backups), wal=str(chain.archive)), run)

    assert (restored.problem, restored.rows) == ("", (5300, 5300))
    assert restored.record.backup is not None
    assert (restored.record.backup.kind, restored.record.backup.chain) == (
        "incremental",
        ("full", "first"),
    )
    assert restored.check("manifest").verdict is Verdict.PASSED
    assert before == (fingerprint(chain.backups), fingerprint(chain.directory / "mapped"))


def test_a_target_takes_the_shorter_chain(chain: World, run: Run) -> None:
    """The chain ends before the target; it can be the full backup alone."""
    source = BasebackupSource("shop", str(chain.backups), wal=str(chain.archive))

    two, three = drill(source, run, AtName("two")), drill(source, run, AtName("three"))

    assert (two.rows, three.rows) == ((5100, 5100), (5200, 5200))
    assert two.record.backup is not None
    assert three.record.backup is not None
    assert (two.record.backup.label, three.record.backup.label) == ("full", "first")


def test_a_missing_link_is_named(chain: World, run: Run, tmp_path: Path) -> None:
    """An incremental backup cannot be restored without its parents."""
    for name in ("full", "second"):
        copy_of(chain.backups / name, tmp_path)

    with pytest.raises(
        BackupNotRestorable, match="backup second is incremental to a parent that starts at"
    ):
        BasebackupSource("shop", str(tmp_path), wal=str(chain.archive)).locate(locate_request(run))
    catalogue = BasebackupSource("shop", str(tmp_path)).backups()
    assert [entry.label for entry in catalogue] == ["full", "second"]


def test_damage_in_any_link_is_found(chain: World, run: Run, tmp_path: Path) -> None:
    """A combined file gets a new, good checksum: only the manifests of the inputs tell."""
    if (chain.backups / "full" / "base.tar").exists():
        return
    backups = tmp_path / "backups"
    shutil.copytree(chain.backups, backups, symlinks=True)
    table, block = _block_only_the_full_backup_has(backups)
    flip(backups / "full" / table, block * 8192 + 5000)
    source = BasebackupSource("shop", str(backups), wal=str(chain.archive))
    chosen = source.locate(locate_request(run))

    (check,) = source.verify(chosen, fetched(source, run, chosen))

    assert check.verdict is Verdict.FAILED
    assert check.message.startswith(f'full: checksum mismatch for file "{table}"')


def _block_only_the_full_backup_has(backups: Path) -> tuple[Path, int]:
    """Return a table of blocks from several backups, and a block of it from the full one.

    Source: src/bin/pg_combinebackup/reconstruct.c. An incremental file begins with magic, count and
    length, then come the numbers of its blocks.
    """
    for path in sorted((backups / "second" / "base").rglob("INCREMENTAL.*")):
        table = path.relative_to(backups / "second").with_name(
            path.name.removeprefix("INCREMENTAL.")
        )
        parts = [backups / name / table.with_name(path.name) for name in ("first", "second")]
        if not (backups / "full" / table).exists() or not all(part.exists() for part in parts):
            continue
        taken = [set(_blocks(part)) for part in parts]
        free = set(range((backups / "full" / table).stat().st_size // 8192)) - taken[0] - taken[1]
        if taken[1] and free:
            return table, min(free)
    raise AssertionError("no table was changed in part")


def _blocks(incremental: Path) -> tuple[int, ...]:
    """Return the numbers of the blocks an incremental file holds."""
    content = incremental.read_bytes()
    count = int.from_bytes(content[4:8], sys.byteorder)
    return struct.unpack(f"={count}I", content[12 : 12 + 4 * count])
