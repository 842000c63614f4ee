"""What is told of files that are no dump as their tool writes it, and of dumps without comments."""

from __future__ import annotations

import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError, PgRestoreError
from pytest_pgrestore.sources.dump import facts
from pytest_pgrestore.sources.dump.catalogue import DumpPaths
from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream
from pytest_pgrestore.sources.dump.reading import completeness, dump_file
from pytest_pgrestore.sources.dump.reading.dump_file import DumpFile

HEAD = b"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 17.5\n\n"
SETTINGS = b"SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\n\n"
CREATE = b"CREATE TABLE public.t (v text);\n\n"
TABLE = b"--\n-- Name: t; Type: TABLE; Schema: public; Owner: a\n--\n\n" + CREATE
ROWS = b"--\n-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: a\n--\n\n"
COPY = b"COPY public.t (v) FROM stdin;\nx\n\\.\n\n"
CLOSING = b"--\n-- PostgreSQL database dump complete\n--\n\n"
DUMP = HEAD + SETTINGS + TABLE + ROWS + COPY + CLOSING
RAILS = (
    SETTINGS
    + TABLE
    + CLOSING
    + b'SET search_path TO "$user", public;\n\nINSERT INTO "schema_migrations" (version) VALUES\n'
    b"('1');\n\n"
)
STRIPPED = SETTINGS + CREATE + COPY


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes], Path]:
    """A function that writes a file."""

    def write(data: bytes) -> Path:
        path = tmp_path / "backup"
        path.write_bytes(data)
        return path

    return write


def dump_of(path: Path) -> DumpFile:
    """Return the dump in a file."""
    dump = dump_file.inspect(path)
    assert dump is not None
    return dump


def zipped(*members: bytes) -> bytes:
    """Return a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, member in enumerate(members):
            archive.writestr(f"{number}.sql", member)
    return stream.getvalue()


def other_method(archive: bytes) -> bytes:
    """Return a zip archive whose member was compressed by Deflate64."""
    data = bytearray(archive)
    data[8] = data[data.rindex(b"PK\x01\x02") + 10] = 9
    return bytes(data)


@pytest.mark.parametrize(
    ("start", "tool"),
    [
        (b"Salted__" + bytes(40), "OpenSSL"),
        (b"U2FsdGVkX18mWABApfq7lU24wiLpkzDwJk15L3yuq7eL6hTtgLLy9A==\n", "OpenSSL"),
        (b"age-encryption.org/v1\n-> X25519 abc\n", "age"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "age"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQ", "OpenPGP"),
        (b"\x85\x01\x0c\x03" + bytes(40), "OpenPGP"),  # gpg --encrypt to an RSA key
        (b"\x84\x5e\x03" + bytes(40), "OpenPGP"),  # to an elliptic curve
        (b"\x8c\x0d\x04\x09\x03\x02" + bytes(40), "OpenPGP"),  # gpg --symmetric
        (b"\xc3\x0d\x04\x09" + bytes(40), "OpenPGP"),  # of other programs
        (b"-----BEGIN PKCS7-----\nMII", "CMS"),
    ],
)
def test_an_encrypted_file_is_unread_and_not_bad(
    written: Callable[[bytes], Path], start: bytes, tool: str
) -> None:
    """The HINT names the setting that is missing."""
    path = written(start)

    with pytest.raises(HarnessError, match=rf"is encrypted \({tool}\)") as raised:
        DumpPaths(str(path), None).newest(None)

    assert "decrypt = " in raised.value.hint
    entry = facts.encrypted(path)
    assert entry is not None
    assert entry.form == f"encrypted ({tool})"


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (DUMP.decode().encode("utf-16"), BackupNotRestorable, "UTF-16"),
        (b"\xfe\xff" + DUMP.decode().encode("utf-16-be"), BackupNotRestorable, "UTF-16"),
        (b"pg_dump: reading\nPGDMP\x01\x10\x00", BackupNotRestorable, "before the beginning of an"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(30), HarnessError, "7-Zip"),
        (zipped(DUMP, DUMP), HarnessError, "holds 2 files"),
        (other_method(zipped(DUMP)), HarnessError, "cannot be unpacked"),
        (zstandard.compress(DUMP)[:4] + b"\x00\x98" + bytes(20), HarnessError, "of memory"),
        (zstandard.compress(DUMP)[:12], BackupNotRestorable, "cut short or damaged"),
        (lzma.compress(DUMP, lzma.FORMAT_ALONE), HarnessError, "an LZMA file"),
        (b"hello\n", BackupNotRestorable, "not a dump of pg_dump"),
        (b"", BackupNotRestorable, "is empty"),
    ],
    ids=[
        "utf-16",
        "big-endian",
        "junk-archive",
        "7z",
        "zip-of-two",
        "zip-method",
        "window",
        "cut",
        "lzma",
        "text",
        "empty",
    ],
)
def test_the_cause_is_named(
    written: Callable[[bytes], Path], data: bytes, kind: type[PgRestoreError], words: str
) -> None:
    """Each was `not a dump, or its beginning is damaged`."""
    with pytest.raises(kind, match=words):
        DumpPaths(str(written(data)), None).newest(None)


def test_a_zip_of_one_file_is_read(written: Callable[[bytes], Path]) -> None:
    """As unzip would."""
    dump = dump_of(written(zipped(DUMP)))

    assert (dump.form, dump.codec, dump.server_major) == ("plain", "zip", 17)
    assert b"".join(dump_file.chunks(dump)) == DUMP


def test_a_zip_that_is_cut_is_damaged(written: Callable[[bytes], Path]) -> None:
    """Its table of contents is at its end."""
    with pytest.raises(BackupNotRestorable, match=r"damaged|cut short"):
        DumpPaths(str(written(zipped(DUMP)[:-30])), None).newest(None)


@pytest.mark.parametrize(
    "lead",
    [b"Warning: host key added\n", b"psql (17.5)\nType help\n"],
)
def test_text_before_the_dump_is_named(written: Callable[[bytes], Path], lead: bytes) -> None:
    """The job's own output went into the file."""
    with pytest.raises(BackupNotRestorable, match="before the beginning of the dump, in line 1"):
        completeness.require_complete(dump_of(written(lead + DUMP)))


