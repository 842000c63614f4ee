"""Our reading of plain SQL against psql itself: both see the first command at the same place."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.model.errors import PgRestoreError
from pytest_pgrestore.sources.dump.loading.psql.lexer import PsqlLexer

FRAGMENTS = (
    *("'", "''", "E'", "e'", "U&'", "b'", "N'", '"', 'U&"', "$$", "$a$", "$b$", "$1", "$", "a$b$"),
    *("--", "-", "/*", "*/", "/", "*", ";", "(", ")", "\n", "\n", "\n", " ", "\\", "\\'", "\\\\"),
    *("a", "E", "1", "1e", "x.y", "::int", ":", ":=", ":DBNAME", ":'DBNAME'", ":{?DBNAME}", "é"),
    *("select 1", "create function f() ", "begin atomic ", "case", " end ", "or replace ", "copy"),
    *("\r\n", "\t", "\f", "\v", "\r", "[1:2]", "+", "@", "&", "_", ".5", "0x1F", "#", "`", "U&"),
)
STATEMENTS = (
    *("select 'a';\n", "select E'a\\'b';\n", "select $x$ ; ' $x$;\n", 'select 1 as "a;b";\n'),
    *("select 'a\\';\n", "-- it's; a comment\n", "/* a /* b */ ' */\n", "select (1);\n", "\n"),
    *("set standard_conforming_strings = off;\n", "set standard_conforming_strings to on;\n"),
    *("set client_encoding = 'SJIS';\n", "set client_encoding to 'UTF8';\n", "select 1;;"),
    *("copy t from stdin;\n", "COPY t (a) FROM STDIN WITH (format csv);\n", "\\.\n", "row\n"),
    *('copy "t"from stdout;\n', "copy t to stdout;\n", "copy (select 1) to stdin;\n", "\\.x\n"),
    *("create or replace function f() returns int begin atomic select 1; end;\n", "select 'a"),
    *("';\n", "\\.\r\n", "select 1; copy t from stdin;\n", "select 'a' -- '\n'b\\';\n", "$x$;\n"),
    *("copy t from program 'echo 1';\n", "select E'\\\\';\n", "select U&'\\0061';\n", " "),
)


@pytest.fixture(scope="module", params=[15, 18])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A server to run psql against."""
    directory = short_directory()
    with Cluster.create(directory / "c", request.param) as running:
        running.sql("create table t (a text)")
        yield running
    shutil.rmtree(directory)


def marked(parts: list[str]) -> str:
    r"""Return the parts with numbered commands between them."""
    return "".join(
        part if part != "\0" else f"\\echo mark{number}\n" for number, part in enumerate(parts)
    )


def first_mark(cluster: Cluster, text: bytes, *options: str) -> tuple[str | None, int]:
    """Return the first mark that psql prints, and psql's exit status."""
    done = cluster.programs.run(
        "psql",
        *cluster.arguments(),
        *("--no-psqlrc", "--quiet", "--output=/dev/null", "--dbname=postgres", "--file=-"),
        *options,
        stdin=[text],
        check=False,
        env={"PGOPTIONS": "-c standard_conforming_strings=on"},
    )
    found = re.search(r"^mark\d+", done.stdout, re.MULTILINE)
    return (found[0] if found else None), done.status


def our_mark(text: bytes, size: int) -> str | None:
    """Return the first mark that our lexer takes for a command; None without one.

    Raises:
        PgRestoreError: It refuses the text.
    """
    chunks = (text[start : start + size] for start in range(0, len(text), size))
    for pieces in PsqlLexer("soup").pieces(chunks):
        for piece in pieces:
            if piece.kind == "command":
                found = re.match(rb"\\echo (mark\d+)", piece.text)
                return found[1].decode() if found else "another"
    return None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.sampled_from((*FRAGMENTS, "\0", "\0")), min_size=3, max_size=25),
    size=st.integers(1, 40),
)
@example(parts=["--", "\r", "\\", "\0"], size=3)
@example(parts=["select 1", "\0"], size=1)
@example(parts=["1e", "'", "\\'", "\0", "'", "\n", "\0"], size=2)
def test_fragments_are_read_as_psql_reads_them(
    cluster: Cluster, parts: list[str], size: int
) -> None:
    """A difference is a command that nobody looked at, or a good dump that is refused."""
    text = marked(parts).encode()
    try:
        ours = our_mark(text, size)
    except PgRestoreError:
        return
    if ours == "another":
        return  # `\'` and the like: it is refused
    psql, _ = first_mark(cluster, text)

    assert psql == ours


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.sampled_from((*STATEMENTS, "\0", "\0", "\0")), min_size=3, max_size=12),
    size=st.integers(1, 60),
)
def test_statements_and_rows_are_read_as_psql_reads_them(
    cluster: Cluster, parts: list[str], size: int
) -> None:
    """A row can look like a command, and a command like a row."""
    text = marked(parts).encode()
    try:
        ours = our_mark(text, size)
    except PgRestoreError:
        return
    if ours == "another":
        return
    psql, status = first_mark(cluster, text, "--set=ON_ERROR_STOP=1")

    assert psql == ours or (psql is None and status != 0)
