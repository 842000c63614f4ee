"""Manifests that somebody made to harm: damaged, never an exception nobody expects."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources.basebackup.manifest import read_manifest
from tests.unit.sources.backup_files import MIB

RANGES = [{"Timeline": 1, "Start-LSN": "0/A00028", "End-LSN": "0/B00120"}]


def written(path: Path, text: str | bytes) -> Path:
    """Write a manifest."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def with_file(**changes: Any) -> str:
    """Return a manifest of one file."""
    entry = {
        "Path": "base/1/1259",
        "Size": 8192,
        "Last-Modified": "2026-06-15 12:20:00 GMT",
        "Checksum": "00",
    }
    return json.dumps({"System-Identifier": 42, "Files": [entry | changes], "WAL-Ranges": RANGES})


def test_a_healthy_manifest_is_read_in_any_layout(tmp_path: Path) -> None:
    """PostgreSQL writes a file a line; the format is JSON."""
    for indent in (None, 0, 4):
        text = json.dumps(json.loads(with_file()), indent=indent)
        manifest = read_manifest(written(tmp_path / "m", text))

        assert manifest is not None
        assert (manifest.files, manifest.size_bytes, manifest.system_identifier) == (1, 8192, 42)
    encoded = read_manifest(written(tmp_path / "m", with_file().replace("Path", "Encoded-Path")))
    assert encoded is not None
    assert encoded.files == 1


@pytest.mark.parametrize(
    "size",
    [
        *("Infinity", "-Infinity", "NaN", "-1", "1e400", "1.5", "true", "null", '"8192"', "[]"),
        *("{}", "1" + "0" * 400, "1" + "0" * 100_000),
    ],
    ids=range(13),
)
def test_a_size_is_a_whole_number(tmp_path: Path, size: str) -> None:
    """Python's reader accepts Infinity; a sum with it ended the run without a report."""
    text = with_file().replace("8192", size)

    assert read_manifest(written(tmp_path / "m", text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        '{"Files": 3}',
        '{"Files": [3], "WAL-Ranges": []}',
        '{"Files": [], "WAL-Ranges": [3]}',
        '{"Files": [], "WAL-Ranges": [{"End-LSN": 3}]}',
        '{"Files": [], "WAL-Ranges": [{"End-LSN": "FFFFFFFFFF/0"}]}',
        '{"Files": [], "Files": [], "WAL-Ranges": []}',
        '{"Files": [], "WAL-Ranges": [], "System-Identifier": -1}',
        '{"Files": [], "WAL-Ranges": []} {}',
        '{"Files": [], "WAL-Ranges": [],}',
        '{"Files": [' + "[" * 30_000,
        '{"Files": ' + '{"a":' * 12_000,
        '{"Files": [{"Path": "' + "x" * 2_000_000 + '"}], "WAL-Ranges": []}',
        with_file(Path=3),
        with_file(Path=None),
        with_file(**{"Last-Modified": 3}),
        with_file(**{"Last-Modified": "2026-99-99 99:99:99 GMT"}),
        with_file(**{"Last-Modified": "9" * 100}),
        with_file().replace('"Size"', '"Size": 1, "Size"'),
        with_file().replace("base/1", "base/\ud800", 1).encode(errors="surrogatepass"),
        with_file().encode("utf-16"),
        with_file() + " " * 100_000,
        " " * 100_000 + with_file(),
    ],
    ids=range(27),
)
def test_nonsense_is_a_damaged_manifest(tmp_path: Path, text: str | bytes) -> None:
    """pg_verifybackup says what is wrong with it, when the backup is chosen."""
    assert read_manifest(written(tmp_path / "m", text)) is None


def test_a_manifest_of_many_files_takes_little_memory(tmp_path: Path) -> None:
    """A million files have a manifest of 200 MB."""
    entry = json.dumps(json.loads(with_file())["Files"][0])
    text = '{"Files": [' + ",\n".join([entry] * 100_000) + '], "WAL-Ranges": []}'
    path = written(tmp_path / "m", text)

    tracemalloc.start()
    try:
        manifest = read_manifest(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert manifest is not None
    assert manifest.files == 100_000
    assert peak < 6 * MIB < len(text)


def test_more_files_than_allowed_are_a_limit_of_ours(tmp_path: Path) -> None:
    """A real backup could have them, so a setting is named. A huge file is not even read."""
    path = written(tmp_path / "m", with_file())

    assert read_manifest(path, 1) is not None
    two = written(tmp_path / "two", with_file().replace("[{", '[{"Path": "x", "Size": 1}, {', 1))
    with pytest.raises(HarnessError, match="more than 1 files") as caught:
        read_manifest(two, 1)
    assert "max_files" in caught.value.hint
    os.truncate(path, 1 << 40)
    with pytest.raises(HarnessError, match="more than 1,000 files"):
        read_manifest(path, 1000)


@pytest.mark.parametrize("kind", ["fifo", "link", "directory"])
def test_only_a_regular_file_is_a_manifest(tmp_path: Path, kind: str) -> None:
    """A FIFO would hang the drill, before any deadline."""
    path = tmp_path / "backup_manifest"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()

    with pytest.raises(BackupNotRestorable, match="backup_manifest is"):
        read_manifest(path)