@pytest.mark.parametrize(
    "lead",
    [b"\xef\xbb\xbf", b"\n", b"SET ROLE app;\n", b"\\restrict abc\n", b"REINDEX TABLE t;\n"],
)
def test_sql_before_the_dump_is_no_junk(written: Callable[[bytes], Path], lead: bytes) -> None:
    """By hand it loads."""
    completeness.require_complete(dump_of(written(lead + DUMP)))
    completeness.require_complete(dump_of(written(DUMP + lead.removeprefix(b"\xef\xbb\xbf"))))


def judged(dump: DumpFile, data: bytes, *, unmarked: bool = False) -> str:
    """Return the problem of a dump's end, before or after it is loaded; empty without one."""
    stream = SqlStream([data], lambda statement: statement)
    try:
        completeness.require_complete(dump)
        list(stream)
        completeness.require_end(dump, stream.ending, unmarked=unmarked)
    except BackupNotRestorable as exc:
        return exc.problem
    return ""


def test_a_database_of_a_cluster_is_not_its_end() -> None:
    """Psql may stop behind it with an error, which must be told and not `cut short`."""
    stream = SqlStream([DUMP, b"\\connect other\n\nSET row_security = off;\n"], lambda one: one)
    list(stream)

    assert (stream.ending.behind, stream.ending.has_other_text) == ("SQL", False)


FAKE = b"-- PostgreSQL database dump complete"
INSERT = b"INSERT INTO public.t VALUES ('\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DUMP, ""),
        (RAILS, ""),
        (RAILS + b"RESET ALL;\n" * 500, ""),
        (STRIPPED, ""),
        (DUMP + DUMP, ""),
        (DUMP + b"INSERT INTO public.t VALUES ('x');\n" * 300, ""),
        (DUMP + b"NOTICE: backup job finished\n", "other text after the closing line"),
        (DUMP + DUMP[: -len(CLOSING)], "closing line"),
        (DUMP + HEAD + SETTINGS, "closing line"),
        (HEAD + SETTINGS + TABLE + ROWS + b"COPY public.t (v) FROM stdin;\n" + FAKE, "rows"),
        (
            HEAD + SETTINGS + TABLE + INSERT + FAKE + b"\n",
            "a statement",
        ),
        (RAILS[:-8], "a statement"),
        (SETTINGS + TABLE, "closing line"),
        (STRIPPED[:-4], "rows"),
        (STRIPPED[:-30], "a statement"),
    ],
    ids=[
        *(
            "whole",
            "rails",
            "much-behind",
            "stripped",
            "two-dumps",
            "titled",
            "job-output",
            "second-cut",
            "second-without",
        ),
        *("row-like-closing", "string-like-closing", "rails-cut", "comments-without-closing"),
        *("stripped-cut-in-rows", "stripped-cut-in-statement"),
    ],
)
def test_the_end_is_where_psql_sees_it(
    written: Callable[[bytes], Path], data: bytes, words: str
) -> None:
    """Psql ends with status 0 on each of these but one."""
    problem = judged(dump_of(written(data)), data)

    assert words in problem
    assert bool(words) == bool(problem)


