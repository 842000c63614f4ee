"""What a dump file tells by its own bytes, without a server and without a tool."""

from __future__ import annotations

import bz2
import gzip
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from pytest_pgrestore.model.errors import BackupNotRestorable
from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream
from pytest_pgrestore.sources.dump.reading import archive_header, completeness, dump_file

PLAIN = b"""--
-- PostgreSQL database dump
--

\\restrict abc

-- Dumped from database version 17.5 (Debian 17.5-1)
-- Dumped by pg_dump version 18.1

-- Started on 2026-06-15 14:30:00 UTC

SET client_encoding = 'SQL_ASCII';
CREATE TABLE t (id int);
"""
CLOSING = b"--\n-- PostgreSQL database dump complete\n--\n\n"
CLUSTER_CLOSING = b"--\n-- PostgreSQL database cluster dump complete\n--\n\n"
CLOCK = datetime(2026, 6, 15, 14, 30, 5)  # noqa: DTZ001 - what an archive stores


def integer(value: int) -> bytes:
    """Return a number as pg_dump writes it."""
    return bytes([value < 0]) + abs(value).to_bytes(4, "little")


def text(value: str) -> bytes:
    """Return a string as pg_dump writes it."""
    return integer(len(value.encode())) + value.encode()


def archive(minor: int = 16, *, summer: int = 0, database: str = "shop") -> bytes:
    """Return the beginning of an archive of format 1.`minor`."""
    compression = b"\x00" if minor >= 15 else integer(-1)
    clock = (
        CLOCK.second,
        CLOCK.minute,
        CLOCK.hour,
        CLOCK.day,
        CLOCK.month - 1,
        CLOCK.year - 1900,
        summer,
    )
    head = b"PGDMP" + bytes([1, minor, 0, 4, 8, 1]) + compression
    numbers = b"".join(integer(part) for part in clock)
    return head + numbers + text(database) + text("17.5 (Debian)") + text("18.1")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes], Path]:
    """A function that writes a file last changed at a fixed time."""

    def write(data: bytes) -> Path:
        path = tmp_path / "backup"
        path.write_bytes(data)
        os.utime(path, (CLOCK.replace(tzinfo=UTC).timestamp() + 60,) * 2)
        return path

    return write


@pytest.mark.parametrize(
    ("pack", "codec"),
    [
        (bytes, "none"),
        (gzip.compress, "gzip"),
        (bz2.compress, "bzip2"),
        (lz4.frame.compress, "lz4"),
        (zstandard.compress, "zstd"),
    ],
    ids=["none", "gzip", "bzip2", "lz4", "zstd"],
)
def test_a_plain_dump_tells_its_facts(
    written: Callable[[bytes], Path], pack: Callable[[bytes], bytes], codec: str
) -> None:
    """PostgreSQL's programs are chosen by these facts."""
    dump = dump_file.inspect(written(pack(PLAIN + CLOSING)))

    assert dump is not None
    assert (dump.form, dump.codec, dump.server_major, dump.tool_major) == ("plain", codec, 17, 18)
    assert (dump.started_at, dump.encoding) == (
        datetime(2026, 6, 15, 14, 30, tzinfo=UTC),
        "SQL_ASCII",
    )


@pytest.mark.parametrize("minor", [14, 15, 16])
def test_an_archive_tells_its_facts(written: Callable[[bytes], Path], minor: int) -> None:
    """Version 1.15 changed how the compression is stored."""
    dump = dump_file.inspect(written(archive(minor)))

    assert dump is not None
    assert (dump.form, dump.database, dump.server_major, dump.tool_major) == (
        "custom",
        "shop",
        17,
        18,
    )


