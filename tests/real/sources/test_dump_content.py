"""What is restored is what was dumped: no text is changed; whose fault an archive's error is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from tests.real.loading_server import LoadingServer, loading_server

FORMS = ("plain", "custom", "directory", "tar")

TEXTS = (
    "x\nDROP DATABASE postgres;\nCREATE SCHEMA public;\n\\connect elsewhere\n\\.\ny",
    "CREATE TABLESPACE t LOCATION '/production';\nGRANT a TO b GRANTED BY c;",
    "it's \\ E'\\' $$ $x$ :name :'name' :\"name\" /* -- \" \\\\ \t\r\n\x01 \u20ac \U0001f600",
    "CREATE EXTENSION plpgsql;\nALTER TABLE t OWNER TO nobody;\nSET SESSION AUTHORIZATION x;",
    "--\n-- PostgreSQL database dump complete\n--\n\n\\restrict x\n\\unrestrict x\n",
    "\\.",
    "\\N",
    "",
)

BODIES = """
create schema "OWNER TO b; --";
create table page (id int primary key, body text, raw bytea, odd text default
  E'a\\'; DROP DATABASE postgres; --\n\\\\connect x', "GRANTED BY x;" int);
comment on table page is 'CREATE DATABASE x LC_COLLATE = ''de_DE.utf8'';
DROP SCHEMA public;
CREATE SCHEMA public;';
create table "OWNER TO b; --"."line
DROP SCHEMA public;" (a text);
create function quoted() returns text language sql as ' select ''x
DROP DATABASE postgres;
CREATE EXTENSION plpgsql;
y'' ';
create function dollars() returns text language plpgsql as $f$
begin
  -- ; /* nested /* comment */ */
  /* DROP SCHEMA public; */
  execute $q$ select 1; $q$;
  return E'\\'; CREATE SCHEMA public;';
end $f$;
create function atomic(a int) returns int begin atomic
  select case when a > 1 then 2 end;
  select 'DROP DATABASE postgres;
CREATE SCHEMA public;'::text is null;
  select 3;
end;
create procedure steps() begin atomic
  insert into page (id, body) values (-1, 'END;
CREATE TABLESPACE t LOCATION ''/x'';');
end;
create view shown as select 'ALTER TABLE x
OWNER TO y;'::text as "a;b", id from page where body <> E'\\n;DROP VIEW x;';
create rule off as on delete to page do instead (select 1; select 'GRANT a TO b GRANTED BY c;');
create domain odd as text check (value <> 'CREATE LANGUAGE plpgsql;
');
create operator === (leftarg = int, rightarg = int, function = int4eq);
select lo_from_bytea(4711, 'DROP DATABASE postgres;');
"""

STATE = r"""
select md5(string_agg(part, '|' order by part)) from (
  select 'page ' || id || coalesce(body, '(null)') || coalesce(encode(raw, 'hex'), '') as part
    from public.page
  union all select 'body ' || proname || prosrc || coalesce(pg_get_function_sqlbody(oid), '')
    from pg_proc where pronamespace = 'public'::regnamespace
  union all select 'comment ' || description from pg_description
    where objoid = 'public.page'::regclass
  union all select 'default ' || pg_get_expr(adbin, adrelid) from pg_attrdef
  union all select 'view ' || pg_get_viewdef('public.shown'::regclass)
  union all select 'rule ' || definition from pg_rules where schemaname = 'public'
  union all select 'name ' || nspname || relname from pg_class c
    join pg_namespace n on n.oid = relnamespace where relkind = 'r' and nspname !~ '^pg_|^info'
  union all select 'check ' || pg_get_constraintdef(oid) from pg_constraint where contypid <> 0
  union all select 'object ' || encode(lo_get(4711), 'hex')
) as parts
"""


@dataclass
class Origin:
    """A production database with odd text, its dumps, and what it holds."""

    dumps: Path
    state: str


@pytest.fixture(scope="module", params=[15, 18])
def origin(request: pytest.FixtureRequest) -> Iterator[tuple[Origin, LoadingServer]]:
    """Dumps of one major and a server to load them into."""
    major = request.param
    directory = short_directory()
    dumps = directory / "dumps"
    with Cluster.create(directory / "c", major) as cluster:
        cluster.sql("create database shop")
        cluster.sql("create role anna")
        cluster.sql(BODIES, database="shop")
        with cluster.connect("shop") as connection:
            for number, text in enumerate(TEXTS):
                connection.execute(
                    "insert into public.page values (%s, %s, %s)", [number, text, text.encode()]
                )
            connection.execute("set search_path = pg_catalog, pg_temp")
            row = connection.execute(STATE.encode()).fetchone()
        assert row is not None
        for form in FORMS:
            cluster.dump(dumps / f"shop.{form}", "shop", form=form)
        for name, options in PLAIN.items():
            cluster.dump(dumps / f"{name}.plain", "shop", *options, form="plain")
        build_verdicts(cluster, dumps)
    with loading_server(major, dumps) as server:
        yield Origin(dumps, str(row[0])), server
    shutil.rmtree(directory)


PLAIN = {
    "inserts": ("--inserts",),
    "rows": ("--column-inserts", "--rows-per-insert=3"),
    "clean": ("--clean",),
    "quoted": ("--quote-all-identifiers", "--clean", "--if-exists"),
    "session": ("--use-set-session-authorization", "--no-comments"),
    "public": ("--schema=public", "--blobs"),
}


@pytest.mark.parametrize("name", [*(f"shop.{form}" for form in FORMS), *PLAIN])
def test_no_text_is_changed(origin: tuple[Origin, LoadingServer], name: str) -> None:
    """Values, bodies, comments, names and large objects have the digest that they had."""
    made, server = origin
    path = made.dumps / (name if "." in name else f"{name}.plain")

    loaded = server.load(path, owners=False)

    assert loaded.verdict == "passed", loaded.words
    if name == "public":
        assert server.value(loaded, "select count(*) from public.page") == len(TEXTS)
    elif name == "session":
        assert server.value(loaded, "select md5(body) from public.page where id = 0") is not None
    else:
        assert server.value(loaded, STATE) == made.state


def build_verdicts(cluster: Cluster, dumps: Path) -> None:
    """Dump databases whose archives fail for one cause each."""
    for name, text in ARCHIVES.items():
        cluster.sql(f"create database {name}")
        cluster.sql(text, database=name)
        cluster.dump(dumps / f"{name}.custom", name)


RAISING = (
    "create function f(int) returns boolean language plpgsql immutable as $$ begin"
    " if current_setting('cluster_name') = 'loading' then raise exception using message = {0},"
    " errcode = '{1}'; end if; return true; end $$;\n"
    "create table t (a int check (f(a)));\ninsert into t values (1);"
)
ARCHIVES = {
    "raised_memory": RAISING.format("'out of memory'", "53200"),
    "raised_lines": RAISING.format(
        "E'x\\npg_restore: error: connection to server failed\\npg_restore: error: out of memory'",
        "42704",
    ),
    "odd_collation": (
        "create collation pg_catalog.\"xx_YY.utf8\" (locale = 'C');\n"
        'create table t (a text collate pg_catalog."xx_YY.utf8");'
    ),
    "policies": (
        "create table t (a int);\ninsert into t values (1);\n"
        "create policy p on t for select to anna using (true);"
    ),
    "extended": (
        "create extension hstore;\ncreate extension citext;\ncomment on extension citext is 'x';"
        "create table t (a int, h hstore);\ninsert into t values (1, 'a=>1');"
    ),
}


@pytest.mark.parametrize("name", ["raised_memory", "raised_lines"])
def test_what_a_dump_raises_is_no_word_about_this_machine(
    origin: tuple[Origin, LoadingServer], name: str
) -> None:
    """Message, SQLSTATE and lines that look like the tool's own are the dump's choice."""
    made, server = origin

    loaded = server.load(made.dumps / f"{name}.custom", owners=False)

    assert loaded.verdict == "failed", loaded.words


def test_a_collation_that_is_missing_here_says_nothing(
    origin: tuple[Origin, LoadingServer],
) -> None:
    """pg_restore shows no SQLSTATE: the server's log does."""
    made, server = origin

    loaded = server.load(made.dumps / "odd_collation.custom", owners=False)

    assert loaded.verdict == "could not verify", loaded.words
    assert "locale" in loaded.words


def test_policies_of_roles_need_no_globals_without_owners(
    origin: tuple[Origin, LoadingServer],
) -> None:
    """pg_restore --no-owner --no-privileges leaves them in."""
    made, server = origin

    loaded = server.load(made.dumps / "policies.custom", owners=False)

    assert loaded.verdict == "passed", loaded.words
    assert server.value(loaded, "select polname from pg_policy") == "p"


def test_an_extension_can_be_left_out(origin: tuple[Origin, LoadingServer]) -> None:
    """What needs it is not the backup's fault then."""
    made, server = origin
    archive = made.dumps / "extended.custom"

    left = server.load(archive, owners=False, skip_extensions=("citext", "not_in_it"))
    rows = server.value(left, "select count(*) from public.t")
    needed = server.load(archive, owners=False, skip_extensions=("hstore",))
    plain = server.sql(
        "CREATE EXTENSION IF NOT EXISTS nosuch WITH SCHEMA public;\n"
        "COMMENT ON EXTENSION nosuch IS 'x';\nCREATE TABLE public.t (a int);",
        skip_extensions=("nosuch",),
    )

    assert (left.verdict, plain.verdict) == ("passed", "passed"), left.words + plain.words
    assert rows == 1
    assert left.not_checked == [
        "The extension citext, and what belongs to it: skip_extensions leaves it out."
    ]
    assert "nosuch" in plain.not_checked[0]
    assert needed.verdict == "could not verify", needed.words
    assert "skip_extensions" in needed.words
