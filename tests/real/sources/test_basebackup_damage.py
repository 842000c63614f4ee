"""A backup that was cut, flipped or lost a part is found while it is read."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.damage import cut, flip
from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.basebackup_fixtures import (
    World,
    copy_of,
    drill,
    request,
    three_batches,
)

TAR = ("--format", "tar")


@pytest.fixture(scope="module", params=[15])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Three batches of rows; a backup after the first and one after the second; WAL of it all."""
    with three_batches(request.param) as made:
        yield made


@pytest.mark.parametrize("fraction", [0.001, 0.3, 0.95])
def test_a_cut_compressed_tar(world: World, run: Run, tmp_path: Path, fraction: float) -> None:
    """Also where only the very end is missing."""
    backup = copy_of(world.backups / "b", tmp_path)
    cut(backup / "base.tar.gz", fraction)
    restored = drill(BasebackupSource("shop", str(backup), wal=str(world.archive)), run)

    assert restored.record.verdict() is Verdict.FAILED
    assert "base.tar.gz is" in restored.problem


def test_a_tar_cut_between_two_members(world: World, run: Run, tmp_path: Path) -> None:
    """The tool itself ends 0 on it; whole databases are missing."""
    backup = copy_of(world.backups / "b", tmp_path)
    content = gzip.decompress((backup / "base.tar.gz").read_bytes())
    (backup / "base.tar.gz").unlink()
    (backup / "base.tar").write_bytes(_half_of_the_members(content))

    restored = drill(BasebackupSource("shop", str(backup), wal=str(world.archive)), run)

    assert restored.record.verdict() is Verdict.FAILED
    assert "without the zeros that end a tar" in restored.problem


def test_a_flipped_byte_in_a_compressed_tar(world: World, run: Run, tmp_path: Path) -> None:
    """Its own checksum stands at the end of the stream, behind what tar reads."""
    backup = copy_of(world.backups / "b", tmp_path)
    flip(backup / "base.tar.gz", -5)

    restored = drill(BasebackupSource("shop", str(backup), wal=str(world.archive)), run)

    assert restored.record.verdict() is Verdict.FAILED


def test_a_lost_tablespace_is_named(world: World, run: Run, tmp_path: Path) -> None:
    """A server opens without it, and fails when somebody touches a table in it."""
    backup = copy_of(world.backups / "b", tmp_path)
    space = next(path for path in backup.iterdir() if path.name[0].isdigit())
    space.unlink()

    restored = drill(BasebackupSource("shop", str(backup), wal=str(world.archive)), run)

    assert restored.record.verdict() is Verdict.FAILED
    assert f"lacks tablespace {space.name.partition('.')[0]}" in restored.problem


def test_a_lost_base_tar_is_a_damaged_backup(world: World, run: Run, tmp_path: Path) -> None:
    """And not no backup, which would let an older one stand in without a word."""
    backup = copy_of(world.backups / "b", tmp_path)
    (backup / "base.tar.gz").unlink()

    with pytest.raises(BackupNotRestorable, match=r"base\.tar is missing"):
        BasebackupSource("shop", str(tmp_path), wal=str(world.archive)).locate(request(run))


def test_a_lost_label_is_a_finding(world: World, run: Run, tmp_path: Path) -> None:
    """A server opens a copy without it with wrong rows, a clean log and clean checks."""
    backup = copy_of(world.backups / "a", tmp_path)
    (backup / "backup_label").unlink()

    with pytest.raises(BackupNotRestorable, match="it has no backup_label"):
        BasebackupSource("shop", str(backup), wal=str(world.archive)).locate(request(run))


def _half_of_the_members(content: bytes) -> bytes:
    """Return a tar without its second half, cut exactly between two members."""
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = tar.getmembers()
        return content[: members[len(members) // 2].offset]
