"""Holes and damage in archived WAL, which PostgreSQL takes for its end."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pgrestore.demo.damage import cut, flip
from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, TargetUnreachable
from pytest_pgrestore.model.target import AtLsn, AtName, AtTime, Immediate, Latest
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from pytest_pgrestore.sources.wal import in_flight
from tests.real.basebackup_fixtures import (
    World,
    archive,
    copy_of,
    drill,
    fetched,
    locate_request,
    on_majors,
    source,
    world,
)

__all__ = ["archive", "source", "world"]

pytestmark = on_majors(15, 17, 18)


@pytest.fixture(autouse=True)
def nothing_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests damage does not arrive later: tests/unit/sources/test_wal_in_flight.py."""
    monkeypatch.setattr(in_flight, "STILL_SECONDS", 0.0)


@pytest.fixture
def damaged(world: World, archive: Path) -> BasebackupSource:
    """The older backup, which needs most of the archive."""
    return BasebackupSource("shop", str(world.backups / "a"), wal=str(archive))


@pytest.mark.parametrize(
    "tool",
    ["gzip -q", "bzip2 -q", "lz4 -m --rm -qf", "zstd --rm -qf"],
    ids=lambda tool: tool.split()[0],
)
def test_a_compressed_archive_works_like_a_plain_one(
    world: World, run: Run, archive: Path, damaged: BasebackupSource, tool: str
) -> None:
    """Recovery, the search for a transaction, and the refusal of a target that is not there."""
    for segment in list(archive.iterdir()):
        subprocess.run([*tool.split(), str(segment)], check=True)

    assert drill(damaged, run).rows == (300, 300)
    assert drill(
        BasebackupSource("shop", str(world.backups), wal=str(archive)), run, AtName("two")
    ).rows == (200, 200)
    with pytest.raises(TargetUnreachable, match="after the last commit"):
        damaged.locate(locate_request(run, AtTime(world.marks["three"].when)))


def test_a_hole_fails_latest_and_is_named(
    damaged: BasebackupSource, run: Run, archive: Path
) -> None:
    """The drill fails before anything is restored that looks like the latest state."""
    segments = _segments(archive, damaged, run)
    segments[-2].unlink()

    with pytest.raises(
        BackupNotRestorable,
        match=rf"{segments[-2].name} is missing from the archive; 1 later segments",
    ):
        damaged.locate(locate_request(run))


@pytest.mark.parametrize("place", [-1, -2], ids=["newest", "inside"])
def test_wal_in_an_unknown_form_is_no_finding_about_the_backup(
    damaged: BasebackupSource, run: Run, archive: Path, place: int
) -> None:
    """Nothing says what it holds. What lies before it can be reached."""
    segment = _segments(archive, damaged, run)[place]
    segment.rename(archive / f"{segment.name}.gpg")

    with pytest.raises(HarnessError, match=rf"from {segment.name}\.gpg on: \.gpg is an encrypted"):
        damaged.locate(locate_request(run))
    assert damaged.locate(locate_request(run, AtName("two"))).backup.label == "a"


def test_what_lies_before_a_hole_can_be_reached(
    damaged: BasebackupSource, run: Run, archive: Path
) -> None:
    """The target is reached, and the evidence names the hole."""
    segments = _segments(archive, damaged, run)
    segments[-2].unlink()

    restored = drill(damaged, run, AtName("two"))

    assert (restored.problem, restored.rows) == ("", (200, 200))
    assert "is missing" in restored.check("archive").message


def test_a_target_behind_a_hole_names_it(
    world: World, damaged: BasebackupSource, run: Run, archive: Path
) -> None:
    """An LSN is refused before the restore; a name fails after it."""
    segments = _segments(archive, damaged, run)
    segments[-2].unlink()
    missing = f"{segments[-2].name} is missing"

    with pytest.raises(TargetUnreachable, match=missing):
        damaged.locate(locate_request(run, AtLsn(world.marks["three"].lsn)))
    assert missing in drill(damaged, run, AtName("three")).problem


