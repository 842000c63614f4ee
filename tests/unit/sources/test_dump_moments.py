"""When a dump began: its own words, its file's name, and which of them the user chose."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_pgrestore.model.errors import BackupNotRestorable, ConfigError, HarnessError
from pytest_pgrestore.sources.dump.catalogue import DumpPaths
from pytest_pgrestore.sources.dump.reading import moments
from pytest_pgrestore.sources.dump.reading.moments import NamePattern, started_on, teller


def plain(started: str) -> bytes:
    """Return a plain dump that began then; empty: it does not say so."""
    line = f"-- Started on {started}\n\n" if started else ""
    return (
        f"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 17.5\n{line}"
        "SET statement_timeout = 0;\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
    ).encode()


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2012-07-09 17:23:46 CEST", 15),
        ("2012-07-09 17:23:46 UTC", 17),
        ("2012-07-09 17:23:46 EDT", 21),
        ("2012-07-09 17:23:46 +0530", 11),
        ("2012-07-09 17:23:46 -03", 20),
        ("2012-07-09 17:23:46 MSK", 13),
        ("2020-07-09 17:23:46 MSK", 14),
    ],
)
def test_a_zone_is_read_as_postgresql_reads_it(text: str, hour: int) -> None:
    """MSK meant another offset in 2012."""
    moment = started_on(text)

    assert moment.at is not None
    assert (moment.at.tzinfo, moment.at.hour) == (UTC, hour)
    assert text in moment.told_by


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2012-07-09 17:23:46 XYZT", "XYZT"),
        ("2012-07-09 17:23:46", "no zone"),
        ("2012-07-09 17:23:46 +99:99", "+99:99"),
        ("2012-13-09 17:23:46 UTC", "no date"),
        ("Mon Jul  9 17:23:46 2012", "no date"),
    ],
)
def test_an_unknown_zone_is_no_moment(text: str, why: str) -> None:
    """A guess could hide hours of lost data."""
    moment = started_on(text)

    assert moment.at is None
    assert why in moment.told_by


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("shop-%Y-%m-%dT%H%M%S%z.dump", "shop-2026-06-15T143000+0200.dump"),
        ("shop-%Y%m%d_%H%M.sql.gz Europe/Berlin", "shop-20260615_1430.sql.gz"),
        ("*.%s.dump", "shop.nightly.1781526600.dump"),
        ("*%s.sql", "shop-1781526600.sql"),
        ("*%s*", "shop2-1781526600-full.sql"),
        ("db1%s.sql", "db11781526600.sql"),
        ("%Y-%m-%d %H.%M.%S 100%%.sql +02:00", "2026-06-15 14.30.00 100%.sql"),
        ("a+b-%Y-%m-%dT%H:%M:%S%z", "a+b-2026-06-15T12:30:00Z"),
    ],
)
def test_a_files_name_tells_the_moment(pattern: str, name: str) -> None:
    """With the zone in the name, or named behind the pattern."""
    assert NamePattern(pattern, "taken_at").moment(name).at == datetime(
        2026, 6, 15, 12, 30, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("shop-%Y%m%d.dump", "no zone"),
        ("shop-%Y%m%d.dump Middle/Earth", "no zone"),
        ("shop-%H%M%z.dump", "no date"),
        ("shop-%q.dump", "%q"),
        ("shop-%Y%Y%m%d%z.dump", "twice"),
        ("mtime", "no date"),
        ("", "no date"),
    ],
)
def test_a_pattern_that_tells_no_moment_is_refused(pattern: str, why: str) -> None:
    """A moment without a zone can be half a day off."""
    with pytest.raises(ConfigError, match=why):
        NamePattern(pattern, "source shop: taken_at")


def test_a_name_that_does_not_match_could_not_be_verified(tmp_path: Path) -> None:
    """Another file's time would be taken silently otherwise."""
    (tmp_path / "shop.sql").write_bytes(plain(""))
    paths = DumpPaths(f"{tmp_path}/*.sql", None, teller("shop-%Y%m%d.sql UTC", "x"))

    with pytest.raises(HarnessError, match=r"shop\.sql does not match"):
        paths.newest(None)


