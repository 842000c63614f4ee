"""Directories of backups that somebody made to harm: nothing outside is read, nothing hangs."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError
from pytest_pgrestore.sources import trees
from pytest_pgrestore.sources.copying import LARGEST_WAL_FILE, copy_file, copy_plain
from pytest_pgrestore.sources.trees import copy_tree, open_directory, require_no_links
from tests.unit.sources.backup_files import MIB, gzip_zeros


def copied(source: Path, into: Path) -> int:
    """Copy a tree to a new directory."""
    into.mkdir()
    return copy_tree(source, into)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A directory with one file."""
    path = tmp_path / "backup"
    (path / "base" / "1").mkdir(parents=True)
    (path / "base" / "1" / "1259").write_bytes(b"rows")
    return path


def test_a_fifo_is_refused_by_its_name(backup: Path, tmp_path: Path) -> None:
    """Left out, a table would be missing; opened, the drill would hang."""
    os.mkfifo(backup / "base" / "1" / "1249")

    with pytest.raises(BackupNotRestorable, match="base/1/1249 is a FIFO"):
        copied(backup, tmp_path / "data")


def test_the_socket_of_a_server_is_left_out(backup: Path, tmp_path: Path) -> None:
    """A snapshot of a running server may have it; no other socket is one of a server."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(backup / ".s.PGSQL.5432"))

    assert copied(backup, tmp_path / "data") == 1
    (backup / ".s.PGSQL.5432").rename(backup / "base" / "1" / "1249")
    with pytest.raises(BackupNotRestorable, match="base/1/1249 is a FIFO, a device or a socket"):
        copied(backup, tmp_path / "again")


def test_a_link_is_copied_as_a_link(backup: Path, tmp_path: Path) -> None:
    """What it leads to is not read. The quarantine refuses the link later."""
    (tmp_path / "secret").write_text("secret")
    (backup / "base" / "1" / "1249").symlink_to(tmp_path / "secret")
    (backup / "global").symlink_to(tmp_path)

    assert copied(backup, tmp_path / "data") == 1
    assert (tmp_path / "data" / "global").is_symlink()
    with pytest.raises(BackupNotRestorable, match="is a link"), open_directory(backup) as opened:
        require_no_links(opened, "backup")


@pytest.mark.parametrize("harm", ["link", "fifo", "gone", "directory"])
def test_what_is_put_in_the_place_of_a_file_is_noticed(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    """Somebody writes to the backup after we listed its names and before we open them."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    listed = trees.entries_of

    def list_then_harm(directory: int, place: str, without: tuple[str, ...] = ()) -> trees.Entries:
        found = listed(directory, place, without)
        if found.files:
            path = Path(place) / found.files[0]
            path.unlink()
            kinds: dict[str, Callable[[], object]] = {
                "link": lambda: path.symlink_to(secret),
                "fifo": lambda: os.mkfifo(path),
                "gone": lambda: None,
                "directory": path.mkdir,
            }
            kinds[harm]()
        return found

    monkeypatch.setattr(trees, "entries_of", list_then_harm)

    with pytest.raises((BackupNotRestorable, HarnessError), match="base/1/1259"):
        copied(backup, tmp_path / "data")
    assert not [
        path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.read_bytes()
    ]


def test_a_directory_that_became_a_link_is_noticed(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its files would be another directory's."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "1259").write_text("secret")
    listed = trees.entries_of

    def list_then_harm(directory: int, place: str, without: tuple[str, ...] = ()) -> trees.Entries:
        found = listed(directory, place, without)
        if found.folders == ["1"]:
            (backup / "base" / "1").rename(tmp_path / "elsewhere")
            (backup / "base" / "1").symlink_to(foreign)
        return found

    monkeypatch.setattr(trees, "entries_of", list_then_harm)

    with pytest.raises(HarnessError, match="base/1 changed while it was copied"):
        copied(backup, tmp_path / "data")
    assert not list((tmp_path / "data").rglob("1259"))


def test_a_tree_deeper_than_any_other_is_refused(backup: Path, tmp_path: Path) -> None:
    """Each level costs an open directory. No path is too long for names inside open directories."""
    deepest = os.open(backup, os.O_RDONLY)
    for _ in range(50):
        os.mkdir("d" * 10, dir_fd=deepest)
        inner = os.open("d" * 10, os.O_RDONLY, dir_fd=deepest)
        os.close(deepest)
        deepest = inner
    os.close(deepest)

    with pytest.raises(BackupNotRestorable, match="32 directories deep"):
        copied(backup, tmp_path / "data")


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_single_file_is_regular(tmp_path: Path, kind: str) -> None:
    """A manifest, for example, that is copied beside the tars."""
    path = tmp_path / "backup_manifest"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")

    with pytest.raises(BackupNotRestorable, match="backup_manifest is"):
        copy_file(path, tmp_path / "copy")


def test_a_wal_file_unpacks_to_a_segment_at_most(tmp_path: Path) -> None:
    """No segment is larger than 1 GiB; the disk is larger than that."""
    path = tmp_path / "000000010000000000000001.gz"
    path.write_bytes(gzip_zeros(4 * LARGEST_WAL_FILE))

    with pytest.raises(BackupNotRestorable, match="no file of its kind is that large"):
        copy_plain(path, tmp_path / "copy", 128 * MIB)
    assert (tmp_path / "copy").stat().st_size <= 129 * MIB
