"""Every reader of a dump on damaged and hostile bytes: a result or our own error, and an end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import string
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.sources.codecs import open_plain, reading
from pytest_pgrestore.sources.dump.loading.messages import complaints
from pytest_pgrestore.sources.dump.loading.psql.lexer import PsqlLexer
from pytest_pgrestore.sources.dump.loading.role_names import roles_named
from pytest_pgrestore.sources.dump.loading.sql_stream import SqlStream
from pytest_pgrestore.sources.dump.loading.tables import choose_tables, use_list
from pytest_pgrestore.sources.dump.reading import completeness, dump_file, globs, toc
from pytest_pgrestore.sources.dump.reading.archive_header import parse_header, started_at
from pytest_pgrestore.sources.dump.reading.plain_header import parse_plain_header
from pytest_pgrestore.sources.dump.reading.toc_names import data_file_names
from tests.fuzz.mutate import mutated

PLAIN = (
    b"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n"
    b"-- Dumped from database version 17.2\n-- Dumped by pg_dump version 17.2\n"
    b"-- Started on 2026-03-01 10:00:00 UTC\n\nSET client_encoding = 'UTF8';\n"
    b"SET standard_conforming_strings = on;\n\n"
    b"--\n-- Name: shop; Type: DATABASE; Schema: -; Owner: app\n--\n\n"
    b"CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C.UTF-8';\n\n"
    b"\\connect -reuse-previous=on \"dbname='we ird'\"\n\n"
    b"--\n-- Name: f(integer); Type: FUNCTION; Schema: public; Owner: app\n--\n\n"
    b"CREATE FUNCTION public.f(integer) RETURNS integer LANGUAGE sql AS $_$ select 1; $_$;\n"
    b'CREATE TABLE public.t (v text);\nALTER TABLE public.t OWNER TO "Odd Role";\n'
    b"COPY public.t (v) FROM stdin;\n1\n\\N\n\\.\n\n"
    b"INSERT INTO public.t VALUES ('it''s', E'\\\\'';', 1.5, NULL);\n"
    b"GRANT SELECT ON TABLE public.t TO reader WITH GRANT OPTION;\n"
    b"--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n"
)
LISTING = (
    ";\n; Archive created at 2026-11-22 23:08:01 UTC\n;\n"
    "1; 1262 1 DATABASE - shop app\n4; 1259 4 TABLE public t app\n;\tdepends on: 1 4 5\n"
    "5; 1259 5 INDEX public t_i app\n;\tdepends on: 4 5\n8; 0 4 TABLE DATA public t app\n"
    ";\tdepends on: 4\n9; 2606 12 FK CONSTRAINT public t t_fk app\n;\tdepends on: 5 4 9\n"
)
MESSAGES = (
    'psql:<stdin>:45: ERROR:  duplicate key value violates unique constraint "t_pkey"\n'
    "DETAIL:  Key (v)=(x) already exists.\nCONTEXT:  COPY t, line 8\n"
    'pg_restore: error: could not execute query: ERROR:  role "app" does not exist\n'
)


def integer(value: int) -> bytes:
    """Return an integer as pg_dump writes it."""
    return bytes([value < 0]) + abs(value).to_bytes(4, "little")


def text(value: str | None) -> bytes:
    """Return a string as pg_dump writes it."""
    return integer(-1) if value is None else integer(len(value)) + value.encode()


def archive_toc(*names: str) -> bytes:
    """Return a toc.dat of version 1.16 with a table's data for each file name."""
    head = b"PGDMP" + bytes([1, 16, 0, 4, 8, 5, 0])
    clock = b"".join(integer(value) for value in (0, 0, 10, 1, 2, 126, 0))
    head += clock + text("shop") + text("18.0") + text("18.0") + integer(len(names))
    return head + b"".join(
        integer(number)
        + integer(1)
        + text("0") + text("0") + text("t") + text("TABLE DATA")
        + integer(3)
        + text("") + text("") + text("COPY t FROM stdin;") + text("public") + text("")
        + text("") + integer(0) + text("app") + text("false") + text("2") + text(None)
        + text(name)
        for number, name in enumerate(names, 1)
    )  # fmt: skip


ARCHIVE = archive_toc("3001.dat.gz", "3002.dat.gz")


@given(mutated(PLAIN), st.integers(1, 300))
def test_plain_sql(data: bytes, size: int) -> None:
    """Nothing is lost between the pieces, whatever the size of the chunks."""
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    try:
        found = [piece for pieces in PsqlLexer("x").pieces(chunks) for piece in pieces]
    except PgRestoreError:
        return

    assert len(b"".join(piece.text for piece in found)) >= len(data.removeprefix(b"\xef\xbb\xbf"))


