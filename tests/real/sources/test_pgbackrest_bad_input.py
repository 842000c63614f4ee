"""Bad input and damaged pgBackRest repositories: one cause, one hint and the right verdict."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_pgrestore.model.objectives import Objectives, ObjectiveStatus
from pytest_pgrestore.model.target import AtLsn, AtName, AtTime
from pytest_pgrestore.model.wal import Lsn
from pytest_pgrestore.system.waiting import wait_until
from tests.real import tool_worlds
from tests.real.pgbackrest_worlds import Backed, backed
from tests.real.tool_worlds import flip_bit
from tests.real.worlds import Drilled

Drilling = Callable[..., Drilled]
Damage = Callable[[Backed], object]

MAJOR = 17
pytestmark = pytest.mark.parametrize("tool_run", ["docker"], indirect=True)


@pytest.fixture(scope="module")
def world() -> Iterator[Backed]:
    """The undamaged repositories; tests damage copies of them."""
    with backed(MAJOR) as made:
        yield made


@pytest.fixture
def broken(world: Backed) -> Iterator[Backed]:
    """A copy of the repositories that a test may damage."""
    copy = world.copied()
    yield copy
    shutil.rmtree(copy.server.directory)


def segments(world: Backed, number: int) -> list[Path]:
    """Return the WAL files of a repository, in order."""
    return sorted(world.repository(number).glob("archive/main/*/*/0*-*"))


def data_files(world: Backed, label: str) -> list[Path]:
    """Return the data files of a backup in ``repo2``, which is not bundled; the largest last."""
    files = world.repository(2).glob(f"backup/main/{label}/pg_data/**/*.zst")
    return sorted(files, key=lambda path: path.stat().st_size)


def could_not_verify(drilled: Drilled, *words: str, ran: bool = True) -> None:
    """Assert that nothing was learned, for this reason; `ran` is whether pgBackRest ran."""
    tool_worlds.could_not_verify(drilled, *words)
    assert bool(drilled.result.record.logs) == ran


def failed(drilled: Drilled, *words: str) -> None:
    """Assert that the backup is bad, for this reason, and that pgBackRest's output is in a log."""
    tool_worlds.failed(drilled, *words)
    assert drilled.result.record.logs


def test_the_copy_of_the_repositories_is_green(broken: Backed, tool_drill: Drilling) -> None:
    """The tests below damage such a copy."""
    drilled = tool_drill(broken.source(2, verify=True), database="postgres")

    assert drilled.rows() == broken.server.rows
    assert drilled.verdict_of("pgbackrest verify") == "passed"


def test_a_wrong_stanza(world: Backed, tool_drill: Drilling) -> None:
    """`info` ends with status 0; only its JSON has the error."""
    could_not_verify(
        tool_drill(world.source(stanza="mian")),
        "stanza 'mian' is not in repo1",
        "missing stanza path",
        "the repository has main.",
    )


def test_a_wrong_passphrase(broken: Backed, tool_drill: Drilling) -> None:
    """The tool prints undecodable bytes; the message is readable."""
    broken.config.write_text(broken.config.read_text().replace("three-quiet", "four-quiet"))

    could_not_verify(
        tool_drill(broken.source(2)), "the passphrase is wrong, or the catalogue damaged", "repo2"
    )


def test_a_passphrase_from_the_environment(
    world: Backed, broken: Backed, tool_drill: Drilling
) -> None:
    """The file does not have it; the source names its variable."""
    lines = broken.config.read_text().splitlines()
    passphrase = next(line for line in lines if "cipher-pass" in line).partition("=")[2]
    broken.config.write_text("\n".join(line for line in lines if "cipher-pass" not in line))

    drilled = tool_drill(
        broken.source(2, secrets={"PGBACKREST_REPO2_CIPHER_PASS": passphrase}), database="postgres"
    )

    assert drilled.rows() == world.server.rows


def test_a_configuration_that_is_not_there(world: Backed, tool_drill: Drilling) -> None:
    """The message has its path and the reason."""
    could_not_verify(
        tool_drill(world.source(config=Path("/nonexistent/pgbackrest.conf"))),
        "/nonexistent/pgbackrest.conf cannot be read",
        ran=False,
    )