def test_a_hole_inside_the_backup_fails_every_target(world: World, run: Run, archive: Path) -> None:
    """The backup needs its first segment to become consistent."""
    bare = BasebackupSource("shop", str(world.backups / "a"), wal=str(archive))
    first = _segments(archive, bare, run)[0]
    first.unlink()
    # The backup's own pg_wal contains the segment, too.
    assert bare.locate(locate_request(run)).archive_end is not None
    backup = copy_of(world.backups / "a", archive.parent)
    (backup / "pg_wal" / first.name).unlink()

    for target in (Latest(), Immediate(), AtName("two")):
        with pytest.raises(
            BackupNotRestorable, match=f"become consistent is not complete.*{first.name} is missing"
        ):
            BasebackupSource("shop", str(backup), wal=str(archive)).locate(
                locate_request(run, target)
            )


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda segment, _: cut(segment, 0.5), "cut short"),
        (
            lambda segment, _: segment.write_bytes(bytes(segment.stat().st_size)),
            "begin like WAL but with zeros",
        ),
        (lambda segment, other: shutil.copyfile(other, segment), "it is a copy of another segment"),
        (lambda segment, _: flip(segment, 0), "not written by PostgreSQL"),
        (lambda segment, _: segment.write_bytes(b""), "cut short"),
    ],
    ids=["cut", "zeroed", "other-segment", "magic", "empty"],
)
def test_a_damaged_segment_is_found_before_the_restore(
    damaged: BasebackupSource,
    run: Run,
    archive: Path,
    harm: Callable[[Path, Path], object],
    words: str,
) -> None:
    """PostgreSQL opens with fewer rows on most kinds of damage."""
    segments = _segments(archive, damaged, run)
    harm(segments[-1], segments[-2])

    with pytest.raises(BackupNotRestorable, match=words) as caught:
        damaged.locate(locate_request(run))
    assert segments[-1].name in caught.value.problem
    assert drill(damaged, run, AtName("two")).rows == (200, 200)


def test_a_compressed_segment_cut_short_is_found(
    damaged: BasebackupSource, run: Run, archive: Path
) -> None:
    """Its first bytes are fine, so only decompressing it shows the damage."""
    segment = _segments(archive, damaged, run)[-1]
    packed = segment.with_name(segment.name + ".gz")
    packed.write_bytes(gzip.compress(segment.read_bytes()))
    segment.unlink()
    cut(packed, 0.7)

    restored = drill(damaged, run)

    assert restored.record.verdict() is Verdict.FAILED
    assert "cut short" in restored.problem


def test_only_the_wal_that_is_needed_is_copied(
    world: World, source: BasebackupSource, run: Run
) -> None:
    """An archive contains weeks of WAL; a target near the backup needs minutes of it."""
    chosen = source.locate(locate_request(run, AtLsn(world.marks["two"].lsn)))
    sandbox = fetched(source, run, chosen)

    source.stage_wal(chosen, sandbox)
    staged = {entry.name for entry in (sandbox.data / "pg_wal").iterdir() if len(entry.name) == 24}

    every = {entry.name for entry in world.archive.iterdir() if len(entry.name) == 24}
    assert staged
    assert max(staged) < max(every)


def test_an_archive_of_something_else_is_refused(world: World, run: Run, tmp_path: Path) -> None:
    """The backup's own WAL would restore it, and hide that nothing is archived any more."""
    source = BasebackupSource("shop", str(world.backups / "a"), wal=str(tmp_path))

    with pytest.raises(BackupNotRestorable, match="holds no segment this backup needs"):
        source.locate(locate_request(run))


def test_segments_being_received_are_said_and_not_used(
    damaged: BasebackupSource, run: Run, archive: Path
) -> None:
    """A .partial file is an incomplete segment."""
    segment = _segments(archive, damaged, run)[-1]
    segment.rename(segment.with_name(segment.name + ".partial"))

    chosen = damaged.locate(locate_request(run))

    assert f"not used, because not complete: {segment.name}.partial" in chosen.notes


def _segments(archive: Path, source: BasebackupSource, run: Run) -> list[Path]:
    """Return the segments of the archive that the source's backup needs, in order."""
    start = source.locate(locate_request(run)).backup.start_lsn or Lsn(0)
    named = sorted(path for path in archive.iterdir() if len(path.name) == 24)
    return [
        path
        for path in named
        if int(path.name[8:16], 16) * 4096 + int(path.name[16:], 16) >= start >> 20
    ]
