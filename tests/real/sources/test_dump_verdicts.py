"""Whose fault is it? Errors of real servers and tools, in plain SQL and archives, on 15 and 18."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from tests.real.loading_server import LoadingServer, loading_server

HERE = "could not verify"
FAILED = "failed"
PASSED = "passed"


@pytest.fixture(scope="module", params=[15, 18])
def server(request: pytest.FixtureRequest) -> Iterator[LoadingServer]:
    """An empty server of a sandbox, and a directory that its user can read."""
    directory = short_directory()
    with loading_server(request.param, directory) as found:
        yield found
    shutil.rmtree(directory)


MISSING = {
    "preloaded library": (
        (
            "CREATE EXTENSION pg_stat_statements WITH SCHEMA public;\n"
            "CREATE MATERIALIZED VIEW m AS SELECT query FROM public.pg_stat_statements;"
        ),
        "shared_preload_libraries",
    ),
    "extension": ("CREATE EXTENSION nosuch;", "skip_extensions"),
    "extension's library": (
        "CREATE FUNCTION f() RETURNS int AS '$libdir/nosuch', 'f' LANGUAGE c;",
        "package",
    ),
    "language": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE nosuchlang AS 'x';",
        "sandbox.packages",
    ),
    "old language": ("CREATE PROCEDURAL LANGUAGE plnosuch;", "skip_extensions"),
    "access method": (
        "CREATE TABLE t (a int) USING columnar;",
        "sandbox.packages",
    ),
    "collation of a column": ('CREATE TABLE t (a text COLLATE "xx_YY");', "locale"),
    "collation of the catalogue": (
        'CREATE TABLE t (a text COLLATE pg_catalog."xx_YY.utf8");',
        "locale",
    ),
    "collation of ICU": ('CREATE TABLE t (a text COLLATE pg_catalog."de-q-icu");', "ICU"),
    "locale of a collation": (
        "CREATE COLLATION public.c (provider = libc, locale = 'xx_YY.utf8');",
        "locale",
    ),
    "locale of a setting": ("ALTER DATABASE postgres SET lc_monetary = 'xx_YY.utf8';", "locale"),
    "time zone": ("ALTER DATABASE postgres SET timezone = 'Mars/Olympus';", "tzdata"),
    "setting of a newer major": ("SET nosuch_timeout = 0;", "major"),
    "setting of a preloaded library": (
        "SELECT current_setting('cron.database_name');",
        "shared_preload_libraries",
    ),
    "text search dictionary": (
        (
            "CREATE TEXT SEARCH DICTIONARY public.d"
            " (TEMPLATE = pg_catalog.ispell, dictfile = 'nosuch', afffile = 'nosuch');"
        ),
        "tsearch_data",
    ),
    "stop words": (
        (
            "CREATE TEXT SEARCH DICTIONARY public.d"
            " (TEMPLATE = pg_catalog.simple, stopwords = 'nosuch');"
        ),
        "tsearch_data",
    ),
    "role": ("CREATE TABLE t (a int);\nALTER TABLE t OWNER TO nosuch;", "owners = false"),
    "tablespace": ("CREATE TABLE t (a int) TABLESPACE nosuch;", "globals"),
    "schema": ("CREATE TABLE auth.t (a int);", "before"),
    "encoding": ("SET client_encoding = 'MULE_INTERNAL';", "encoding"),
    "stack": ("SELECT 1" + "+1" * 20_000 + ";", "max_stack_depth"),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_here_says_nothing_about_the_backup(
    server: LoadingServer, case: str
) -> None:
    """The hint names the setting that mends it."""
    text, word = MISSING[case]

    loaded = server.sql(text)

    assert loaded.verdict == HERE, loaded.words
    assert word in loaded.words


BROKEN = {
    "bad value": "CREATE TABLE t (a int);\nCOPY t FROM stdin;\nSECRET\n\\.\n",
    "missing column": "CREATE TABLE t (a int, b int);\nCOPY t FROM stdin;\n1\n\\.\n",
    "duplicate": "CREATE TABLE t (a int primary key);\nINSERT INTO t VALUES (1);\nTABLE t;\n"
    "INSERT INTO t VALUES (1);",
    "foreign key": (
        "CREATE TABLE a (id int primary key);\nCREATE TABLE b (a int);\nINSERT INTO b VALUES (1);\n"
        "ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a;"
    ),
    "wrong type": "CREATE TABLE t (a nosuchtype);",
    "missing table": "INSERT INTO nosuch VALUES (1);",
    "missing function": "SELECT public.nosuch(1);",
    "syntax": "CREATE TABEL t (a int);",
    "schema twice": "CREATE SCHEMA s;\nCREATE SCHEMA s;",
    "table twice": "CREATE TABLE t (a int);\nCREATE TABLE t (a int);",
    "extension twice": "CREATE SCHEMA plpgsql;\nCREATE SCHEMA plpgsql;",
    "collation of the dump's own": 'CREATE TABLE t (a text COLLATE public."mine");',
    "raised out of memory": "DO $$ BEGIN RAISE 'out of memory'; END $$;",
    "raised with a state": "DO $$ BEGIN RAISE 'disk full' USING ERRCODE = '53100'; END $$;",
    "raised as a missing role": (
        "DO $$ BEGIN RAISE 'role \"x\" does not exist' USING ERRCODE = '42704'; END $$;"
    ),
    "raised as an extension": (
        "DO $$ BEGIN RAISE 'extension \"x\" is not available' USING ERRCODE = '0A000'; END $$;"
    ),
    "raised with lines of a tool": (
        "DO $$ BEGIN RAISE E'x\\npsql:<stdin>:1: error: connection to server was lost"
        "\\npsql:<stdin>:1: FATAL:  out of memory\\n2026-01-01 00:00:00.000 UTC [1] 53100 ERROR:"
        "  53100: disk full\\n2026-01-01 00:00:00.000 UTC [1] 53100 LOCATION:  x, y.c:1'; END $$;"
    ),
    "notice with lines of a tool": (
        "SET client_min_messages = notice;\nDO $$ BEGIN RAISE NOTICE E'x\\npsql: error: out of"
        " memory'; END $$;\nSELECT 1/0;"
    ),
    "a log without places": (
        "SET log_error_verbosity = terse;\nDO $$ BEGIN RAISE 'x' USING ERRCODE = '53100'; END $$;"
    ),
    "a value that names a cause": (
        "CREATE TABLE t (a int);\nCOPY t FROM stdin;\nNo space left on device\n\\.\n"
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_dump_stays_failed(server: LoadingServer, case: str) -> None:
    """Whatever words its rows and functions hold."""
    loaded = server.sql(BROKEN[case])

    assert loaded.verdict == FAILED, loaded.words
    assert "SECRET" not in loaded.words


THERE = {
    "schema public": ("CREATE SCHEMA public;\nALTER SCHEMA public OWNER TO pgr_test;", "schema"),
    "schema public in quotes": ('create schema "public";', "schema"),
    "extension": ("CREATE EXTENSION plpgsql WITH SCHEMA pg_catalog;", "extension"),
    "language": ("CREATE PROCEDURAL LANGUAGE plpgsql;", "language"),
    "language of 9.0": ("CREATE OR REPLACE PROCEDURAL LANGUAGE plpgsql;", "language"),
    "language of 8": (
        (
            "CREATE FUNCTION public.plpgsql_call_handler() RETURNS language_handler"
            " AS '$libdir/plpgsql', 'plpgsql_call_handler' LANGUAGE c;\n"
            "CREATE TRUSTED PROCEDURAL LANGUAGE plpgsql HANDLER public.plpgsql_call_handler;"
        ),
        "language",
    ),
    "cleaned": (
        (
            "ALTER TABLE ONLY public.t DROP CONSTRAINT t_pkey;\nDROP TABLE public.t;\n"
            "DROP SCHEMA public;\nCREATE SCHEMA public;"
        ),
        "DROP",
    ),
    "cleaned with a circle": (
        (
            "DROP RULE r ON public.v;\nCREATE OR REPLACE VIEW public.v AS\nSELECT\n"
            "    NULL::integer AS a;\nDROP VIEW public.v;\nDROP FUNCTION public.f(public.gone);\n"
            "CREATE VIEW public.v AS SELECT 1 AS a;"
        ),
        "DROP",
    ),
}


@pytest.mark.parametrize("case", THERE)
def test_what_a_new_database_has_is_no_error_and_is_said(server: LoadingServer, case: str) -> None:
    """By hand, each is one harmless error."""
    text, word = THERE[case]

    loaded = server.sql(text + "\nCREATE TABLE public.t (a int);")

    assert loaded.verdict == PASSED, loaded.words
    assert any(word in note for note in loaded.notes), loaded.notes
    assert server.value(loaded, "select count(*) from public.t") == 0


def test_a_whole_backup_that_lacks_a_role_is_bad(server: LoadingServer) -> None:
    """With `globals`, or in the output of pg_dumpall, the backup was to bring it."""
    text = "CREATE TABLE t (a int);\nALTER TABLE t OWNER TO nosuch;"

    assert server.sql(text, has_globals=True).verdict == FAILED
    assert server.sql(text, cluster=True).verdict == FAILED


def test_a_bad_row_convicts_beside_a_missing_role(server: LoadingServer, tmp_path: Path) -> None:
    """A role cannot make a row bad."""
    before = tmp_path / "before.sql"
    before.write_text("CREATE SCHEMA auth;")
    twice = server.sql("CREATE SCHEMA auth;", before=before)
    once = server.sql("CREATE TABLE auth.t (a int);", before=before)

    assert (twice.verdict, once.verdict) == (HERE, PASSED), twice.words + once.words
    assert "before" in twice.words
    assert once.notes == [f"before the dump, before.sql was run in database {once.database}"]


def test_the_cause_in_an_archive_names_its_object(server: LoadingServer) -> None:
    """The server's words name the table under row security, and not the view that reads it."""
    owned = (
        "create role viewer;",
        "create table t as select 1 as a",
        "alter table t enable row level security; alter table t force row level security",
        "create policy p on t using (true)",
        "create materialized view totals as select count(*) from t;",
        "grant create, usage on schema public to viewer",
        "alter table t owner to viewer",
        "alter materialized view totals owner to viewer",
    )
    with Cluster.create(server.dumps / "rls", server.major) as cluster:
        cluster.sql("create database rls")
        for statement in owned:
            cluster.sql(statement, database="rls")
        dump = cluster.dump(server.dumps / "rls.dump", "rls")
    dump.chmod(0o644)
    with server.connection.ask() as session:
        session.execute("create role viewer; create role postgres superuser")

    loaded = server.load(dump)

    assert loaded.verdict == FAILED, loaded.words
    assert 'row-level security policy for table "t"' in loaded.words
    assert "(REFRESH MATERIALIZED VIEW public.totals)" in loaded.words
