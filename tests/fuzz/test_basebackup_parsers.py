"""Base backups with bytes changed at random: an answer or an error of ours, and nothing else."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from hypothesis import given

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.sources.basebackup.catalogue import read_catalogue
from pytest_pgrestore.sources.basebackup.manifest import read_manifest
from pytest_pgrestore.sources.basebackup.tars import extract, list_files, read_members
from pytest_pgrestore.sources.wal.segments import WalFiles
from tests.fuzz.mutate import mutated

LABEL = b"""START WAL LOCATION: 0/A00028 (file 00000001000000000000000A)
CHECKPOINT LOCATION: 0/A00080
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-06-15 14:00:00 CEST
LABEL: pg_basebackup base backup
START TIMELINE: 1
INCREMENTAL FROM LSN: 0/700028
INCREMENTAL FROM TLI: 1
"""
MANIFEST = b"""{ "PostgreSQL-Backup-Manifest-Version": 2,
"System-Identifier": 7711133938856625400,
"Files": [
{ "Path": "backup_label", "Size": 225, "Last-Modified": "2026-06-15 12:00:01 GMT",\
 "Checksum-Algorithm": "CRC32C", "Checksum": "4f3b2a10" },
{ "Encoded-Path": "626173652f31ff", "Size": 8192, "Last-Modified": "2026-06-15 12:20:00 GMT" }
],
"WAL-Ranges": [
{ "Timeline": 1, "Start-LSN": "0/A00028", "End-LSN": "0/B00120" }
],
"Manifest-Checksum": "00"}
"""


def _tar() -> bytes:
    """Return a tar with headers of every kind that tarfile knows, and files of a backup."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (
            ("backup_label", LABEL),
            ("PG_VERSION", b"18\n"),
            ("base/1/" + "1" * 120, b"x" * 700),
            ("pg_wal/00000001000000000000000A", b"x"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    content.seek(0)
    with tarfile.open(fileobj=content, mode="a", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("base/1/" + "2" * 120))
    return content.getvalue()


TAR = _tar()


def _total(read: Callable[[], object]) -> None:
    """Read a file; an error of ours is an answer."""
    with suppress(PgRestoreError):
        read()


@given(mutated(MANIFEST))
def test_a_manifest(content: bytes) -> None:
    """Numbers, texts and lists may be anything JSON allows, and what it does not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "backup_manifest"
        path.write_bytes(content)

        _total(lambda: read_manifest(path))


def _read_tar(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, into = Path(folder) / "base.tar", Path(folder) / "data"
        path.write_bytes(content)
        into.mkdir()

        _total(lambda: read_members(path, {"backup_label", "PG_VERSION"}, 1 << 20, 1 << 20))
        _total(lambda: list(list_files(path, 40)))
        _total(lambda: extract(path, lambda name, _: into / name))
        outside = {entry.name for entry in Path(folder).iterdir()} - {"base.tar", "data"}

    assert not outside


@given(mutated(TAR))
def test_a_tar(content: bytes) -> None:
    """Tarfile reads headers; what it raises on nonsense is the tar's fault."""
    _read_tar(content)


@given(mutated(TAR))
def test_a_damaged_tar_in_a_sound_stream(content: bytes) -> None:
    """A stream cannot be searched, so tarfile takes other ways."""
    _read_tar(gzip.compress(content))


@given(mutated(gzip.compress(TAR)))
def test_a_compressed_tar(content: bytes) -> None:
    """The stream itself is damaged."""
    _read_tar(content)


def _catalogue_of(folder: Path, name: str, content: bytes) -> None:
    """Read a directory of two backups; a file of one of them has this content."""
    for backup in ("good", "evil"):
        path = folder / backup
        path.mkdir()
        (path / "PG_VERSION").write_bytes(b"18\n")
        (path / "backup_label").write_bytes(LABEL)
        (path / "backup_manifest").write_bytes(MANIFEST)
    (folder / "evil" / name).write_bytes(content)
    found = read_catalogue(folder, WalFiles())

    assert {backup.label for backup in found.backups} == {"good", "evil"}
    assert json.dumps([str(backup) for backup in found.backups])


@given(mutated(LABEL))
def test_a_label_beside_a_good_backup(content: bytes) -> None:
    """The good backup stays in the catalogue, and so does the bad one."""
    with tempfile.TemporaryDirectory() as folder:
        _total(partial(_catalogue_of, Path(folder), "backup_label", content))


@given(mutated(MANIFEST))
def test_a_manifest_beside_a_good_backup(content: bytes) -> None:
    """As above, with dates and positions that may be any."""
    with tempfile.TemporaryDirectory() as folder:
        _total(partial(_catalogue_of, Path(folder), "backup_manifest", content))


@given(mutated(b"16384 /mnt/fast disk\n16385 /mnt/other\n"))
def test_a_tablespace_map_beside_a_good_backup(content: bytes) -> None:
    """As above."""
    with tempfile.TemporaryDirectory() as folder:
        _total(partial(_catalogue_of, Path(folder), "tablespace_map", content))


@given(mutated(b"18\n"))
def test_a_version_beside_a_good_backup(content: bytes) -> None:
    """As above."""
    with tempfile.TemporaryDirectory() as folder:
        _total(partial(_catalogue_of, Path(folder), "PG_VERSION", content))
