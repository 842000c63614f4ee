"""Copying backups: whole, never linked, and never from a tar that was cut."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.basebackup.tars import extract_tar
from pytest_pgrestore.sources.codecs import codec_of, open_plain, reading
from pytest_pgrestore.sources.copying import copy_plain, copy_tree

BYTES = os.urandom(300_000) + bytes(300_000)


def zstd(data: bytes) -> bytes:
    """Return `data` as two zstd frames."""
    import zstandard

    return zstandard.compress(data[:1000]) + zstandard.compress(data[1000:])


def lz4(data: bytes) -> bytes:
    """Return `data` as an lz4 frame."""
    import lz4.frame

    compressed: bytes = lz4.frame.compress(data)
    return compressed


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": zstd,
    "lz4": lz4,
}


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
    """Some decoders take the cut for the end."""
    path = tmp_path / "file"
    whole = CODECS[codec](BYTES)
    path.write_bytes(whole[: int(len(whole) * fraction)])

    with pytest.raises(BackupNotRestorable, match="is cut short"):
        copy_plain(path, tmp_path / "copy")


def tar_of(names: list[str]) -> bytes:
    """Return a tar with one small file of each name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 100
            tar.addfile(member, io.BytesIO(bytes(100)))
    return buffer.getvalue()


@pytest.mark.parametrize("codec", CODECS)
def test_a_tar_is_unpacked(tmp_path: Path, codec: str) -> None:
    """Compressed or not, and what is left out stays out."""
    path = tmp_path / "base.tar"
    path.write_bytes(CODECS[codec](tar_of(["PG_VERSION", "base/1/2", "pg_wal/3"])))
    into = tmp_path / "data"
    into.mkdir()

    assert extract_tar(path, into, without=("pg_wal",)) == 2
    assert sorted(file.name for file in into.rglob("*") if file.is_file()) == ["2", "PG_VERSION"]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "keep", [1024, 1024 + 512, 1500], ids=["at a member", "after a header", "in a member"]
)
def test_a_tar_that_was_cut_is_a_finding(tmp_path: Path, codec: str, keep: int) -> None:
    """The tar command ends with status 0 on one that was cut at a member's border."""
    path = tmp_path / "base.tar"
    path.write_bytes(CODECS[codec](tar_of(["a", "b", "c"])[:keep]))
    into = tmp_path / "data"
    into.mkdir()

    with pytest.raises(BackupNotRestorable, match=r"is cut short|is damaged"):
        extract_tar(path, into)


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "base/../../outside"])
def test_a_tar_cannot_write_outside(tmp_path: Path, name: str) -> None:
    """A backup from a place others can write to is not to be trusted."""
    path = tmp_path / "base.tar"
    path.write_bytes(tar_of([name]))
    into = tmp_path / "data"
    into.mkdir()

    with pytest.raises(BackupNotRestorable, match="not a file or directory below"):
        extract_tar(path, into)


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
    """It has no first bytes to know a codec by."""
    (tmp_path / "empty").touch()
    with open_plain(tmp_path / "empty") as stream:
        assert stream.read() == b""
