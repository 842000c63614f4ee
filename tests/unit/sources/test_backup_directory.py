"""What the label, the manifest and the directory of a backup tell, on fabricated files."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sources.basebackup.catalogue import facts
from pytest_pgrestore.sources.basebackup.find_backups import (
    find_backups,
    read_backup,
    scan_for_major,
)
from pytest_pgrestore.sources.wal.backup_label import parse_label
from tests.unit.sources.backup_files import tar_of

LABEL = """START WAL LOCATION: 0/A00028 (file 00000001000000000000000A)
CHECKPOINT LOCATION: 0/A00080
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-06-15 14:00:00 CEST
LABEL: pg_basebackup base backup
START TIMELINE: 1
"""
HISTORY = LABEL.replace(
    "CHECKPOINT", "STOP WAL LOCATION: 0/B00120 (file 00000001000000000000000B)\nCHECKPOINT"
) + ("STOP TIME: 2026-06-15 14:30:00 CEST\nSTOP TIMELINE: 1\n")
MANIFEST = {
    "PostgreSQL-Backup-Manifest-Version": 2,
    "System-Identifier": 42,
    "Files": [
        {
            "Path": "backup_label",
            "Size": 225,
            "Last-Modified": "2026-06-15 12:00:01 GMT",
            "Checksum": "00",
        },
        {"Path": "base/1/1259", "Size": 8192, "Last-Modified": "2026-06-15 12:20:00 GMT"},
    ],
    "WAL-Ranges": [{"Timeline": 1, "Start-LSN": "0/A00028", "End-LSN": "0/B00120"}],
}


def plain(path: Path, *, label: str | None = LABEL, manifest: object = MANIFEST) -> Path:
    """Write the files of a plain backup that have facts for its catalogue entry."""
    path.mkdir()
    (path / "PG_VERSION").write_text("18\n")
    (path / "global").mkdir()
    (path / "global" / "pg_control").write_bytes(struct.pack("<Q", 4711))
    if label is not None:
        (path / "backup_label").write_text(label)
    if manifest is not None:
        (path / "backup_manifest").write_text(json.dumps(manifest))
    return path


def test_a_plain_backup_tells_its_facts(tmp_path: Path) -> None:
    """Times are in UTC: the manifest shows which zone the letters in the label stand for."""
    entry = facts(read_backup(plain(tmp_path / "monday")), parse_label(HISTORY, "x"), ())

    assert (entry.label, entry.form, entry.kind, entry.server_major) == (
        "monday",
        "plain",
        "full",
        18,
    )
    assert entry.started_at == datetime(2026, 6, 15, 12, 0, 1, tzinfo=UTC)
    assert entry.stopped_at == datetime(2026, 6, 15, 12, 30, tzinfo=UTC)
    assert (entry.start_lsn, entry.stop_lsn) == (Lsn(0xA00028), Lsn(0xB00120))
    assert (entry.timeline, entry.system_identifier, entry.size_bytes) == (1, 42, 8417)


def test_without_the_archives_file_the_newest_change_is_the_end(tmp_path: Path) -> None:
    """The backup ended then, or later."""
    assert facts(read_backup(plain(tmp_path / "b")), None, ()).stopped_at == datetime(
        2026, 6, 15, 12, 20, tzinfo=UTC
    )


def test_without_a_manifest_pg_control_tells_the_cluster(tmp_path: Path) -> None:
    """No other file of a plain backup identifies the cluster."""
    entry = facts(read_backup(plain(tmp_path / "b", manifest=None)), None, ())

    assert entry.system_identifier == 4711
    assert entry.started_at is None


@pytest.mark.parametrize("text", ["{", "[]", '{"Files": 3}'])
def test_a_damaged_manifest_does_not_hide_the_backup(tmp_path: Path, text: str) -> None:
    """pg_verifybackup reports what is wrong with it."""
    path = plain(tmp_path / "b")
    (path / "backup_manifest").write_text(text)

    assert read_backup(path).manifest is None
    assert read_backup(path).label is not None


def test_a_tar_backup_tells_its_facts_without_being_unpacked(tmp_path: Path) -> None:
    """The label is the first member; the tar of a tablespace is named by its OID."""
    path = tmp_path / "tuesday"
    path.mkdir()
    tar_of(
        path / "base.tar",
        ("backup_label", LABEL.encode()),
        ("tablespace_map", b"16384 /mnt/fast disk\n"),
        ("./PG_VERSION", b"17\n"),
    )
    tar_of(path / "16384.tar")

    found = read_backup(path)

    assert (found.form, found.major, sorted(found.tablespaces)) == ("tar", 17, ["16384"])
    assert list(found.tablespace_tars()) == ["16384"]
    assert scan_for_major(found) == 17


def test_an_incremental_backup_names_what_it_builds_on(tmp_path: Path) -> None:
    """The label has the start of the parent."""
    found = read_backup(
        plain(
            tmp_path / "b",
            label=LABEL + "INCREMENTAL FROM LSN: 0/700028\nINCREMENTAL FROM TLI: 1\n",
        )
    )

    assert found.label is not None
    assert found.label.incremental_from == Lsn(0x700028)
    assert facts(found, None, ("full",)).kind == "incremental"


def test_backups_are_found_in_a_directory_oldest_first(tmp_path: Path) -> None:
    """The order is by time, not by name; other directories are no backups."""
    later = json.loads(json.dumps(MANIFEST).replace("2026-06-15", "2026-06-16"))
    plain(tmp_path / "a", manifest=later)
    plain(tmp_path / "z")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "notes.txt").touch()

    assert [entry.path.name for entry in find_backups(tmp_path)] == ["z", "a"]
    assert [entry.path.name for entry in find_backups(tmp_path / "a")] == ["a"]


def test_a_missing_directory_is_not_an_empty_one(tmp_path: Path) -> None:
    """Nothing was learned about any backup."""
    assert find_backups(tmp_path) == []
    with pytest.raises(HarnessError, match="is not there"):
        find_backups(tmp_path / "gone")


@pytest.mark.parametrize("label", [None, "", "START TIME: x\n", "START WAL LOCATION: nowhere\n"])
def test_a_lost_label_is_told_when_the_backup_is_wanted(tmp_path: Path, label: str | None) -> None:
    """It is no error before that: another backup may be chosen."""
    found = read_backup(plain(tmp_path / "b", label=label))

    with pytest.raises(BackupNotRestorable, match="backup b cannot be used"):
        found.needed_label()
