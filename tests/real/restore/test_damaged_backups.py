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


def truncate(archive: Path) -> None:
    """Cut the last segment in half."""
    damage.cut(segments(archive)[-1], 0.5)


def blank(archive: Path) -> None:
    """Fill the last segment with zeros."""
    path = segments(archive)[-1]
    path.write_bytes(bytes(path.stat().st_size))


def swap(archive: Path) -> None:
    """Put another segment's bytes under the last one's name."""
    found = segments(archive)
    shutil.copyfile(found[-2], found[-1])


def flip(archive: Path) -> None:
    """Invert one byte in the middle of a record of the last segment."""
    damage.flip(segments(archive)[-1], 0x1500)


def empty(archive: Path) -> None:
    """Take every segment away."""
    for path in segments(archive):
        path.unlink()


ARCHIVE_FAULTS: list[tuple[Callable[[Path], None], str]] = [
    (remove, "is missing from the archive"),
    (truncate, "bytes long instead of"),
    (blank, "does not begin like WAL"),
    (swap, "it is a copy of another segment"),
    (flip, "replay ended at damaged WAL"),
    (empty, "holds no segment this backup needs"),
]


def verdict_and_words(drilled: Drilled) -> tuple[str, str]:
    """Return the verdict of the drill, and every word said about it."""
    record = drilled.result.record
    return record.verdict().value, "\n".join(
        [drilled.cause, *(check.message for check in record.checks)]
    )


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize(
    ("fault", "words"), ARCHIVE_FAULTS, ids=[fault.__name__ for fault, _ in ARCHIVE_FAULTS]
)
def test_a_damaged_archive_is_told_from_its_end(
    worlds: Worlds,
    drill: Drilling,
    tmp_path: Path,
    major: int,
    fault: Callable[[Path], None],
    words: str,
) -> None:
    """PostgreSQL takes each of these for the end of WAL and opens with fewer rows."""
    archive = copied(worlds(major).archive, tmp_path / "archive")
    fault(archive)

    verdict, said = verdict_and_words(
        drill(
            BasebackupSource("shop", str(worlds(major).backup()), wal=str(archive)), database="shop"
        )
    )

    assert verdict == "failed"
    assert words in said


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

    assert "is from another database cluster" in drilled.cause


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
    ("file cut", lambda backup: damage.cut(table_file(backup), 0.5), "failed", "has size"),
    (
        "byte flipped",
        lambda backup: damage.flip(table_file(backup), 5000),
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


def test_a_manifest_without_checksums_proves_nothing(drill: Drilling) -> None:
    """pg_verifybackup says "successfully verified" on it, whatever the files hold."""
    directory = short_directory()
    try:
        with Cluster.create(directory, 18) as cluster:
            cluster.base_backup(directory / "one", "--manifest-checksums=NONE")
        drilled = drill(BasebackupSource("shop", str(directory / "one")), database="postgres")
        assert drilled.verdict_of("manifest") == "could not verify"
    finally:
        shutil.rmtree(directory)


def test_verify_can_be_switched_off_and_the_report_says_so(worlds: Worlds, drill: Drilling) -> None:
    """Left out by a person is not the same as checked."""
    source = BasebackupSource(
        "shop", str(worlds(18).backup()), wal=str(worlds(18).archive), verify=False
    )

    record = drill(source, database="shop").result.record

    assert "manifest" not in {check.name for check in record.checks}
    assert any("verify = false" in text for text in record.not_checked)


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.lz4", "tar.zst"])
@pytest.mark.parametrize("fraction", [0.0, 0.6, 0.999])
def test_a_tar_that_was_cut_never_passes(
    worlds: Worlds, drill: Drilling, tmp_path: Path, form: str, fraction: float
) -> None:
    """Tar itself ends with status 0 when the cut lies at a member's border."""
    backup = copied(worlds(17).backup(form), tmp_path / "one")
    tar = next(backup.glob("base.tar*"))
    if fraction:
        damage.cut(tar, fraction)
    else:
        cut_at_a_member(tar, form)

    drilled = drill(
        BasebackupSource("shop", str(backup), wal=str(worlds(17).archive)), database="shop"
    )

    assert drilled.result.record.verdict() == "failed"


def cut_at_a_member(tar: Path, form: str) -> None:
    """Cut a plain tar just before its last member; a compressed one near its end."""
    import tarfile

    if form != "tar":
        damage.cut(tar, 0.9)
        return
    with tarfile.open(tar) as archive:
        last = archive.getmembers()[-1].offset
    os.truncate(tar, last)


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


def test_the_archive_of_a_later_timeline_is_followed_or_not_as_asked(drill: Drilling) -> None:
    """After a failover the newest commits are on another timeline; without a word recovery would go the wrong way."""
    directory = short_directory()
    try:
        with Cluster.create(directory, 18) as cluster:
            cluster.sql("create table ledger (i int)")
            cluster.sql("insert into ledger values (1)")
            cluster.base_backup(directory / "one")
            cluster.sql("insert into ledger values (2)")
            cluster.switch_wal()
            cluster.stop()
            (cluster.data / "standby.signal").touch()
            cluster.start({"restore_command": f"cp {cluster.archive}/%f %p"})
            cluster.sql("select pg_promote()")
            cluster.sql("insert into ledger values (3)")
            cluster.switch_wal()
        source = BasebackupSource("shop", str(directory / "one"), wal=str(directory / "archive"))
        newest = drill(source, database="postgres")
        current = drill(source, timeline="current", database="postgres")
        rows = (newest.rows(), current.rows())
    finally:
        shutil.rmtree(directory)

    assert rows == (3, 2)
    assert any("timelines 1 to 2" in note for note in newest.result.record.notes)


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
