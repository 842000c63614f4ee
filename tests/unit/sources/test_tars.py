"""Unpacking tars: whole or refused, and nothing outside of the target."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.basebackup.tars import extract
from tests.unit.sources.backup_files import CODECS, tar_of


@pytest.mark.parametrize("codec", CODECS)
def test_a_tar_is_unpacked(tmp_path: Path, codec: str) -> None:
    """Every codec is unpacked, and what has no target is left out."""
    path = tar_of(tmp_path / "base.tar", ("PG_VERSION", b""), ("base/1/2", b""), ("pg_wal/3", b""))
    path.write_bytes(CODECS[codec](path.read_bytes()))
    into = tmp_path / "data"
    into.mkdir()

    assert extract(path, lambda name, _: None if name.startswith("pg_wal") else into / name) == 2
    assert sorted(file.name for file in into.rglob("*") if file.is_file()) == ["2", "PG_VERSION"]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "keep", [1024, 1024 + 512, 1500], ids=["at a member", "after a header", "in a member"]
)
def test_a_tar_that_was_cut_is_a_finding(tmp_path: Path, codec: str, keep: int) -> None:
    """The command tar ends with status 0 if the cut is between two members."""
    path = tar_of(tmp_path / "base.tar", *((name, bytes(100)) for name in "abc"))
    path.write_bytes(CODECS[codec](path.read_bytes()[:keep]))
    into = tmp_path / "data"
    into.mkdir()

    with pytest.raises(BackupNotRestorable, match=r"is cut short|is damaged"):
        extract(path, lambda name, _: into / name)


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "base/../../outside"])
def test_a_tar_cannot_write_outside(tmp_path: Path, name: str) -> None:
    """A backup may come from a place that others can write to."""
    path = tar_of(tmp_path / "base.tar", (name, b"x"))
    into = tmp_path / "data"
    into.mkdir()

    with pytest.raises(BackupNotRestorable, match="not a file or directory below"):
        extract(path, lambda name, _: into / name)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_a_tar_with_links_or_devices_is_refused(tmp_path: Path, kind: bytes) -> None:
    """The next member could be written through a link."""
    archive = tmp_path / "base.tar"
    with tarfile.open(archive, "w") as tar:
        member = tarfile.TarInfo("base/link")
        member.type = kind
        member.linkname = "/etc"
        tar.addfile(member)

    with pytest.raises(BackupNotRestorable, match="not a file or directory below"):
        extract(archive, lambda inside, _: tmp_path / "out" / inside)
