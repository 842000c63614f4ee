"""Backups that were copied about: moved, with other modes, files of the desktop, a lost pg_wal."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.local_drill import Drilling, local_drill, local_run
from tests.real.worlds import copied

__all__ = ["local_drill", "local_run"]


@pytest.fixture(scope="module")
def origin() -> Iterator[Path]:
    """A base backup ``one`` with 100 rows, and an archive with 50 more."""
    place = short_directory()
    with Cluster.create(place, 15) as cluster:
        cluster.sql("create table ledger (i int primary key)")
        cluster.sql("insert into ledger select generate_series(1, 100)")
        # What a server leaves that was restored itself.
        (cluster.data / "backup_label.old").write_text("START WAL LOCATION: 0/1 (file x)\n")
        cluster.programs.account.own(cluster.data / "backup_label.old")
        cluster.base_backup(place / "one")
        cluster.sql("insert into ledger select generate_series(101, 150)")
        cluster.switch_wal()
    yield place
    shutil.rmtree(place)


def moved(backup: Path) -> None:
    """Open it to everybody."""
    for path in [backup, *backup.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def from_a_desktop(backup: Path) -> None:
    """Add what file managers and file systems add."""
    for folder in (backup, backup / "base", backup / "base" / "1", backup / "pg_tblspc"):
        (folder / ".DS_Store").write_bytes(b"Bud1")
    (backup / "global" / "Thumbs.db").touch()
    (backup / "._PG_VERSION").touch()
    (backup / "lost+found").mkdir(mode=0o700)


def without_wal(backup: Path) -> None:
    """Lose pg_wal, as a copy does that leaves out links."""
    shutil.rmtree(backup / "pg_wal")


@pytest.mark.parametrize("change", [moved, from_a_desktop, without_wal])
def test_a_backup_that_was_copied_about_is_whole(
    origin: Path, local_drill: Drilling, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Nothing of it is damage."""
    backup = copied(origin / "one", tmp_path / "renamed backup")
    change(backup)

    drilled = local_drill(BasebackupSource("shop", str(backup), wal=str(origin / "archive")))

    assert drilled.rows() == 150
    assert drilled.verdict_of("manifest") == "passed", drilled.message_of("manifest")


def test_a_file_that_belongs_to_nothing_is_still_found(
    origin: Path, local_drill: Drilling, tmp_path: Path
) -> None:
    """A stranger's file may be read by the server."""
    backup = copied(origin / "one", tmp_path / "one")
    from_a_desktop(backup)
    (backup / "base" / "1" / "99999").write_bytes(bytes(8192))

    drilled = local_drill(BasebackupSource("shop", str(backup), wal=str(origin / "archive")))

    assert drilled.verdict_of("manifest") == "failed"
    assert '"base/1/99999" is present on disk but not in the manifest' in drilled.message_of(
        "manifest"
    )


def test_the_newest_segment_may_arrive_during_the_drill(
    origin: Path, local_drill: Drilling, tmp_path: Path
) -> None:
    """What is short at first, and whole a moment later, is no finding."""
    archive = copied(origin / "archive", tmp_path / "archive")
    newest = max(path for path in archive.iterdir() if len(path.name) == 24)
    whole = newest.read_bytes()
    newest.write_bytes(whole[:1000])
    arrival = threading.Timer(1.5, newest.write_bytes, [whole])
    arrival.start()

    drilled = local_drill(BasebackupSource("shop", str(origin / "one"), wal=str(archive)))
    arrival.join()

    assert drilled.rows() == 150
