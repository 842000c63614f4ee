"""What somebody put beside a good backup: it does not stop the good one, and is not passed over."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.model.target import Latest, RecoveryTarget
from pytest_pgrestore.sources.basebackup.catalogue import Catalogue, read_catalogue
from pytest_pgrestore.sources.basebackup.no_backups import require_none_newer
from pytest_pgrestore.sources.protocol import LocateRequest
from pytest_pgrestore.sources.selection import choose
from pytest_pgrestore.sources.wal.segments import WalFiles
from tests.unit.sources.backup_files import MIB, tar_of
from tests.unit.sources.test_backup_directory import LABEL, MANIFEST, plain

LONG_AGO = 1_000_000_000
FAR_AHEAD = 4_000_000_000


def bomb(path: Path) -> None:
    """Make a tar backup whose label never ends."""
    path.mkdir()
    tar_of(path / "base.tar", ("backup_label", bytes(20 * MIB)))
    (path / "base.tar.gz").write_bytes(gzip.compress((path / "base.tar").read_bytes()))
    (path / "base.tar").unlink()


def replaced(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return what makes a plain backup with something else in the place of one file."""

    def harm(path: Path) -> None:
        plain(path)
        (path / name).unlink()
        make(path / name)

    return harm


def only(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return what makes a directory with nothing but one thing of this name."""

    def harm(path: Path) -> None:
        path.mkdir()
        make(path / name)

    return harm


def too_large(path: Path) -> None:
    """Make a file of 1 TB without content."""
    path.touch()
    os.truncate(path, 1 << 40)


def zero(path: Path) -> None:
    """Make a link that can be read for ever."""
    path.symlink_to("/dev/zero")


def with_map_of_zeros(path: Path) -> None:
    """Make a plain backup with an endless tablespace map."""
    zero(plain(path) / "tablespace_map")


def label_of(text: str | bytes) -> Callable[[Path], None]:
    """Return what makes a plain backup with this label."""
    content = text.encode() if isinstance(text, str) else text
    return replaced("backup_label", lambda path: path.write_bytes(content))


EVIL: dict[str, Callable[[Path], None]] = {
    "fifo as manifest": replaced("backup_manifest", os.mkfifo),
    "fifo as label": replaced("backup_label", os.mkfifo),
    "fifo as version": replaced("PG_VERSION", os.mkfifo),
    "fifo as control file": replaced("global/pg_control", os.mkfifo),
    "directory as label": replaced("backup_label", Path.mkdir),
    "fifo as tar": only("base.tar", os.mkfifo),
    "zeros as tar": only("base.tar.gz", zero),
    "zeros as manifest": replaced("backup_manifest", zero),
    "zeros as label": replaced("backup_label", zero),
    "zeros as map": with_map_of_zeros,
    "huge label": replaced("backup_label", too_large),
    "huge manifest": replaced("backup_manifest", too_large),
    "endless label in a tar": bomb,
    "label of bytes": label_of(bytes(range(256)) * 10),
    "label of a long number": label_of(LABEL.replace("0/A00028", "F" * 5000 + "/0")),
    "label of a nonsense timeline": label_of(LABEL.replace("TIMELINE: 1", "TIMELINE: \u00b2")),
    "label of a huge timeline": label_of(LABEL.replace("TIMELINE: 1", "TIMELINE: " + "9" * 5000)),
    "label of a nonsense day": label_of(LABEL.replace("2026-06-15", "2026-99-99")),
    "label of a nonsense parent": label_of(LABEL + "INCREMENTAL FROM LSN: nowhere\n"),
    "label of itself": label_of(LABEL + "INCREMENTAL FROM LSN: 0/A00028\n"),
    "version of another script": replaced("PG_VERSION", lambda path: path.write_text("\u00b2")),
    "version of many digits": replaced("PG_VERSION", lambda path: path.write_text("9" * 9999)),
    "infinite manifest": replaced(
        "backup_manifest",
        lambda path: path.write_text(json.dumps(MANIFEST).replace("8192", "Infinity")),
    ),
}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A good backup, of June 2026."""
    return plain(tmp_path / "good")


def dated(path: Path, when: int) -> None:
    """Give a backup that has no other date the time `when`, and spoil the dates it has."""
    label, manifest = path / "backup_label", path / "backup_manifest"
    for file in (label, manifest):
        if file.is_file() and file.stat().st_size < MIB:
            year = b"2001-" if when == LONG_AGO else b"2096-"
            file.write_bytes(file.read_bytes().replace(b"2026-", year))
    os.utime(path, (when, when))


def newest(path: Path) -> tuple[Catalogue, str]:
    """Return the catalogue, and the label of the backup that the target latest takes."""
    catalogue = read_catalogue(path, WalFiles())
    return catalogue, choose(catalogue.backups, Latest())[0].label


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize("evil", EVIL)
def test_an_older_sibling_is_its_own_affair(tmp_path: Path, evil: str) -> None:
    """Reading it neither hangs nor stops the backup that is wanted."""
    EVIL[evil](tmp_path / "evil")
    dated(tmp_path / "evil", LONG_AGO)

    catalogue, label = newest(tmp_path)

    assert (label, len(catalogue.backups)) == ("good", 2)


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize("evil", EVIL)
def test_a_newer_sibling_is_not_passed_over(tmp_path: Path, evil: str) -> None:
    """An older backup in its place would be green, and nobody would know of the bad one."""
    EVIL[evil](tmp_path / "evil")
    dated(tmp_path / "evil", FAR_AHEAD)

    _, label = newest(tmp_path)

    assert label == "evil"


@pytest.mark.usefixtures("good")
def test_a_directory_that_may_not_be_read_is_a_candidate(tmp_path: Path) -> None:
    """It may be the newest backup. An ordinary user meets one; root reads everything."""
    (tmp_path / "evil").mkdir(mode=0)
    os.utime(tmp_path / "evil", (LONG_AGO, LONG_AGO))

    catalogue, label = newest(tmp_path)

    assert label == "good"
    if os.geteuid() != 0:
        assert "evil cannot be used" in "".join(catalogue.unusable_beside(()))


@pytest.mark.usefixtures("good")
def test_links_to_nothing_are_no_backups(tmp_path: Path) -> None:
    """Neither is a link to itself."""
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "round").symlink_to("round")

    assert len(newest(tmp_path)[0].backups) == 1


