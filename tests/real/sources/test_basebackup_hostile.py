"""Base backups that somebody made to harm: nothing outside is touched, nothing hangs."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import signal
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sandboxes.protocol import Run
from pytest_pgrestore.sources.basebackup.source import BasebackupSource
from tests.real.basebackup_fixtures import (
    TAR,
    Restored,
    World,
    copy_of,
    drill,
    fetched,
    locate_request,
    new_world,
    on_majors,
    world,
)

__all__ = ["world"]

HANGS_SECONDS = 300
"""After so long, a test hangs. None takes more than a tenth of it."""


@pytest.fixture(autouse=True)
def _no_test_hangs() -> Iterator[None]:
    """Opening a FIFO waits for ever; an exception in a handler of a signal ends the wait."""

    def give_up(_signal: int, _frame: object) -> None:
        raise AssertionError("the drill hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANGS_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A directory outside of all backups that only root can read."""
    path = tmp_path / "foreign"
    path.mkdir(mode=0o700)
    (path / "secret").write_text("secret")
    (path / "inner").mkdir()
    (path / "inner" / "secret").write_text("secret")
    return path


def drilled(world: World, backup: Path, run: Run) -> Restored:
    """Drill one backup of the world."""
    return drill(BasebackupSource("shop", str(backup), wal=str(world.archive)), run)


def untouched(foreign: Path) -> bool:
    """Return whether the foreign directory is as it was, and still root's."""
    files = sorted(path for path in foreign.rglob("*") if path.is_file())
    return [path.read_text() for path in files] == ["secret"] * 2 and all(
        path.lstat().st_uid == os.geteuid() for path in (foreign, *foreign.rglob("*"))
    )


@on_majors(15)
@pytest.mark.parametrize("with_content", [False, True], ids=["any", "tablespace of another major"])
def test_a_link_to_a_foreign_directory_is_no_tablespace(
    world: World, run: Run, tmp_path: Path, foreign: Path, with_content: bool
) -> None:
    """Its files were copied by root and given to the server's user."""
    backup = copy_of(world.backups / "a", tmp_path)
    if with_content:
        (foreign / "PG_14_202107181").mkdir()
    (backup / "pg_tblspc" / "99999").symlink_to(foreign)

    restored = drilled(world, backup, run)

    assert restored.record.verdict() is Verdict.FAILED
    assert "which is no tablespace of this backup" in restored.problem
    assert untouched(foreign)


@on_majors(15)
@pytest.mark.parametrize(
    "name", ["pg_replslot", "base", "global", "pg_xact", "pg_twophase", "pg_logical", "log"]
)
def test_a_link_in_the_place_of_a_directory(
    world: World, run: Run, tmp_path: Path, foreign: Path, name: str
) -> None:
    """Slots are removed from a copy: a link in their place had root empty any directory."""
    backup = copy_of(world.backups / "a", tmp_path)
    if (backup / name).exists():
        shutil.rmtree(backup / name)
    (backup / name).symlink_to(foreign)

    restored = drilled(world, backup, run)

    assert restored.record.verdict() is not Verdict.PASSED
    assert untouched(foreign)


@on_majors(15)
def test_a_link_that_goes_up_behind_another_link(
    world: World, run: Run, tmp_path: Path, foreign: Path
) -> None:
    """By its text it stays inside: twenty directories down, fifteen up, then to the foreign one.

    The last of the twenty is a link to the top, from where fifteen up is the root of the system.
    """
    backup = copy_of(world.backups / "a", tmp_path)
    shutil.rmtree(backup / "pg_replslot")
    down = Path(*["d"] * 20)
    (backup / down).mkdir(parents=True)
    (backup / down / "top").symlink_to(Path(*[".."] * 20, "pg_xact"))
    (backup / "pg_replslot").symlink_to(
        Path(down, "top", *[".."] * 15, foreign.relative_to(foreign.anchor))
    )

    restored = drilled(world, backup, run)

    assert restored.record.verdict() is Verdict.FAILED
    assert "outside the sandbox" in restored.problem
    assert untouched(foreign)