@given(mutated(PLAIN))
@example(b'"' + PLAIN)
def test_the_stream_for_psql_has_no_command_of_the_dump(data: bytes) -> None:
    """Each backslash command that psql gets is one of ours."""
    stream = SqlStream([data], lambda statement: statement, key="KEY")
    try:
        # psql reads on as SQL behind two backslashes; our lexer takes a command's whole line.
        sent = b"".join(stream).replace(b"\\restrict KEY \\\\ ", b"\\restrict KEY\n")
    except PgRestoreError:
        return
    commands = [
        piece.text
        for pieces in PsqlLexer("x").pieces([sent])
        for piece in pieces
        if piece.kind == "command"
    ]
    ours = (b"\\restrict KEY", b"\\unrestrict KEY", b"\\connect -reuse-previous=on \"dbname='")

    assert all(command.startswith(ours) for command in commands)


@given(mutated(PLAIN))
@example(PLAIN.replace(b"2026-03-01", b"2026-13-41"))
@example(PLAIN.replace(b"version 17.2", b"version " + b"9" * 5000))
def test_plain_header(data: bytes) -> None:
    """A header tells a fact or nothing."""
    header = parse_plain_header(data)

    assert header is None or header.form in {"plain", "cluster"}


@given(mutated(ARCHIVE))
@example(ARCHIVE.replace(integer(126), integer(2**31)))
def test_archive_header(data: bytes) -> None:
    """A clock that no machine knows is no clock."""
    header = parse_header(data)

    assert header is None or started_at(header, datetime.now(UTC)) is None or header.version


@given(mutated(ARCHIVE))
def test_names_in_an_archive(data: bytes) -> None:
    """Huge counts and lengths end with the file."""
    try:
        found = list(data_file_names(io.BytesIO(data)))
    except (EOFError, ValueError):
        return

    assert len(found) <= len(data)


@given(mutated(LISTING.encode()), mutated(PLAIN))
@example(("9" * 5000 + "; 1 1 TABLE public t app\n").encode(), PLAIN)
def test_table_of_contents(listing: bytes, script: bytes) -> None:
    """Cycles of dependencies and imitated entries end."""
    contents = toc.parse(listing.decode("utf-8", "replace"), script.decode("utf-8", "replace"))
    try:
        chosen = choose_tables(contents, ("t",))
    except PgRestoreError:
        return

    assert use_list(contents, chosen).count("\n") >= 1


@given(mutated(MESSAGES.encode()))
def test_messages(data: bytes) -> None:
    """Output of a tool is text from elsewhere, too."""
    assert all(len(entry.text) <= 700 for entry in complaints(data.decode("utf-8", "replace")))


@given(mutated(PLAIN))
def test_statements(data: bytes) -> None:
    """Every line may be a statement."""
    for line in data.splitlines():
        assert isinstance(roles_named(line), list)


PACKED = {
    "gzip": gzip.compress(PLAIN * 20),
    "bzip2": bz2.compress(PLAIN * 20),
    "xz": lzma.compress(PLAIN * 20),
    "lz4": lz4.frame.compress(PLAIN * 20),
    "zstd": zstandard.ZstdCompressor().compress(PLAIN * 20),
}


@pytest.mark.parametrize("codec", PACKED)
@given(data=st.data())
def test_compressed_files(codec: str, data: st.DataObject) -> None:
    """A damaged file is our error, at its beginning and when it is read."""
    with tempfile.NamedTemporaryFile() as file:
        path = Path(file.name)
        path.write_bytes(data.draw(mutated(PACKED[codec])))
        try:
            found = dump_file.inspect(path)
            with reading(path), open_plain(path) as stream:
                while stream.read(1 << 16):
                    pass
        except PgRestoreError:
            return

    assert found is None or found.path == path


@given(mutated(ARCHIVE.ljust(1024, b"\0") * 3))
def test_the_end_of_a_tar(data: bytes) -> None:
    """Sizes in a tar lead anywhere."""
    with tempfile.NamedTemporaryFile() as file:
        path = Path(file.name)
        path.write_bytes(b"toc.dat\0" + data)
        dump = dump_file.DumpFile(
            path=path, form="tar", written_at=datetime.now(UTC), size_bytes=len(data)
        )
        with pytest.raises(PgRestoreError):
            completeness.require_complete(dump)


@given(st.text(string.ascii_letters + "*?[]/.-!{}\\", max_size=30))
def test_globs(pattern: str) -> None:
    """A pattern of the user's finds files or tells why not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "loop").symlink_to(folder)
        (folder / "again").symlink_to(folder)
        (folder / "nothing").symlink_to(folder / "gone")
        try:
            found = globs.matches(f"{folder}/{pattern}", "path")
        except PgRestoreError:
            return

        assert all(path.exists() or path.is_symlink() for path in found)
