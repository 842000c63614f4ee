"""Tars that somebody made to harm: refused as damaged, in little memory, in little space."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.sources.basebackup.budget import Budget
from pytest_pgrestore.sources.basebackup.manifest import Manifest
from pytest_pgrestore.sources.basebackup.tars import extract, list_files, read_members
from tests.unit.sources.backup_files import MIB, gzip_zeros, tar_of

MEMORY_BYTES = 300 * MIB
"""Most memory that the harness may take, whatever comes in."""

GIB = 1 << 30


def gz_of_zeros(path: Path, member: tarfile.TarInfo, *before: tarfile.TarInfo) -> Path:
    """Write a compressed tar whose last member has only zeros in it, `member.size` of them."""
    headers = b"".join(entry.tobuf() for entry in (*before, member))
    path.write_bytes(gzip.compress(headers) + gzip_zeros(member.size) + gzip.compress(bytes(1024)))
    return path


def member_of(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """Return a member."""
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member


def unpacked(archive: Path, into: Path, max_files: int = 1000) -> int:
    """Unpack everything."""
    into.mkdir(exist_ok=True)
    return extract(archive, lambda name, _: into / name, max_files)


@contextmanager
def little_memory() -> Iterator[None]:
    """Fail if the body takes more memory than the harness may."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < MEMORY_BYTES


@pytest.mark.parametrize(
    "kind",
    [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK],
    ids=["pax", "global pax", "long name", "long link"],
)
def test_a_header_without_end_is_not_read(tmp_path: Path, kind: bytes) -> None:
    """Tarfile reads such a header into memory before anybody can look at it."""
    bomb = gz_of_zeros(tmp_path / "base.tar.gz", member_of("x", GIB, kind))

    with little_memory(), pytest.raises(BackupNotRestorable, match="is damaged"):
        unpacked(bomb, tmp_path / "data")


def test_a_label_without_end_is_not_read(tmp_path: Path) -> None:
    """The label is read before a backup is chosen, also that of a backup nobody wants."""
    bomb = gz_of_zeros(tmp_path / "base.tar.gz", member_of("backup_label", GIB))

    with little_memory(), pytest.raises(BackupNotRestorable, match=r"backup_label has 1,073"):
        read_members(bomb, {"backup_label"}, 64 * MIB, MIB)


def test_the_search_for_a_label_ends(tmp_path: Path) -> None:
    """A member of 6 GB before the label is not read to its end."""
    bomb = gz_of_zeros(tmp_path / "base.tar.gz", member_of("x", 6 * GIB))

    assert read_members(bomb, {"backup_label"}, 64 * MIB, MIB) == {}


def test_what_follows_the_end_is_read_for_a_while(tmp_path: Path) -> None:
    """The end of a compressed stream has its checksum, and may be 6 GB away."""
    bomb = tmp_path / "base.tar.gz"
    bomb.write_bytes(gzip.compress(member_of("x").tobuf() + bytes(1024)) + gzip_zeros(6 * GIB))

    with pytest.raises(BackupNotRestorable, match="bytes follow its end"):
        unpacked(bomb, tmp_path / "data")