def test_what_cannot_be_read_is_told_when_it_is_chosen(tmp_path: Path) -> None:
    """The message names the backup, and what is in the way."""
    replaced("backup_label", os.mkfifo)(tmp_path / "evil")
    catalogue = read_catalogue(tmp_path, WalFiles())

    with pytest.raises(PgRestoreError, match=r"backup evil cannot be used: .*backup_label is no"):
        catalogue.directories[0].needed_label()
    assert "backup evil cannot be used" in "".join(catalogue.unusable_beside(()))


@pytest.mark.parametrize(
    ("inside", "seen"),
    [
        (["base.tar.gz.gpg"], "base.tar.gz.gpg"),
        (["base", "global"], "base/ and global/"),
        (["16400.tar.gz"], "16400.tar.gz"),
        (["base.tar.gz.part"], ""),
        (["000000010000000000000001", "README"], ""),
        ([], ""),
    ],
    ids=["encrypted", "cut short", "a tablespace", "on its way", "WAL", "empty"],
)
@pytest.mark.parametrize("newer", [True, False])
def test_what_looks_like_a_newer_backup(
    tmp_path: Path, inside: list[str], seen: str, newer: bool
) -> None:
    """It may be the newest backup: an older one is no proof. Anything else is noted."""
    plain(tmp_path / "good")
    other = tmp_path / "other"
    other.mkdir()
    for name in inside:
        (other / name).mkdir()
    os.utime(other, (FAR_AHEAD, FAR_AHEAD) if newer else (LONG_AGO, LONG_AGO))
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "README").touch()
    (tmp_path / "gone").symlink_to("nowhere")

    found = read_catalogue(tmp_path, WalFiles())

    looks = {entry.name: entry.looks for entry in found.strangers}
    assert looks == {"gone": "", "other": seen}
    if seen and newer:
        with pytest.raises(HarnessError, match="is newer than the backup good"):
            require_none_newer(found.strangers, tmp_path / "good", Latest())
    else:
        require_none_newer(found.strangers, tmp_path / "good", Latest())


@pytest.mark.parametrize(
    ("name", "kind"), [("base.tar.gz.gpg", HarnessError), ("16400.tar", BackupNotRestorable)]
)
def test_nothing_but_an_unknown_form(tmp_path: Path, name: str, kind: type[PgRestoreError]) -> None:
    """An encrypted backup alone is no finding about it; a part of a backup alone is one."""
    (tmp_path / name).touch()
    found = read_catalogue(tmp_path, WalFiles())

    with pytest.raises(kind):
        found.choose(locate_request(Latest()), WalFiles())


def locate_request(target: RecoveryTarget) -> LocateRequest:
    """Return a request that finds no programs."""

    def nothing(_: object) -> NoReturn:
        raise AssertionError

    return LocateRequest(
        target, "latest", datetime.now(UTC), nothing, nothing, lambda _step, _text: None
    )