@pytest.mark.parametrize("length", range(5, len(archive()), 5))
def test_an_archive_cut_within_its_header_is_still_an_archive(
    written: Callable[[bytes], Path], length: int
) -> None:
    """pg_restore reports the damage; reading the header must not raise an error."""
    dump = dump_file.inspect(written(archive()[:length]))

    assert dump is not None
    assert dump.server_major is None


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x00" * 5000, b"select 1;\n", gzip.compress(b"hello", mtime=0)]
)
def test_anything_else_is_no_dump(written: Callable[[bytes], Path], data: bytes) -> None:
    """A directory of dumps contains other files, too."""
    assert dump_file.inspect(written(data)) is None


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York"])
def _zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the time zone of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_zone")
def test_the_start_of_an_archive_is_never_read_too_late() -> None:
    """The archive stores local time without a zone; too late a start would hide data loss."""
    header = archive_header.parse_header(archive())
    assert header is not None
    as_utc = CLOCK.replace(tzinfo=UTC)

    long_after = archive_header.started_at(header, as_utc + timedelta(days=1))
    before = archive_header.started_at(header, as_utc - timedelta(hours=6))

    assert long_after is not None
    assert long_after <= as_utc
    assert before is None


def test_a_clock_on_summer_time_was_not_utc() -> None:
    """UTC has no summer time, so the clock is not read as UTC."""
    header = archive_header.parse_header(archive(summer=1))

    assert header is not None
    assert header.daylight_saving


@pytest.mark.parametrize(
    "ending",
    [
        CLOSING,
        CLOSING + b"\\unrestrict abc\n\n",
        b"-- Completed on 2026-06-15 14:31:00 UTC\n\n" + CLOSING,
        CLOSING.replace(b"\n", b"\r\n"),
    ],
    ids=["closing", "unrestrict", "verbose", "windows"],
)
def test_a_closing_line_is_seen(written: Callable[[bytes], Path], ending: bytes) -> None:
    """Newer minor releases write a line after it."""
    dump = dump_file.inspect(written(PLAIN + ending))

    assert dump is not None
    completeness.require_complete(dump)


@pytest.mark.parametrize(
    "ending",
    [b"", CLUSTER_CLOSING, CLOSING + b"COPY public.t (id) FROM stdin;\n1\n", CLOSING[:20]],
    ids=["none", "of-a-cluster", "rows-behind-it", "half"],
)
def test_a_missing_closing_line_is_seen(written: Callable[[bytes], Path], ending: bytes) -> None:
    """Psql ends with status 0 on a truncated dump."""
    dump = dump_file.inspect(written(PLAIN + ending))

    assert dump is not None
    assert not completeness.is_marked(dump) or ending.startswith(CLOSING)
    stream = SqlStream([PLAIN + ending], lambda statement: statement)
    list(stream)
    with pytest.raises(BackupNotRestorable, match=r"closing line|inside of rows"):
        completeness.require_end(dump, stream.ending)


@pytest.mark.parametrize(
    ("ending", "whole"), [(CLUSTER_CLOSING, True), (CLOSING, False)], ids=["cluster", "one-part"]
)
def test_a_cluster_needs_its_own_closing_line(
    written: Callable[[bytes], Path], ending: bytes, *, whole: bool
) -> None:
    """Each database has a closing line, too; the cluster's follows the last one."""
    head = PLAIN.replace(b"PostgreSQL database dump", b"PostgreSQL database cluster dump")
    dump = dump_file.inspect(written(head + CLOSING + (ending if whole else b"")))

    assert dump is not None
    assert (dump.form, completeness.is_marked(dump)) == ("cluster", whole)


def test_the_version_is_found_behind_many_roles(written: Callable[[bytes], Path]) -> None:
    """Thousands of roles come before the first line with a version."""
    roles = b"".join(
        b"CREATE ROLE r%d;\nALTER ROLE r%d WITH NOSUPERUSER INHERIT NOLOGIN;\n" % (n, n)
        for n in range(5000)
    )
    head = b"--\n-- PostgreSQL database cluster dump\n--\n\n"

    dump = dump_file.inspect(written(head + roles + PLAIN + CLOSING + CLUSTER_CLOSING))

    assert dump is not None
    assert (dump.form, dump.server_major) == ("cluster", 17)
