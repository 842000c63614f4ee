"""The listing of the repository: changes that count, and those a live production makes itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pgrestore.checks.repository import (
    BEING_WRITTEN_SECONDS,
    Listing,
    compare,
    look_again,
    remember,
)
from pytest_pgrestore.model.verdict import Verdict

SEGMENT = "000000020000000000000005"
LATER = "000000020000000000000006"
LONG_AGO = 10 * BEING_WRITTEN_SECONDS


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A backup and an archive, as they were hours ago."""
    backup, archive = tmp_path / "backup", tmp_path / "archive"
    (backup / "base").mkdir(parents=True)
    archive.mkdir()
    for path in (backup / "base" / "1", archive / SEGMENT, archive / "00000002.history"):
        path.write_bytes(b"x" * 100)
        _age(path)
    return backup, archive


def _age(path: Path) -> None:
    moment = path.stat().st_mtime - LONG_AGO
    os.utime(path, (moment, moment))


Act = Callable[[Path, Path], object]
TOUCHED: dict[str, Act] = {
    "a file of the backup grew": lambda backup, _: (backup / "base" / "1").write_bytes(b"x" * 101),
    "a file of the backup was written again": lambda backup, _: (backup / "base" / "1").write_bytes(
        b"y" * 100
    ),
    "a file of the backup is gone": lambda backup, _: (backup / "base" / "1").unlink(),
    "a file in the backup is new": lambda backup, _: (backup / "standby.signal").touch(),
    "a segment was cleaned away": lambda _, archive: (archive / SEGMENT).unlink(),
    "a segment was written again": lambda _, archive: (archive / SEGMENT).write_bytes(b"y" * 100),
    "an old segment grew": lambda _, archive: (archive / SEGMENT).write_bytes(b"y" * 200),
    "a copy was promoted": lambda _, archive: (archive / "00000003.history").touch(),
    "a copy archived": lambda _, archive: (archive / "000000030000000000000006.gz").touch(),
    "a timeline left behind goes on": lambda _, archive: (
        archive / "000000010000000000000006"
    ).touch(),
}
BY_ITSELF: dict[str, Act] = {
    "nothing": lambda *_: None,
    "production archived": lambda _, archive: (archive / LATER).touch(),
    "production took a backup": lambda _, archive: (archive / f"{LATER}.00000028.backup").touch(),
    "a receiver goes on": lambda _, archive: (archive / f"{LATER}.partial").touch(),
}


@pytest.mark.parametrize("act", TOUCHED.values(), ids=TOUCHED.keys())
def test_what_nobody_but_a_copy_would_do_is_seen(places: tuple[Path, Path], act: Act) -> None:
    """Each is something a copy that was not kept away has done to a real archive."""
    before = Listing.from_dict(Listing.take(places[:1], places[1:]).to_dict())

    act(*places)
    check = compare(before, Listing.take(places[:1], places[1:]))

    assert check.verdict is Verdict.COULD_NOT_VERIFY
    assert "the repository changed during the drill" in check.message
    assert check.observed == "1 differences"


@pytest.mark.parametrize("act", BY_ITSELF.values(), ids=BY_ITSELF.keys())
def test_what_production_does_meanwhile_is_not_held_against_the_drill(
    places: tuple[Path, Path], act: Act
) -> None:
    """An archive is alive: a check that cries every time is switched off."""
    before = Listing.take(places[:1], places[1:])

    act(*places)
    check = compare(before, Listing.take(places[:1], places[1:]))

    assert check.verdict is Verdict.PASSED
    assert "3 files" in check.message


def test_a_segment_that_is_just_being_copied_may_grow(places: tuple[Path, Path]) -> None:
    """archive_command is `cp` in many places, and no atomic rename."""
    fresh = places[1] / LATER
    fresh.write_bytes(b"x" * 50)
    before = Listing.take(places[:1], places[1:])

    fresh.write_bytes(b"x" * 100)

    assert compare(before, Listing.take(places[:1], places[1:])).verdict is Verdict.PASSED
    fresh.unlink()
    assert compare(before, Listing.take(places[:1], places[1:])).verdict is Verdict.COULD_NOT_VERIFY


@pytest.mark.parametrize("made", [False, True], ids=["not there", "empty"])
def test_a_backup_of_which_no_file_was_seen_is_not_untouched(
    places: tuple[Path, Path], tmp_path: Path, *, made: bool
) -> None:
    """The tool read another repository than the evidence names: zero files never pass."""
    elsewhere = tmp_path / "elsewhere"
    if made:
        elsewhere.mkdir()
    remember([places[0], elsewhere], [places[1]], tmp_path / "state")

    (check,) = look_again(tmp_path / "state")

    assert check.verdict is Verdict.COULD_NOT_VERIFY
    assert f"no file of the backup was found in {elsewhere};" in check.message


def test_a_backup_without_archived_wal_is_compared(
    places: tuple[Path, Path], tmp_path: Path
) -> None:
    """An archive may be empty; the backup is not. One of its places may be a file."""
    remember([places[0], next(places[1].iterdir())], [tmp_path / "empty"], tmp_path / "state")

    (check,) = look_again(tmp_path / "state")

    assert check.verdict is Verdict.PASSED


def test_a_link_to_the_newest_backup_is_the_backup(tmp_path: Path) -> None:
    """``latest.dump`` of many jobs. A file behind it that changes is seen."""
    dump, link = tmp_path / "shop-2026-03-01.dump", tmp_path / "latest.dump"
    dump.write_bytes(b"x" * 100)
    link.symlink_to(dump.name)
    remember([link], [], tmp_path / "state")

    (before,) = look_again(tmp_path / "state")
    dump.write_bytes(b"x" * 101)
    (after,) = look_again(tmp_path / "state")

    assert before.verdict is Verdict.PASSED
    assert f"{link} changed" in after.message


def test_a_source_without_files_on_this_machine_has_no_such_check(tmp_path: Path) -> None:
    """Its repository is in a store."""
    remember([], [], tmp_path / "state")

    assert look_again(tmp_path / "state") == []