@on_majors(15)
@pytest.mark.parametrize("name", ["backup_label", "backup_manifest", "PG_VERSION", "base/1/1259"])
@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_file_of_another_kind_is_named(
    world: World, run: Run, tmp_path: Path, foreign: Path, name: str, kind: str
) -> None:
    """A FIFO hangs whoever opens it; a link is a file of somebody else."""
    backup = copy_of(world.backups / "a", tmp_path)
    (backup / name).unlink()
    if kind == "fifo":
        os.mkfifo(backup / name)
    else:
        (backup / name).symlink_to(foreign / "secret")

    restored = drilled(world, backup, run)

    assert restored.record.verdict() is Verdict.FAILED
    assert name in restored.problem + "".join(check.message for check in restored.record.checks)
    assert "secret" not in (restored.problem + str(restored.record.notes)).replace(
        str(foreign / "secret"), ""
    )
    assert untouched(foreign)


@on_majors(15)
@pytest.mark.parametrize("name", ["base.tar.gz", "pg_wal.tar.gz", "backup_manifest"])
@pytest.mark.parametrize("kind", ["fifo", "zeros"])
def test_a_part_of_another_kind_is_named(
    world: World, run: Run, tmp_path: Path, name: str, kind: str
) -> None:
    """The same for a backup in tar format."""
    backup = copy_of(world.backups / "b", tmp_path)
    (backup / name).unlink()
    if kind == "fifo":
        os.mkfifo(backup / name)
    else:
        (backup / name).symlink_to("/dev/zero")

    restored = drilled(world, backup, run)

    assert restored.record.verdict() is Verdict.FAILED
    assert name in restored.problem


@on_majors(15)
@pytest.mark.parametrize("size", ["Infinity", "NaN", "-1", "1e400", "1" + "0" * 400])
def test_a_nonsense_size_in_a_manifest(world: World, run: Run, tmp_path: Path, size: str) -> None:
    """It ended the run without any report. pg_verifybackup says what is wrong."""
    backup = copy_of(world.backups / "a", tmp_path)
    manifest = backup / "backup_manifest"
    manifest.write_text(manifest.read_text().replace('"Size": 8192', f'"Size": {size}', 1))

    restored = drilled(world, backup, run)

    assert restored.record.verdict() is Verdict.FAILED
    assert restored.check("manifest").verdict is Verdict.FAILED


def repacked(backup: Path, *more: tuple[tarfile.TarInfo, bytes]) -> None:
    """Add members to the end of base.tar.gz."""
    packed = backup / "base.tar.gz"
    content = io.BytesIO(gzip.decompress(packed.read_bytes()))
    with tarfile.open(fileobj=content, mode="a") as tar:
        for member, data in more:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    packed.write_bytes(gzip.compress(content.getvalue(), 1))


@on_majors(15)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("PG_VERSION", "is in it twice"),
        ("base", "as a file and as a directory"),
        ("base/1/1259/x", "as a file and as a directory"),
        ("x" * 300, "a name that no file can have"),
        ("../../outside", "not a file or directory below"),
    ],
    ids=["twice", "file for directory", "below a file", "overlong", "outside"],
)
def test_a_member_that_cannot_be(
    world: World, run: Run, tmp_path: Path, name: str, words: str
) -> None:
    """The tar is damaged. The sandbox has no part in it."""
    backup = copy_of(world.backups / "b", tmp_path)
    repacked(backup, (tarfile.TarInfo(name), b"x"))

    restored = drilled(world, backup, run)

    assert restored.record.verdict() is Verdict.FAILED
    assert words in restored.problem


@on_majors(15)
def test_a_tar_with_more_than_its_manifest_lists(world: World, run: Run, tmp_path: Path) -> None:
    """The disk would be full before pg_verifybackup could say so."""
    backup = copy_of(world.backups / "b", tmp_path)
    repacked(backup, (tarfile.TarInfo("base/1/424242"), bytes(100 << 20)))

    restored = drilled(world, backup, run)

    assert restored.record.verdict() is Verdict.FAILED
    assert "its manifest lists fewer" in restored.problem