def sparse_member(**headers: str) -> bytes:
    """Return a tar with one sparse file of 1 TB, as pax headers describe it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = member_of("base/1/2", 512)
        member.pax_headers = {f"GNU.sparse.{key}": value for key, value in headers.items()}
        tar.addfile(member, io.BytesIO(b"1\n0\n512\n".ljust(512, b"\0")))
    return content.getvalue()


def old_sparse_member() -> bytes:
    """Return a tar with one sparse file of 1 TB, in GNU tar's oldest form."""
    header = bytearray(member_of("base/1/2", 0, tarfile.GNUTYPE_SPARSE).tobuf())
    header[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + bytes(1024)


@pytest.mark.parametrize(
    "content",
    [
        old_sparse_member(),
        sparse_member(size=str(1 << 40), numblocks="1", offset="0", numbytes="512"),
        sparse_member(map="0,512", size=str(1 << 40), name="base/1/2"),
        sparse_member(major="1", minor="0", realsize=str(1 << 40), name="base/1/2"),
    ],
    ids=["old", "0.0", "0.1", "1.0"],
)
def test_a_sparse_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A tar of 2 KB would fill the disk; PostgreSQL writes no such member."""
    path = tmp_path / "base.tar"
    path.write_bytes(content)

    with pytest.raises(BackupNotRestorable, match="sparse file"):
        unpacked(path, tmp_path / "data")
    assert not [file for file in (tmp_path / "data").rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    "members",
    [
        [("base/1/2", b"a"), ("base/1/2", b"b")],
        [("base", b"a"), ("base/1/2", b"b")],
        [("base/1/2", b"a"), ("base/1", b"b")],
        [("x" * 300, b"")],
        [("/".join(["x" * 200] * 6), b"")],
        [("a\0b", b"")],
    ],
    ids=["twice", "file, then directory", "directory, then file", "long", "long path", "zero"],
)
def test_a_path_that_cannot_be_is_damage(tmp_path: Path, members: list[tuple[str, bytes]]) -> None:
    """It says something about the backup, and nothing about the sandbox."""
    path = tmp_path / "base.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            member = member_of("x" if "\0" in name else name, len(content))
            member.pax_headers = {"path": name}
            tar.addfile(member, io.BytesIO(content))

    with pytest.raises(BackupNotRestorable):
        unpacked(path, tmp_path / "data")


def with_size(text: str) -> bytes:
    """Return a tar whose pax header has a size of its own for the next member."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = member_of("base/1/2")
        member.pax_headers = {"size": text}
        tar.addfile(member)
        tar.addfile(member_of("base/1/3"))
    return content.getvalue()


@pytest.mark.parametrize("text", ["-1", "-512", "-1000000", "9" * 30])
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_nonsense_size_is_damage(
    tmp_path: Path, text: str, compress: Callable[[bytes], bytes]
) -> None:
    """Tarfile computes with it: it goes backwards for ever, or raises what nobody expects."""
    path = tmp_path / "base.tar"
    path.write_bytes(compress(with_size(text)))

    with pytest.raises(BackupNotRestorable):
        unpacked(path, tmp_path / "data")


def test_headers_that_extend_each_other_end(tmp_path: Path) -> None:
    """Tarfile calls itself for each of them."""
    path = tmp_path / "base.tar"
    chain = member_of("x", 512, tarfile.GNUTYPE_LONGNAME).tobuf() + b"x".ljust(512, b"\0")
    path.write_bytes(chain * 5000 + bytes(1024))

    with pytest.raises(BackupNotRestorable, match="nonsense"):
        unpacked(path, tmp_path / "data")


def test_many_members_are_a_limit_of_ours(tmp_path: Path) -> None:
    """Each costs an inode. A real backup could have that many, so a setting is named."""
    path = tar_of(tmp_path / "base.tar", *((str(number), b"") for number in range(11)))

    with pytest.raises(HarnessError, match="more than 10 members") as caught:
        unpacked(path, tmp_path / "less", max_files=10)
    assert "max_files" in caught.value.hint
    assert unpacked(path, tmp_path / "enough", max_files=11) == 11
    with pytest.raises(HarnessError, match="more than 10 members"):
        list(list_files(path, 10, max_files=10))


def test_members_are_not_kept_in_memory(tmp_path: Path) -> None:
    """Tarfile keeps them all, for methods that look for one by its name."""
    path = tmp_path / "base.tar.gz"
    path.write_bytes(gzip.compress(member_of("x").tobuf() * 20_000 + bytes(1024), 1))

    tracemalloc.start()
    try:
        assert len(list(list_files(path, 10, 1_000_000))) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * MIB


@pytest.mark.parametrize("kind", ["fifo", "link", "directory"])
def test_only_a_regular_file_is_a_tar(tmp_path: Path, kind: str) -> None:
    """A FIFO would hang the drill, before any deadline."""
    path = tmp_path / "base.tar"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()

    with pytest.raises(BackupNotRestorable):
        read_members(path, {"backup_label"}, MIB, MIB)


def manifest_of(size_bytes: int) -> Manifest:
    """Return a manifest with files of this size altogether."""
    return Manifest(None, None, None, None, size_bytes, 0, 1)


def test_a_backup_that_unpacks_to_more_than_it_lists_is_damaged(tmp_path: Path) -> None:
    """The manifest says how much it is; WAL is not listed."""
    budget = Budget(tmp_path, manifest_of(100 * MIB), "monday")
    budget.take(100 * MIB)
    budget.take(200 * MIB, listed=False)

    with pytest.raises(BackupNotRestorable, match="its manifest lists fewer"):
        budget.take(65 * MIB)


def test_a_file_larger_than_the_disk_is_not_begun(tmp_path: Path) -> None:
    """The disk would be full for everybody else on this machine, too."""
    with pytest.raises(HarnessError, match="free for it"):
        Budget(tmp_path, None, "monday").take(1 << 60)


def test_damage_anywhere_is_an_error_of_ours(tmp_path: Path) -> None:
    """Every byte of a header in turn is another one."""
    whole = bytearray(tar_of(tmp_path / "whole.tar", ("a", b"1"), ("b", b"2")).read_bytes())
    for place in range(512):
        damaged = whole.copy()
        damaged[place] ^= 0xFF
        path = tmp_path / "base.tar"
        path.write_bytes(damaged)
        try:
            assert unpacked(path, tmp_path / f"data{place}") <= 2
        except PgRestoreError:
            pass
