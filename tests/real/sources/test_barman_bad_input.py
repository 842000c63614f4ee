"""Bad input and a damaged Barman home: each has one cause, one hint and the right verdict."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.model.target import AtLsn, AtName, AtTime
from pytest_pgrestore.model.wal import Lsn
from tests.real.barman_worlds import Barmaned
from tests.real.production import digests
from tests.real.tool_worlds import could_not_verify, failed, flip_bit
from tests.real.worlds import Drilled

Worlds = Callable[[int], Barmaned]
Drilling = Callable[..., Drilled]

MAJOR = 17
docker = pytest.mark.parametrize("tool_run", ["docker"], indirect=True)
local = pytest.mark.parametrize("tool_run", ["local"], indirect=True)


@pytest.fixture
def broken(barman_worlds: Worlds) -> Iterator[Barmaned]:
    """A copy of the Barman home that a test may damage."""
    copy = barman_worlds(MAJOR).copied()
    yield copy
    shutil.rmtree(copy.server.directory)


def table_file(world: Barmaned, kind: str) -> Path:
    """Return a file that a server does not read at its start: the largest of database 1."""
    return max(
        (world.base(kind) / "data" / "base" / "1").iterdir(), key=lambda path: path.stat().st_size
    )


def marked(world: Barmaned, kind: str, status: str, error: str) -> None:
    """Give a backup another status in Barman's catalogue."""
    path = world.description(kind)
    lines = [
        line for line in path.read_text().splitlines() if not line.startswith(("status=", "error="))
    ]
    path.write_text("\n".join([*lines, f"status={status}", f"error={error}"]) + "\n")


@docker
@pytest.mark.parametrize("name", ["stream", "rsync", "packed"])
def test_the_copy_of_the_home_is_green(broken: Barmaned, tool_drill: Drilling, name: str) -> None:
    """The tests below damage such a copy."""
    drilled = tool_drill(broken.source(name), database="postgres")

    assert drilled.rows() == broken.server.rows
    assert drilled.result.record.verdict() == "passed", drilled.result.record.checks


@docker
def test_a_server_whose_wal_only_streams(broken: Barmaned, tool_drill: Drilling) -> None:
    """Barman's own template has this form. A restore does not need production's slot."""
    file = broken.server.directory / "barman.d" / "stream.conf"
    text = file.read_text()
    assert "archiver = on" in text
    file.write_text(text.replace("archiver = on", "streaming_archiver = on\nslot_name = barman"))

    drilled = tool_drill(broken.source(), database="postgres")

    assert drilled.rows() == broken.server.rows


@docker
def test_a_wrong_server_name(broken: Barmaned, tool_drill: Drilling) -> None:
    """The message of a typo names the existing servers."""
    could_not_verify(tool_drill(broken.source("shopp")), "server 'shopp'", "packed, rsync, stream")


@docker
def test_a_home_that_is_not_here(broken: Barmaned, tool_drill: Drilling) -> None:
    """A missing mount is not a missing backup."""
    broken.home.rename(broken.home.with_name("elsewhere"))

    could_not_verify(tool_drill(broken.source("stream")), "is not on this machine")


@docker
@pytest.mark.parametrize("kind", ["stream full", "stream block"])
def test_one_bit_of_a_base_file(broken: Barmaned, tool_drill: Drilling, kind: str) -> None:
    """Barman restores it with status 0, also if the full backup of a chain is damaged."""
    flip_bit(table_file(broken, "stream full"))

    drilled = tool_drill(broken.source(backup=broken.labels[kind], check=True))

    assert drilled.result.record.verdict() == "failed"
    assert drilled.verdict_of("manifest") == "failed"
    assert "checksum mismatch" in drilled.message_of("manifest")
    assert drilled.verdict_of("barman check-backup") == "passed"
    assert drilled.verdict_of("barman verify-backup") == (
        "failed" if kind == "stream full" else "passed"
    )


@docker
def test_a_missing_base_file(broken: Barmaned, tool_drill: Drilling) -> None:
    """Barman restores the other files with status 0."""
    table_file(broken, "stream full").unlink()

    drilled = tool_drill(broken.source(backup=broken.labels["stream full"]))

    assert drilled.result.record.verdict() == "failed"
    assert "present in the manifest but not on disk" in drilled.message_of("manifest")


@docker
def test_a_damaged_tar(broken: Barmaned, tool_drill: Drilling) -> None:
    """A compressed backup does not unpack."""
    flip_bit(broken.base("packed full") / "data" / "base.tar.gz")

    failed(tool_drill(broken.source("packed")), "a file of the backup is damaged")


