"""Base backups and archives that are damaged, beside healthy ones: the report names the damage."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pgrestore.demo import damage
from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.model.wal import is_segment_name
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.worlds import MAJORS, ROWS, Drilled, World, as_root, copied

Drilling = Callable[..., Drilled]
Worlds = Callable[[int], World]


def segments(archive: Path) -> list[Path]:
    """Return the segments of an archive, in order."""
    return sorted(path for path in archive.iterdir() if is_segment_name(path.name))


def remove(archive: Path) -> None:
    """Take the last segment but one away."""
    segments(archive)[-2].unlink()


def flip(archive: Path) -> None:
    """Invert one byte in the middle of a record of the last segment."""
    damage.flip(segments(archive)[-1], 0x1500)


def verdict_and_words(drilled: Drilled) -> tuple[str, str]:
    """Return the verdict of the drill, and every word said about it."""
    record = drilled.result.record
    return record.verdict().value, "\n".join(
        [drilled.cause, *(check.message for check in record.checks)]
    )


@pytest.mark.parametrize("major", MAJORS)
def test_a_damaged_record_is_told_from_the_end_of_the_archive(
    worlds: Worlds, drill: Drilling, tmp_path: Path, major: int
) -> None:
    """PostgreSQL takes it for the end of WAL; other damage is in test_basebackup_archive.py."""
    archive = copied(worlds(major).archive, tmp_path / "archive")
    flip(archive)

    verdict, said = verdict_and_words(
        drill(
            BasebackupSource("shop", str(worlds(major).backup()), wal=str(archive)), database="shop"
        )
    )

    assert verdict == "failed"
    assert "replay ended at damaged WAL" in said


def test_a_time_behind_a_hole_is_refused_before_the_restore(
    worlds: Worlds, drill: Drilling, tmp_path: Path
) -> None:
    """The hole is the reason, and it is found without waiting for a restore."""
    archive = copied(worlds(18).archive, tmp_path / "archive")
    target, _ = worlds(18).points["time"]
    remove(archive)

    drilled = drill(
        BasebackupSource("shop", str(worlds(18).backup()), wal=str(archive)),
        target,
        database="shop",
    )

    assert [phase.name for phase in drilled.result.record.phases] == ["locate"]
    assert "is missing" in drilled.cause


def test_a_segment_of_another_cluster_is_refused(
    worlds: Worlds, drill: Drilling, tmp_path: Path
) -> None:
    """Two servers that archive to one place: the names are the same, the bytes are not."""
    archive = copied(worlds(18).archive, tmp_path / "archive")
    victim = segments(archive)[-1]
    directory = short_directory()
    try:
        with Cluster.create(directory, 18) as other:
            while not (other.archive / victim.name).exists():
                other.switch_wal()
        shutil.copyfile(directory / "archive" / victim.name, victim)
    finally:
        shutil.rmtree(directory)

    drilled = drill(
        BasebackupSource("shop", str(worlds(18).backup()), wal=str(archive)), database="shop"
    )

    assert "the newest WAL is that of another cluster" in drilled.cause


def table_file(backup: Path) -> Path:
    """Return the largest file of a database in a plain backup."""
    files = [
        path for path in (backup / "base").rglob("*") if path.is_file() and path.name.isdigit()
    ]
    return max(files, key=lambda path: path.stat().st_size)


BACKUP_FAULTS: list[tuple[str, Callable[[Path], None], str, str]] = [
    (
        "page zeroed",
        lambda backup: damage.zero_page(table_file(backup)),
        "failed",
        "checksum mismatch",
    ),
    ("label lost", lambda backup: (backup / "backup_label").unlink(), "failed", "backup_label"),
    (
        "pg_control lost",
        lambda backup: (backup / "global" / "pg_control").unlink(),
        "failed",
        "pg_control",
    ),
    (
        "manifest lost",
        lambda backup: (backup / "backup_manifest").unlink(),
        "could not verify",
        "no manifest",
    ),
    (
        "manifest cut",
        lambda backup: damage.cut(backup / "backup_manifest", 0.5),
        "failed",
        "manifest",
    ),
]


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize(
    ("fault", "verdict", "words"),
    [case[1:] for case in BACKUP_FAULTS],
    ids=[case[0] for case in BACKUP_FAULTS],
)
def test_damaged_files_are_found_by_the_manifest(
    worlds: Worlds,
    drill: Drilling,
    tmp_path: Path,
    major: int,
    fault: Callable[[Path], None],
    verdict: str,
    words: str,
) -> None:
    """Checksums, amcheck and count(*) see nothing wrong with a zeroed page or a short file."""
    backup = copied(worlds(major).backup(), tmp_path / "one")
    fault(backup)

    found, said = verdict_and_words(
        drill(
            BasebackupSource("shop", str(backup), wal=str(worlds(major).archive)), database="shop"
        )
    )

    assert found == verdict
    assert words in said


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.lz4", "tar.zst"])
@pytest.mark.parametrize("fraction", [0.6, 0.999])
def test_a_tar_that_was_cut_never_passes(
    worlds: Worlds, drill: Drilling, tmp_path: Path, form: str, fraction: float
) -> None:
    """A cut between two members, and one before the label, are in test_basebackup_damage.py."""
    backup = copied(worlds(17).backup(form), tmp_path / "one")
    tar = next(backup.glob("base.tar*"))
    damage.cut(tar, fraction)

    drilled = drill(
        BasebackupSource("shop", str(backup), wal=str(worlds(17).archive)), database="shop"
    )

    assert drilled.result.record.verdict() == "failed"
    assert f"{tar.name} is" in drilled.cause


def test_a_missing_tablespace_is_named(worlds: Worlds, drill: Drilling, tmp_path: Path) -> None:
    """A server would open without it, and nobody would know until somebody reads the table."""
    backup = copied(worlds(18).backup(), tmp_path / "one")
    link = next((backup / "pg_tblspc").iterdir())
    link.unlink()
    link.symlink_to("/nonexistent/space")

    drilled = drill(
        BasebackupSource("shop", str(backup), wal=str(worlds(18).archive)), database="shop"
    )

    assert "which is not there" in drilled.cause
    assert drilled.result.record.verdict() == "failed"


def test_a_backup_of_another_major_is_never_started(
    worlds: Worlds, drill: Drilling, tmp_path: Path
) -> None:
    """Nothing is learned about a backup whose server is not here."""
    backup = copied(worlds(18).backup(), tmp_path / "one")
    (backup / "PG_VERSION").write_text("13\n")

    drilled = drill(
        BasebackupSource("shop", str(backup), wal=str(worlds(18).archive)), database="shop"
    )

    assert drilled.result.record.verdict() == "could not verify"
    words = (
        "no PostgreSQL 13 server programs found (looked at",
        "image pgrestore-test-base:13 is not on this machine",
    )
    assert drilled.cause.startswith(words)
    assert "HINT: " in drilled.cause


@pytest.mark.parametrize(
    ("path", "wal", "verdict", "words"),
    [
        ("nowhere", "archive", "could not verify", "is not there"),
        ("empty", "archive", "failed", "no backup in"),
        ("backups/plain/one", "nowhere", "could not verify", "cannot be read"),
    ],
)
def test_a_place_that_is_not_there_is_told_from_an_empty_one(
    worlds: Worlds, drill: Drilling, path: str, wal: str, verdict: str, words: str
) -> None:
    """A missing mount is not the backup's fault; an empty directory is a failed backup."""
    directory = worlds(18).directory
    (directory / "empty").mkdir(exist_ok=True)

    found, said = verdict_and_words(
        drill(
            BasebackupSource("shop", str(directory / path), wal=str(directory / wal)),
            database="shop",
        )
    )

    assert found == verdict
    assert words in said


