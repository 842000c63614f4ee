"""Copying files and trees of backups: whole, and never linked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.codecs import codec_of, open_plain, reading
from pytest_pgrestore.sources.copying import copy_plain
from pytest_pgrestore.sources.trees import copy_tree
from tests.unit.sources.backup_files import CODECS

BYTES = os.urandom(300_000) + bytes(300_000)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_known_by_its_bytes(tmp_path: Path, codec: str) -> None:
    """Files are renamed; their first bytes are not."""
    path = tmp_path / "file"
    path.write_bytes(CODECS[codec](BYTES))

    copy_plain(path, tmp_path / "copy")

    assert codec_of(path) == codec
    assert (tmp_path / "copy").read_bytes() == BYTES


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "none"])
@pytest.mark.parametrize("fraction", [0.5, 0.999])
def test_a_compressed_file_that_was_cut_is_a_finding(
    tmp_path: Path, codec: str, fraction: float
) -> None:
    """Some decoders end without an error at the cut."""
    path = tmp_path / "file"
    whole = CODECS[codec](BYTES)
    path.write_bytes(whole[: int(len(whole) * fraction)])

    with pytest.raises(BackupNotRestorable, match="is cut short"):
        copy_plain(path, tmp_path / "copy")


def test_a_tree_is_copied_and_never_linked(tmp_path: Path) -> None:
    """Recovery writes into the files it is given."""
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "base" / "1").mkdir(parents=True)
    (source / "base" / "1" / "2").write_bytes(BYTES)
    (source / "link").symlink_to("base")
    (source / "pg_wal").mkdir()
    (source / "pg_wal" / "x").touch()
    target.mkdir()

    assert copy_tree(source, target, without=("pg_wal",)) == 1
    assert (target / "base" / "1" / "2").read_bytes() == BYTES
    assert (target / "base" / "1" / "2").stat().st_nlink == 1
    assert (target / "link").readlink() == Path("base")
    assert not (target / "pg_wal").exists()


def test_a_file_that_may_not_be_read_is_not_the_backups_fault(tmp_path: Path) -> None:
    """Permission says nothing about the backup."""
    with pytest.raises(HarnessError, match="permission denied"), reading(tmp_path / "x"):
        raise PermissionError(13, "Permission denied", str(tmp_path / "x"))


def test_an_empty_file_opens_as_plain(tmp_path: Path) -> None:
    """It has no first bytes that could name a codec."""
    (tmp_path / "empty").touch()
    with open_plain(tmp_path / "empty") as stream:
        assert stream.read() == b""