@on_majors(15)
def test_an_evil_sibling_stops_no_drill(world: World, run: Run, tmp_path: Path) -> None:
    """The good backup beside it is restored, and the report says that there is a bad one."""
    copy_of(world.backups / "a", tmp_path)
    evil = tmp_path / "evil"
    evil.mkdir()
    os.mkfifo(evil / "base.tar")
    os.utime(evil, (0, 0))

    restored = drilled(world, tmp_path, run)

    assert restored.record.verdict() is Verdict.PASSED
    assert any("backup evil cannot be used" in note for note in restored.record.notes)
    os.utime(evil)
    assert drilled(world, tmp_path, run).record.verdict() is Verdict.FAILED


@on_majors(15)
def test_tablespaces_elsewhere_are_read_if_they_are_listed(
    world: World, run: Run, tmp_path: Path
) -> None:
    """Root restores the backup of another user, whose tablespaces belong to a third one."""
    if os.geteuid() != 0:
        return
    backup = copy_of(world.backups / "a", tmp_path)
    link = next((backup / "pg_tblspc").iterdir())
    space = tmp_path / "elsewhere"
    shutil.copytree(link.resolve(), space)
    link.unlink()
    link.symlink_to(space)
    os.chown(space, 65534, -1)
    os.chown(backup, 1, -1)
    source = BasebackupSource("shop", str(backup), wal=str(world.archive))

    refused = drill(source, run)

    assert refused.record.verdict() is Verdict.COULD_NOT_VERIFY
    assert refused.record.failure is not None
    assert "linked_paths" in refused.record.failure.hint
    listed = BasebackupSource("shop", str(backup), wal=str(world.archive), linked_paths=(tmp_path,))
    assert drill(listed, run).record.verdict() is Verdict.PASSED


@pytest.fixture(scope="module")
def chain() -> Iterator[World]:
    """A full backup and an incremental one."""
    with new_world(17) as made:
        made.grow("one", rows=5000)
        full = made.backup("full")
        made.grow("two")
        made.backup("second", f"--incremental={full / 'backup_manifest'}")
        made.cluster.switch_wal()
        made.cluster.stop()
        yield made


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_tools_that_follow_links_get_no_links(
    chain: World, run: Run, tmp_path: Path, foreign: Path, kind: str
) -> None:
    """pg_combinebackup may run as root, and opens the files of earlier backups by their names."""
    backups = tmp_path / "backups"
    shutil.copytree(chain.backups, backups, symlinks=True)
    table = next(
        path.name.removeprefix("INCREMENTAL.")
        for path in (backups / "second" / "base" / "5").iterdir()
        if path.name.startswith("INCREMENTAL.")
    )
    path = backups / "full" / "base" / "5" / table
    path.unlink()
    kinds: dict[str, Callable[[], object]] = {
        "link": lambda: path.symlink_to(foreign / "secret"),
        "fifo": lambda: os.mkfifo(path),
    }
    kinds[kind]()
    source = BasebackupSource("shop", str(backups), wal=str(chain.archive))
    chosen = source.locate(locate_request(run))

    with pytest.raises(BackupNotRestorable, match=f"full/base/5/{table} is a"):
        fetched(source, run, chosen)


def test_the_servers_user_combines_what_was_unpacked(run: Run) -> None:
    """Nothing of a chain in tar format needs root: `as_caller` is for plain backups."""
    with new_world(17) as made:
        made.grow("one", rows=1000)
        full = made.backup("full", *TAR)
        made.grow("two")
        made.backup("second", *TAR, f"--incremental={full / 'backup_manifest'}")
        made.cluster.switch_wal()
        made.cluster.stop()
        restored = drill(BasebackupSource("shop", str(made.backups), wal=str(made.archive)), run)

    assert (restored.problem, restored.rows) == ("", (1100, 1100))
    assert restored.check("manifest").verdict is Verdict.PASSED