def test_a_database_that_is_not_in_the_backup_is_named(worlds: Worlds, drill: Drilling) -> None:
    """The message says which databases there are."""
    source = BasebackupSource("shop", str(worlds(18).backup()), wal=str(worlds(18).archive))

    drilled = drill(source, database="warehouse")

    assert "database 'warehouse' is not in the backup; it holds postgres, shop" in drilled.cause
    assert drilled.result.record.verdict() == "failed"


def test_a_full_disk_is_not_the_backups_fault(worlds: Worlds, tmp_path: Path) -> None:
    """Found before the restore where the sizes tell; needs a small file system of its own."""
    from pytest_pgrestore.model.drill import Drill
    from pytest_pgrestore.restore.drill import DrillSettings, finish_drill, run_drill
    from pytest_pgrestore.sandboxes.local.run import LocalRun
    from pytest_pgrestore.sandboxes.settings import LocalSettings

    if not as_root():
        assert os.environ.get("CI") != "true", "CI runs as root, or this would not be tested at all"
        pytest.skip("needs root, who can mount a small file system; CI runs as root")
    place = short_directory()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", str(place)], check=True
    )
    try:
        run = LocalRun.open(LocalSettings(directory=place), "full")
        source = BasebackupSource("shop", str(worlds(18).backup()), wal=str(worlds(18).archive))
        result = run_drill(
            Drill("shop"),
            source,
            DrillSettings(),
            run,
            log_directory=tmp_path / "logs",
            progress=print,
        )
        finish_drill(run, "shop@latest", result.access, tmp_path / "logs")
        run.close()
    finally:
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()

    assert result.record.failure is not None
    assert "the restore needs about" in result.record.failure.problem
    assert result.record.verdict() == "could not verify"


@pytest.mark.parametrize("major", MAJORS)
def test_a_healthy_backup_passes_every_one_of_these_checks(
    worlds: Worlds, drill: Drilling, major: int
) -> None:
    """The other direction: nothing fires on what is whole."""
    source = BasebackupSource("shop", str(worlds(major).backup()), wal=str(worlds(major).archive))

    drilled = drill(source, database="shop")

    assert drilled.rows() == ROWS
    assert drilled.result.record.verdict() == "passed"
    assert {check.verdict.value for check in drilled.result.record.checks} == {"passed"}
