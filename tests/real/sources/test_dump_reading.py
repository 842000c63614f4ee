"""What a dump is, on dumps of real servers: odd names, encodings, several files, false ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from pytest_pgrestore.demo.cluster import Cluster, short_directory
from pytest_pgrestore.sources.dump.reading.zone_abbreviations import OFFSETS, ZONES
from tests.real.dump_fixtures import World
from tests.real.runtimes import opened_run

LONG = "ы" * 31
CLOSING = "-- PostgreSQL database dump complete"
ODD = f'''
create schema "-";
create schema "a.b ""c""";
create domain "a.b ""c"""."dom; Type: x" as int constraint "k k" check (value > 0);
create table "-"."line\nend" (id int primary key, "; Owner: x" int default 7);
create table "{LONG}" (id int constraint "{LONG[:-1]}x" primary key, v text);
create table "日本" (id int constraint "العربية 'q'" check (id > 0));
create index "i(j" on "日本" (id);
create function "f(x"(a numeric(10, 2), b text) returns int language sql as $$ select 1 $$;
create function dumped() returns text language sql as $body$ select '--
-- Name: never_there; Type: TABLE; Schema: public; Owner: postgres
--

{CLOSING}
' $body$;
create rule "r r" as on insert to "日本" do also nothing;
create statistics "s t" on id, v from "{LONG}";
create collation "c c" from "C";
create table texts (v text);
insert into texts values ('-- Name: nothing; Type: TABLE; Schema: public; Owner: x'),
  ('{CLOSING}'), ('-- PostgreSQL database dump'), ('last');