def test_a_repository_that_is_not_configured(world: Backed, tool_drill: Drilling) -> None:
    """The message names the existing ones."""
    could_not_verify(tool_drill(world.source(5)), "has no repo5", "repo1, repo2", ran=False)


def test_a_repository_that_is_not_mounted(broken: Backed, tool_drill: Drilling) -> None:
    """A missing disk is no bad backup."""
    shutil.rmtree(broken.repository(1))

    could_not_verify(tool_drill(broken.source(1)), "is not in repo1", "or mount it")


def test_a_repository_without_backups(broken: Backed, tool_drill: Drilling) -> None:
    """A stanza without any backup is a finding."""
    for path in broken.repository(1).glob("backup/main/2*"):
        shutil.rmtree(path)
    for name in ("backup.info", "backup.info.copy"):
        path = broken.repository(1) / "backup/main" / name
        keep, skip = [], False
        for line in path.read_text().splitlines():
            skip = line.startswith("[backup:current]") or (skip and not line.startswith("["))
            keep += [] if skip else [line]
        path.write_text("\n".join(keep) + "\n")

    drilled = tool_drill(broken.source(1))

    assert drilled.result.record.verdict() != "passed"
    assert drilled.cause.count("HINT:") == 1


def test_a_flipped_bit_in_a_data_file(broken: Backed, tool_drill: Drilling) -> None:
    """PgBackRest compares restored files with the manifest."""
    flip_bit(data_files(broken, broken.labels["full2"])[-1])

    failed(
        tool_drill(broken.source(2)),
        f"backup {broken.labels['full2']} was not restored: a file of the ",
    )


def test_a_flipped_bit_that_verify_finds(broken: Backed, tool_drill: Drilling) -> None:
    """`verify` ends with status 0. Another backup restores, and the check fails."""
    flip_bit(next(broken.repository(1).glob(f"backup/main/{broken.labels['diff1']}/bundle/1")))

    drilled = tool_drill(
        broken.source(1, backup=broken.labels["full1"], verify=True), database="postgres"
    )

    assert drilled.rows() == broken.server.rows
    assert drilled.verdict_of("pgbackrest verify") == "failed"
    assert drilled.result.record.verdict() == "failed"


def test_a_data_file_that_is_missing(broken: Backed, tool_drill: Drilling) -> None:
    """An expiry can remove it too."""
    data_files(broken, broken.labels["full2"])[-1].unlink()

    failed(tool_drill(broken.source(2)), "a file of the backup is missing from the repository")


def test_a_parent_that_is_missing(broken: Backed, tool_drill: Drilling) -> None:
    """An incremental backup needs the full one."""
    shutil.rmtree(broken.repository(1) / "backup/main" / broken.labels["full1"])

    failed(
        tool_drill(broken.source(1)),
        "a file of the backup is missing from the repository",
        broken.labels["full1"],
    )


def test_a_flipped_bit_in_wal(broken: Backed, tool_drill: Drilling) -> None:
    """archive-get of 2.55 returns some of it with status 0; the file name has the checksum."""
    flip_bit(segments(broken, 1)[-1])

    failed(tool_drill(broken.source(1)), "WAL segment 0000000100000000000000")


def test_a_missing_wal_segment(broken: Backed, tool_drill: Drilling) -> None:
    """`verify` reports ok, and PostgreSQL opens with fewer rows."""
    files = segments(broken, 1)
    gone = files[-2]
    gone.unlink()

    failed(
        tool_drill(broken.source(1)), f"WAL segment {gone.name[:24]} is missing from the archive"
    )


def test_wal_of_two_servers_under_one_name(broken: Backed, tool_drill: Drilling) -> None:
    """A test instance that was restored without --archive-mode=off leaves this behind."""
    last = segments(broken, 1)[-1]
    shutil.copy(last, last.with_name(f"{last.name[:24]}-{'0123456789' * 4}.zst"))

    failed(tool_drill(broken.source(1)), "two different files claim to be the same WAL segment")