@pytest.mark.parametrize("connect", [b"", b"\\connect shop\n\n"], ids=["two", "one"])
def test_two_dumps_in_one_file_are_no_cut_one(
    written: Callable[[bytes], Path], connect: bytes
) -> None:
    """As by `cat globals.sql shop.sql`. pg_dumpall itself connects to each database before it."""
    title = b"--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE a;\n"
    data = title + connect + CLOSING.replace(b"database", b"database cluster") + DUMP
    stream = SqlStream([data], lambda one: one)
    list(stream)

    with pytest.raises(PgRestoreError) as raised:
        completeness.require_end(dump_of(written(data)), stream.ending)

    assert isinstance(raised.value, BackupNotRestorable if connect else HarnessError)
    assert ("two dumps" in raised.value.problem) == (not connect)


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (DUMP, (True, True)),
        (HEAD + SETTINGS + TABLE + CLOSING, (True, False)),
        (SETTINGS + CREATE + b"INSERT INTO t VALUES ('" + b"x" * (2 << 20) + b"');", (True, True)),
        (HEAD + SETTINGS + CLOSING, (False, False)),
    ],
    ids=["whole", "definitions", "long-insert", "nothing"],
)
def test_a_dump_without_rows_is_known(data: bytes, seen: tuple[bool, bool]) -> None:
    """pg_dump --schema-only by mistake restores without an error."""
    stream = SqlStream([data], lambda one: one)
    list(stream)

    assert (stream.has_tables, stream.has_rows) == seen


@pytest.mark.parametrize(
    ("data", "is_whole"),
    [
        (HEAD + SETTINGS + TABLE + ROWS + COPY + b"RESET ALL;\n", True),
        (HEAD + SETTINGS + TABLE + ROWS + COPY[:-4], False),
    ],
    ids=["removed", "cut"],
)
def test_the_user_may_accept_an_end_that_is_not_marked(
    written: Callable[[bytes], Path], data: bytes, *, is_whole: bool
) -> None:
    """Supabase's data.sql ends with RESET ALL. Rows that are cut are refused all the same."""
    dump = dump_of(written(data))

    assert "cut short" in judged(dump, data)
    assert (judged(dump, data, unmarked=True) == "") == is_whole
    said = facts.not_checked([dump], unmarked=True)
    assert any("nothing marks its end" in sentence for sentence in said)


def test_a_dump_without_comments_says_what_is_open(written: Callable[[bytes], Path]) -> None:
    """It restores, so it is no failure; its objects and its end cannot be compared."""
    dump = dump_of(written(STRIPPED))

    said = " ".join(facts.not_checked([dump]))

    assert "comments were removed" in said
    assert "nothing marks its end" in said
    assert "nothing marks its end" not in " ".join(facts.not_checked([dump_of(written(DUMP))]))


def test_rows_that_look_like_a_header_are_none(written: Callable[[bytes], Path]) -> None:
    """A table of dump texts: moment, database and encoding came from its rows."""
    rows = (
        b"-- Started on 2031-01-01 00:00:00 UTC\n-- Dumped from database version 12.1\n"
        b"-- Name: other; Type: DATABASE; Schema: -; Owner: a\n"
        b"SET client_encoding = 'LATIN1';\n"
    )
    dump = dump_of(written(DUMP.replace(b"\nx\n\\.", b"\n" + rows + b"\\.")))

    assert (dump.moment, dump.database, dump.encoding) == (None, None, "UTF8")
    assert dump.server_major == 17


def test_a_database_that_a_dump_creates_is_known(written: Callable[[bytes], Path]) -> None:
    """By its first entry, or by the statement where comments were removed."""
    entry = b'--\n-- Name: my "db"; Type: DATABASE; Schema: -; Owner: a\n--\n\n'
    create = b'CREATE DATABASE "my ""db""" WITH TEMPLATE = template0;\n\n\\connect x\n'

    assert dump_of(written(HEAD + SETTINGS + entry + create)).database == 'my "db"'
    assert dump_of(written(SETTINGS + create)).database == 'my "db"'


def test_a_dump_of_rows_alone_is_known(written: Callable[[bytes], Path]) -> None:
    """Its first entry is of rows."""
    assert dump_of(written(HEAD + SETTINGS + ROWS + COPY + CLOSING)).rows_only
    assert not dump_of(written(DUMP)).rows_only


@pytest.mark.parametrize("files", [("PG_VERSION", "global/x"), ("backup_manifest", "base.tar")])
def test_a_base_backup_is_no_dump(tmp_path: Path, files: tuple[str, str]) -> None:
    """The type of the source is mistaken, and says nothing about the backup."""
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1\n")

    with pytest.raises(HarnessError, match="belongs to a base backup") as caught:
        DumpPaths(str(tmp_path), None).newest(None)
    assert 'type = "basebackup"' in caught.value.hint


def test_a_cluster_in_an_archive_format_is_named(tmp_path: Path) -> None:
    """PostgreSQL 19's pg_dumpall writes map.dat, and a directory for the databases."""
    place = tmp_path / "all"
    (place / "databases").mkdir(parents=True)
    (place / "map.dat").write_text("16384 shop\n")

    with pytest.raises(HarnessError, match="PostgreSQL 19's pg_dumpall"):
        DumpPaths(str(place), None).newest(None)