'''
COUNT = "select count(*) from texts"
LATIN = """
set client_encoding = utf8;
create table "caféé" (id int primary key, "ü" text);
create table texts (v text);
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Databases whose names are of every kind, dumped as plain SQL and as archives."""
    directory = short_directory()
    dumps = directory / "dumps"
    with Cluster.create(directory / "c", 15) as cluster:
        cluster.sql("create database odd")
        cluster.sql("create database latin encoding 'LATIN1' locale 'C' template template0")
        cluster.sql(ODD, database="odd")
        cluster.sql(LATIN, database="latin")
        for form in ("plain", "custom"):
            cluster.dump(dumps / f"odd.{form}", "odd", form=form)
            cluster.dump(dumps / f"latin.{form}", "latin", form=form)
        cluster.dump(dumps / "schema.sql", "odd", "--schema-only", form="plain")
        cluster.dump(dumps / "data.sql", "odd", "--data-only", form="plain")
        cluster.dump_all(dumps / "roles.sql", "--globals-only")
        cluster.dump_all(dumps / "all.sql")
    with opened_run("local") as run:
        yield World(15, dumps, run, tmp_path_factory.mktemp("logs"))
    shutil.rmtree(directory)


@pytest.mark.parametrize("name", ["odd.plain", "odd.custom", "latin.plain", "latin.custom"])
def test_every_name_is_found_again(odd: World, name: str) -> None:
    """Spaces, quotes, dots, parentheses, line ends, 62 bytes, other scripts, another encoding."""
    outcome = odd.drill(name, query=COUNT, owners=False)

    assert (outcome.verdict, outcome.problem) == ("passed", ""), outcome.contents
    assert outcome.rows == ((4 if "odd" in name else 0),)


def test_each_database_of_a_cluster_has_its_encoding(odd: World) -> None:
    """pg_dumpall writes both into one file."""
    outcome = odd.drill("all.sql", query=COUNT, database="latin")

    assert (outcome.verdict, outcome.problem) == ("passed", ""), outcome.contents


def test_a_missing_object_is_missed_under_any_name(odd: World) -> None:
    """The broken twin: the dump announces what its SQL does not create."""
    text = (odd.dumps / "odd.plain").read_text()
    lost = 'CREATE INDEX "i(j" ON public."日本" USING btree (id);'
    assert lost in text
    (odd.dumps / "lost.plain").write_text(text.replace(lost, ""))

    outcome = odd.drill("lost.plain", query=COUNT, owners=False)

    assert outcome.verdict == "failed"
    assert "index public.i(j" in outcome.contents


@pytest.mark.parametrize("keep", [CLOSING, "last"], ids=["at-the-false-end", "in-the-rows"])
def test_a_row_that_looks_like_the_end_is_none(odd: World, keep: str) -> None:
    """Cut right behind it, the dump restored three rows of four, and was green."""
    text = (odd.dumps / "odd.plain").read_text()
    rows = text.index("COPY public.texts")
    end = text.index(f"\n{keep}\n", rows) + len(keep) + 2
    (odd.dumps / "false.plain").write_text(text[:end])

    outcome = odd.drill("false.plain", query=COUNT, owners=False)

    assert outcome.verdict == "failed"
    assert "is cut short" in outcome.problem


def test_several_files_are_one_backup(odd: World) -> None:
    """As the Supabase CLI writes them: roles, definitions, rows."""
    outcome = odd.drill("roles.sql", "schema.sql", "data.sql", query=COUNT)

    assert (outcome.verdict, outcome.rows) == ("passed", (4,)), outcome.problem
    backup = outcome.record.backup
    assert backup is not None
    assert backup.label == "roles.sql + schema.sql + data.sql"
    assert "3 files, in the order of `path`" in backup.selection
    assert "cluster dump" in outcome.record.phases[-2].detail


def test_the_wrong_order_is_no_restore(odd: World) -> None:
    """Rows before their tables: a mistake of the settings."""
    outcome = odd.drill("roles.sql", "data.sql", "schema.sql", query=COUNT)

    assert outcome.verdict == "could not verify"
    assert "does not exist" in outcome.problem


@pytest.mark.parametrize(
    ("name", "words", "setting"),
    [
        ("data.sql", "holds rows and no tables", "data_only = true"),
        ("roles.sql", "holds roles and no database", "`globals`"),
    ],
)
def test_half_a_backup_is_a_mistake_of_the_settings(
    odd: World, name: str, words: str, setting: str
) -> None:
    """The HINT names what is missing."""
    outcome = odd.drill(name, query=COUNT)

    assert outcome.verdict == "could not verify"
    assert words in outcome.problem
    assert outcome.record.failure is not None
    assert setting in outcome.record.failure.hint


@pytest.mark.parametrize("name", ["roles.sql", "all.sql"])
def test_globals_that_are_the_dump_itself_are_refused(odd: World, name: str) -> None:
    """It was `no backup matches`."""
    outcome = odd.drill(name, query=COUNT, globals_path=str(odd.dumps / name))

    assert outcome.verdict == "could not verify"
    assert "path and globals both name" in outcome.problem


def test_a_stripped_dump_restores_and_says_what_is_open(odd: World) -> None:
    """Piped through `grep -v '^--'`, which also takes rows that begin like a comment."""
    lines = (odd.dumps / "schema.sql").read_text().splitlines(keepends=True)
    (odd.dumps / "structure.sql").write_text(
        "".join(line for line in lines if not line.startswith("--"))
    )

    outcome = odd.drill("structure.sql", query=COUNT, owners=False)

    assert (outcome.verdict, outcome.rows) == ("passed", (0,)), outcome.problem
    assert any("comments were removed" in one for one in outcome.record.not_checked)


def test_abbreviations_of_zones_mean_what_they_mean_to_the_server(odd: World) -> None:
    """`Started on 2012-07-09 17:23:46 CEST` is read without a server."""
    query = (
        "select json_object_agg(abbrev, extract(epoch from utc_offset)) from pg_timezone_abbrevs"
    )

    outcome = odd.drill("schema.sql", query=query, owners=False)

    assert outcome.rows is not None, outcome.problem
    known = dict(outcome.rows[0])
    ours = {name: seconds for seconds, names in OFFSETS.items() for name in names.split()}
    assert {name: known.get(name) for name in ours} == ours
    assert {name for names in ZONES.values() for name in names.split()} | set(ours) == set(known)