def test_an_archive_that_lags(broken: Backed, tool_drill: Drilling) -> None:
    """An asynchronous push reports success early, so the archive is short.

    Nothing shows that it is short, so the RPO is not measured.
    """
    segments(broken, 1)[-1].unlink()

    drilled = tool_drill(
        broken.source(1), database="postgres", objectives=Objectives(rpo=timedelta(microseconds=1))
    )

    assert drilled.rows() < broken.server.rows
    assert drilled.result.record.rpo.judgement is ObjectiveStatus.NOT_MEASURED
    assert drilled.result.record.verdict() == "could not verify"


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("before", "lies before the end of every backup"),
        ("after", "lies after the last commit"),
        ("beyond", "lies beyond the end of WAL"),
        ("nowhere", "recovery ended before it reached name:nowhere; nearest reachable: name:"),
    ],
)
def test_a_target_that_is_not_there(
    world: Backed, tool_drill: Drilling, point: str, words: str
) -> None:
    """It is refused early, and never replaced by latest."""
    moment = world.server.points["time"][0]
    assert isinstance(moment, AtTime)
    assert world.server.ended is not None
    target = {
        "before": AtTime(moment.when - timedelta(days=1)),
        "after": AtTime(world.server.ended),
        "beyond": AtLsn(Lsn.parse("7/0")),
        "nowhere": AtName("nowhere"),
    }[point]

    named = world.labels["full1"] if point == "nowhere" else None

    failed(tool_drill(world.source(1, backup=named), target), words)


def test_a_target_that_an_older_backup_may_reach(world: Backed, tool_drill: Drilling) -> None:
    """Only WAL shows where a name lies, so a good backup is not called bad."""
    drilled = tool_drill(world.source(1), AtName("nowhere"))

    could_not_verify(
        drilled,
        f"it may lie before the end of backup {world.labels['incr1']}",
        world.labels["full1"],
    )


def test_a_backup_that_is_not_in_the_catalogue(world: Backed, tool_drill: Drilling) -> None:
    """The message names the existing ones."""
    could_not_verify(
        tool_drill(world.source(1, backup="20200101-000000F")),
        "backup 20200101-000000F is not in the catalogue",
        world.labels["incr1"],
    )


def test_a_backup_being_taken_meanwhile(world: Backed, tool_drill: Drilling) -> None:
    """The drill takes the last finished backup, and does not wait for the running one."""
    # Without autovacuum, which a minute later would write WAL during other tests.
    world.server.sql(
        "create table much with (autovacuum_enabled = off) as select generate_series(1, 500000)"
    )
    with ThreadPoolExecutor(1) as pool:
        # With --no-start-fast the backup waits for a slow checkpoint.
        running = pool.submit(world.tool, "--repo=2", "--type=full", "--no-start-fast", "backup")
        held = '"backup":{"held":true'
        wait_until(
            lambda: held in world.tool("info", "--output=json").stdout,
            what="the backup",
            timeout_seconds=60.0,
        )

        drilled = tool_drill(world.source(2), database="postgres")

        assert not running.done()
        world.server.sql("checkpoint")
        running.result()
    world.server.archived()  # otherwise WAL still arrives during other tests
    backup = drilled.result.record.backup
    assert backup is not None
    assert (backup.label, drilled.rows()) == (world.labels["full2"], world.server.rows)


def test_a_tool_that_is_not_there(world: Backed, tool_drill: Drilling) -> None:
    """The message names it and its package."""
    could_not_verify(
        tool_drill(world.source(program="pgbackrost")),
        "pgbackrost",
        "package pgbackrest",
        ran=False,
    )


def test_a_copy_that_would_archive_cannot(world: Backed, tool_drill: Drilling) -> None:
    """The copy has production's archive_command; nothing new gets into the repository."""
    world.server.archived()
    before = segments(world, 1)

    drilled = tool_drill(world.source(1), database="postgres")

    assert drilled.ask("select setting from pg_settings where name = 'archive_mode'") == "off"
    drilled.ask("select pg_switch_wal()::text")
    assert segments(world, 1) == before