def test_the_user_chooses_the_files_time(tmp_path: Path) -> None:
    """The report says that it spoke."""
    path = tmp_path / "shop.sql"
    path.write_bytes(plain("2012-07-09 17:23:46 UTC"))
    os.utime(path, (1_000_000, 1_000_000))

    own = DumpPaths(str(path), None).newest(None).dump
    chosen = DumpPaths(str(path), None, moments.MODIFIED).newest(None).dump

    assert own.moment is not None
    assert own.started_at == datetime(2012, 7, 9, 17, 23, 46, tzinfo=UTC)
    assert chosen.moment is not None
    assert chosen.started_at == datetime(1970, 1, 12, 13, 46, 40, tzinfo=UTC)
    assert "the file's time" in chosen.moment.told_by


@pytest.fixture
def nights(tmp_path: Path) -> Path:
    """Dumps of two nights. The older one was copied last."""
    for day, copied in (("15", 200), ("14", 300)):
        path = tmp_path / f"shop-2026-06-{day}.sql"
        path.write_bytes(plain(f"2026-06-{day} 03:00:00 UTC"))
        os.utime(path, (copied, copied))
    return tmp_path


def test_the_newest_dump_is_not_the_newest_copy(nights: Path) -> None:
    """A download changes the order of the files' times."""
    found = DumpPaths(f"{nights}/*.sql", None).newest(None)

    assert found.dump.path.name == "shop-2026-06-15.sql"
    assert found.selection == "the newest of 2, by the moments they state"
    assert not found.not_checked


def test_names_choose_the_newest_dump(nights: Path) -> None:
    """By the pattern of the user."""
    teller = NamePattern("shop-%Y-%m-%d.sql UTC", "x")

    found = DumpPaths(f"{nights}/*.sql", None, teller).newest(None)

    assert found.dump.path.name == "shop-2026-06-15.sql"
    assert "by the names" in found.selection


def test_an_order_by_files_times_is_said(nights: Path) -> None:
    """A dump that states no moment counts by its file's time."""
    silent = nights / "shop-silent.sql"
    silent.write_bytes(plain(""))

    found = DumpPaths(f"{nights}/*.sql", None).newest(None)

    assert found.dump.path == silent
    assert "1 of the 3 dumps state no moment" in found.not_checked[0]
    assert "taken_at" in found.not_checked[0]


def test_an_empty_newest_file_is_never_skipped(nights: Path) -> None:
    """The one before it would be stale."""
    (nights / "shop-2026-06-16.sql").touch()

    with pytest.raises(Exception, match=r"06-16\.sql is empty, and it is the newest match"):
        DumpPaths(f"{nights}/*.sql", None).newest(None)


def test_a_link_to_nothing_is_never_skipped(nights: Path) -> None:
    """What it led to would be the newest dump."""
    link = nights / "shop-2026-06-16.sql"
    link.symlink_to("/missing/shop.sql")

    with pytest.raises(
        BackupNotRestorable, match=r"06-16\.sql is a link to nothing, and it is the"
    ):
        DumpPaths(f"{nights}/*.sql", None).newest(None)
    os.utime(link, (100, 100), follow_symlinks=False)
    assert DumpPaths(f"{nights}/*.sql", None).newest(None).dump.path.name == "shop-2026-06-15.sql"


@pytest.mark.parametrize("pattern", ["", "/*"])
def test_an_empty_directory_is_never_skipped(tmp_path: Path, pattern: str) -> None:
    """pg_dump leaves one if it cannot connect. Beside files it is no dump."""
    (tmp_path / "shop-1").mkdir()
    (tmp_path / "shop-1" / "toc.dat").write_bytes(b"PGDMP")
    os.utime(tmp_path / "shop-1" / "toc.dat", (100, 100))
    (tmp_path / "shop-2").mkdir()

    with pytest.raises(BackupNotRestorable, match="shop-2 is an empty directory, and it is the"):
        DumpPaths(f"{tmp_path}{pattern}", None).newest(None)


def test_an_empty_directory_beside_files_is_no_dump(nights: Path) -> None:
    """As `lost+found` is."""
    (nights / "empty").mkdir()

    found = DumpPaths(str(nights), None).newest(None)

    assert found.dump.path.name == "shop-2026-06-15.sql"


def test_a_dump_ages_from_its_beginning(nights: Path) -> None:
    """What was committed while it ran is missing."""
    entries = DumpPaths(f"{nights}/*.sql", None).entries()

    assert [entry.label for entry in entries] == ["shop-2026-06-14.sql", "shop-2026-06-15.sql"]
    assert [entry.stopped_at for entry in entries] == [
        datetime(2026, 6, day, 3, tzinfo=UTC) for day in (14, 15)
    ]