@docker
@pytest.mark.parametrize(
    ("name", "words"), [("stream", "damaged"), ("packed", "")], ids=["gzip", "plain"]
)
def test_one_bit_of_a_wal_file(
    broken: Barmaned, tool_drill: Drilling, name: str, words: str
) -> None:
    """PostgreSQL takes most such damage for the end of WAL, and opens with fewer rows."""
    kind = f"{name} full"
    path = broken.segments(name)[-1]
    if name == "packed":
        content = bytearray(path.read_bytes())
        content[len(content.rstrip(b"\0")) // 2] ^= 1
        path.write_bytes(content)
    else:
        flip_bit(path)

    drilled = tool_drill(broken.source(name, backup=broken.labels[kind]))

    assert drilled.result.record.verdict() == "failed", drilled.result.record.checks
    assert words in drilled.cause


@docker
def test_a_missing_wal_segment(broken: Barmaned, tool_drill: Drilling) -> None:
    """It is found before anything is restored."""
    missing = broken.segments("rsync")[-2]
    missing.unlink()

    failed(
        tool_drill(broken.source("rsync", backup=broken.labels["rsync full"])),
        missing.name,
        "missing",
    )


@docker
def test_a_block_level_chain_that_lost_its_full_backup(
    broken: Barmaned, tool_drill: Drilling
) -> None:
    """Its files are gone; then its description too."""
    shutil.rmtree(broken.base("stream full"))

    failed(tool_drill(broken.source()), broken.labels["stream full"], "depends on it")

    broken.description("stream full").unlink()

    failed(tool_drill(broken.source()), broken.labels["stream full"], "which is not there")


@docker
def test_hard_links_need_no_parent(broken: Barmaned, tool_drill: Drilling) -> None:
    """A backup by rsync with reuse_backup = link is complete without its predecessor."""
    shutil.rmtree(broken.base("rsync full"))
    broken.description("rsync full").unlink(missing_ok=True)

    assert tool_drill(broken.source("rsync"), database="postgres").rows() == broken.server.rows


@docker
@pytest.mark.parametrize(("status", "error"), [("FAILED", "disk full"), ("STARTED", "None")])
def test_a_backup_that_is_not_complete_is_never_chosen(
    broken: Barmaned, tool_drill: Drilling, status: str, error: str
) -> None:
    """A failed backup, or one that is being taken: the one before is restored, with a note."""
    marked(broken, "rsync link", status, error)

    drilled = tool_drill(broken.source("rsync"), database="postgres")

    assert drilled.rows() == broken.server.rows
    assert drilled.result.record.backup is not None
    assert drilled.result.record.backup.label == broken.labels["rsync full"]
    assert any(
        f"{broken.labels['rsync link']} is {status}" in note for note in drilled.result.record.notes
    )

    marked(broken, "rsync full", "FAILED", "disk full")

    failed(tool_drill(broken.source("rsync")), "there is no backup in", "disk full")
    failed(
        tool_drill(broken.source("rsync", backup=broken.labels["rsync full"])), "FAILED: disk full"
    )


def test_an_archive_that_lags(barman_worlds: Worlds, tool_drill: Drilling) -> None:
    """Production's archive_command has succeeded, and `barman cron` has not run.

    The rows are not in the archive yet. A restore by Barman would archive them; a drill must not.
    """
    broken = barman_worlds(15).copied()
    for path in broken.segments("packed")[-2:]:
        path.rename(broken.home / "packed" / "incoming" / path.name)
    target, _ = broken.server.points["name"]
    before = digests(broken.home)

    drilled = tool_drill(broken.source("packed"), database="postgres")

    assert drilled.rows() < broken.server.rows
    assert digests(broken.home) == before
    assert any("2 WAL segments wait in" in note for note in drilled.result.record.notes)
    failed(
        tool_drill(broken.source("packed"), target), "before_deployment", "recovery ended before"
    )
    shutil.rmtree(broken.server.directory)


@docker
def test_targets_outside_of_what_there_is(broken: Barmaned, tool_drill: Drilling) -> None:
    """Targets before the end of the first backup, and after the end of the archive."""
    moment = broken.server.points["time"][0]
    assert isinstance(moment, AtTime)

    failed(
        tool_drill(broken.source(), AtTime(moment.when - timedelta(days=1))),
        "before the end of every backup",
    )
    failed(tool_drill(broken.source(), AtTime(moment.when + timedelta(minutes=5))), "time:")
    failed(tool_drill(broken.source(), AtLsn(Lsn.parse("7/0"))), "lsn:7/0")
    oldest = broken.source(backup=broken.labels["stream full"])
    failed(tool_drill(oldest, AtName("nobody_made_it")), "nobody_made_it")


@docker
def test_a_backup_that_is_not_in_the_catalogue(broken: Barmaned, tool_drill: Drilling) -> None:
    """The message of a typo in `backup` names the existing backups."""
    could_not_verify(
        tool_drill(broken.source(backup="20200101T000000")),
        "is not in the catalogue",
        "there are: ",
    )


@local
def test_a_home_of_a_newer_barman(barman_worlds: Worlds, tool_drill: Drilling) -> None:
    """Barman 3.4 lists no backup in a home of 3.13, without an error: the home is not empty."""
    world = barman_worlds(MAJOR)

    could_not_verify(
        tool_drill(world.source("stream")), "does not see backup", "a newer Barman wrote it"
    )


@local
def test_a_barman_that_is_not_there(barman_worlds: Worlds, tool_drill: Drilling) -> None:
    """The hint names the package."""
    could_not_verify(
        tool_drill(barman_worlds(15).source(program="no-barman")), "no-barman", "package barman"
    )
