"""A backup that was cut, flipped or lost a part is found while it is read."""

from __future__ import annotations

import gzip
import io
import tarfile
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
    locate_request,
    on_majors,
    world,
)

__all__ = ["world"]

pytestmark = on_majors(15)


def test_a_compressed_tar_cut_before_its_label(world: World, run: Run, tmp_path: Path) -> None:
    """Later cuts, in every form, are in restore/test_damaged_backups.py."""
    backup = copy_of(world.backups / "b", tmp_path)
    cut(backup / "base.tar.gz", 0.001)
    restored = drill(BasebackupSource("shop", str(backup), wal=str(world.archive)), run)

    assert restored.record.verdict() is Verdict.FAILED
    assert "base.tar.gz is" in restored.problem


def test_a_tar_cut_between_two_members(world: World, run: Run, tmp_path: Path) -> None:
    """Tar ends with status 0 on it, although whole databases are missing."""
    backup = copy_of(world.backups / "b", tmp_path)
    content = gzip.decompress((backup / "base.tar.gz").read_bytes())
    (backup / "base.tar.gz").unlink()
    (backup / "base.tar").write_bytes(_half_of_the_members(content))

    restored = drill(BasebackupSource("shop", str(backup), wal=str(world.archive)), run)

    assert restored.record.verdict() is Verdict.FAILED
    assert "without the zeros that end a tar" in restored.problem


def test_a_flipped_byte_in_a_compressed_tar(world: World, run: Run, tmp_path: Path) -> None:
    """Gzip's checksum is at the end of the stream, after the last byte that tar reads."""
    backup = copy_of(world.backups / "b", tmp_path)
    flip(backup / "base.tar.gz", -5)

    restored = drill(BasebackupSource("shop", str(backup), wal=str(world.archive)), run)

    assert restored.record.verdict() is Verdict.FAILED


def test_a_lost_tablespace_is_named(world: World, run: Run, tmp_path: Path) -> None:
    """A server starts without it, and fails when a query reads one of its tables."""
    backup = copy_of(world.backups / "b", tmp_path)
    space = next(path for path in backup.iterdir() if path.name[0].isdigit())
    space.unlink()

    restored = drill(BasebackupSource("shop", str(backup), wal=str(world.archive)), run)

    assert restored.record.verdict() is Verdict.FAILED
    assert f"lacks tablespace {space.name.partition('.')[0]}" in restored.problem


def test_a_lost_base_tar_is_a_damaged_backup(world: World, run: Run, tmp_path: Path) -> None:
    """If it counted as no backup, an older one would silently be restored instead."""
    backup = copy_of(world.backups / "b", tmp_path)
    (backup / "base.tar.gz").unlink()

    with pytest.raises(BackupNotRestorable, match=r"base\.tar is missing"):
        BasebackupSource("shop", str(tmp_path), wal=str(world.archive)).locate(locate_request(run))


def _half_of_the_members(content: bytes) -> bytes:
    """Return a tar without its second half, cut exactly between two members."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = tar.getmembers()
        return content[: members[len(members) // 2].offset]
