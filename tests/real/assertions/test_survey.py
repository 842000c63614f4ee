"""What is proposed about a database, and what is left out: on a server, without a drill."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from pytest_pgrestore.assertions.proposals import survey
from pytest_pgrestore.assertions.proposals.proposal import Found
from pytest_pgrestore.assertions.tables import TableName
from pytest_pgrestore.demo.cluster import PORT, Cluster, short_directory
from pytest_pgrestore.demo.server import SUPERUSER
from pytest_pgrestore.restore.quarantine.settings import question_options
from pytest_pgrestore.system.bounded_connection import ask

NOW = datetime.now(UTC)
GIVEN = {"backup_at": NOW, "drill_started_at": NOW, "recovered_to": None}

Look = Callable[..., Found]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server."""
    directory = short_directory()
    with Cluster.create(directory / "c") as running:
        yield running
    shutil.rmtree(directory)


@pytest.fixture
def look(cluster: Cluster) -> Iterator[Look]:
    """Make a database of statements, and look at it."""
    cluster.sql("create database odd")
    server = make_conninfo(host=str(cluster.directory), port=PORT, user=SUPERUSER, dbname="odd")
    options = question_options(cluster.programs.major)

    def looked(*statements: str, given: dict[str, Any] = GIVEN) -> Found:
        for statement in statements:
            cluster.sql(statement, database="odd")
        with ask(server, timeout_seconds=60, server=None, options=options) as connection:
            return survey.Survey(connection, given).propose()

    yield looked
    cluster.sql("drop database odd")


def names(found: Found) -> dict[str, tuple[str, ...]]:
    """Return the tables of each proposal, by its name."""
    return {one.name: tuple(map(str, one.tables)) for one in found.proposals}


def test_five_hundred_tables_make_few_assertions(look: Look) -> None:
    """Nobody reads five hundred blocks; a name that comes once is a list of one."""
    found = look(
        """
        do $$ begin
          for n in 1 .. 500 loop
            execute format('create table t%s (id serial primary key, created_at timestamptz)', n);
            execute format('insert into t%s (created_at) values (now())', n);
          end loop;
        end $$
        """
    )
    text = found.drill_file("", {"source": "odd"})

    assert {name: len(tables) for name, tables in names(found).items()} == {
        "tables are not empty": 500,
        "sequences of id are ahead": 500,
        "the newest created_at is younger than 1 d before the backup": 500,
    }
    assert len(text.splitlines()) < 300


def test_what_is_not_the_users_own_is_left_out(look: Look) -> None:
    """Views, parts, objects of extensions, and tables that are elsewhere."""
    found = look(
        "create table parent (id int)",
        "create table child (extra int) inherits (parent)",
        "insert into child values (1, 1)",
        "create table members (id int)",
        "insert into members values (1)",
        "create type mood as enum ('a')",
        "alter extension plpgsql add table members",
        "alter extension plpgsql add type mood",
        "create foreign data wrapper w",
        "create server far foreign data wrapper w",
        "create foreign table elsewhere (id int) server far",
        "create table half (id int) partition by list (id)",
        "create table half_1 partition of half for values in (1)",
        "create foreign table half_2 partition of half for values in (2) server far",
        "insert into half values (1)",
        "create view seen as select * from parent",
        "create materialized view kept as select * from parent",
    )

    assert names(found) == {"tables are not empty": ("public.parent",)}
    assert found.left_out == {"Could not be read": ["public.half"]}


def test_a_table_that_cannot_be_read_is_told(look: Look, cluster: Cluster) -> None:
    """The others are proposed."""
    cluster.sql("create table gone (id serial primary key)", database="odd")
    path = cluster.value("select pg_relation_filepath('gone')", database="odd")
    cluster.sql("checkpoint")
    (cluster.data / path).unlink()

    found = look("create table good (id int)", "insert into good values (1)")

    assert names(found) == {"tables are not empty": ("public.good",)}
    assert found.left_out == {"Could not be read": ["public.gone"]}


def test_a_large_table_is_not_read_as_a_whole(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index answers for the largest value; the rest is told."""
    monkeypatch.setattr(survey, "_LARGEST_BYTES", 0)

    found = look(
        "create table t (id serial primary key, email text, created_at timestamptz default now())",
        "create table u (id serial, other int)",
        "alter table u add foreign key (other) references t not valid",
        "insert into t (email) select n from generate_series(1, 20) n",
        "insert into u (other) values (1)",
    )

    assert names(found) == {
        "tables are not empty": ("public.t", "public.u"),
        "sequences of id are ahead": ("public.t",),
    }
    assert sorted(found.left_out["Too large to be looked through here"]) == [
        *("public.t.created_at", "public.t.email", "public.u.id", "public.u: u_other_fkey")
    ]


def test_a_key_of_several_columns(look: Look) -> None:
    """A row that refers to nothing, by a null, is none that is wrong."""
    found = look(
        "create table p (a int, b text, primary key (a, b))",
        "create table c (b varchar, a int)",
        "alter table c add foreign key (a, b) references p not valid",
        "insert into p values (1, 'x')",
        "insert into c values ('x', 1), (null, 7)",
    )
    (key,) = (one for one in found.proposals if one.expect == 0)

    assert key.name == "public.c refers to rows of public.p (c_a_b_fkey)"
    assert key.sql[1:] == (
        "where c.a is not null and c.b is not null",
        "  and not exists (select from public.p p where p.a = c.a and p.b = c.b)",
    )


def test_a_key_to_a_table_without_rows(look: Look) -> None:
    """It is right as long as no row has one."""
    found = look(
        "create table p (id int primary key)",
        *("create table nil (p int)", "insert into nil values (null)"),
        *("create table one (p int)", "insert into one values (1)"),
        "alter table nil add foreign key (p) references p not valid",
        "alter table one add foreign key (p) references p not valid",
    )

    assert list(names(found))[1:] == ["public.nil refers to rows of public.p (nil_p_fkey)"]
    assert found.left_out["False of this backup, look into it"] == [
        "public.one refers to rows of public.p (one_p_fkey)"
    ]


def test_a_sequence_that_gave_no_value_yet(look: Look) -> None:
    """`setval(..., false)` is right, and a sequence that was not restored is a finding."""
    found = look(
        "create table ready (id serial primary key)",
        "insert into ready values (7)",
        "select setval('ready_id_seq', 8, false)",
        "create table lost (id serial primary key)",
        "insert into lost values (7)",
    )

    assert list(names(found)) == [
        *("tables are not empty", "the sequence of public.ready.id is ahead")
    ]
    assert found.left_out == {
        "False of this backup, look into it": ["the sequence of public.lost.id is ahead"]
    }


@pytest.mark.parametrize(
    ("age", "days"),
    [("1 hour", 1), ("13 hours", 7), ("5 days", 31), ("100 days", 366), ("3 years", None)],
)
def test_the_age_has_room_for_a_quiet_time(look: Look, age: str, days: int | None) -> None:
    """It is about twice what is seen; a table that nobody writes to is left alone."""
    found = look(
        "create table t (created_at timestamptz)",
        f"insert into t values ('{NOW.isoformat()}'::timestamptz - interval '{age}')",
    )
    expected = [] if days is None else [f"< {days}d"]

    assert [one.expect for one in found.proposals[1:]] == expected


def test_moments_that_are_none(look: Look) -> None:
    """Without the moment of the backup, or with rows of the future, nothing can be said."""
    statements = (
        "create table a (created_at timestamptz, ts timestamp)",
        "insert into a values ('infinity', '-infinity')",
        "create table b (created_at date)",
        f"insert into b values ('{(NOW + timedelta(days=300)).date()}')",
    )
    found = look(*statements)
    unknown = look(given={**GIVEN, "backup_at": None})

    assert names(found) == {"tables are not empty": ("public.a", "public.b")}
    assert names(unknown) == names(found)


def test_one_of_each_kind_too_many(look: Look) -> None:
    """What is not listed is told, and counted."""
    found = look(*(f"create type e{n:02} as enum ('x')" for n in range(50)))

    assert len(found.proposals) == 20
    assert "# More of the same kind: public.e20 has its values, " in found.drill_file("", {})
    assert found.drill_file("", {}).endswith("and\n# 10 more.\n")


def test_two_assertions_of_one_name_are_told_apart() -> None:
    """Names of a backup may have dots."""
    from pytest_pgrestore.assertions.proposals.wording import Wording
    from pytest_pgrestore.assertions.proposals.written import Names

    words = Wording(Names(frozenset()))
    found = Found([words.enum(TableName("a.b", "c"), ["x"]), words.enum(TableName("a", "b.c"), [])])

    assert 'name = "a.b.c has its values"\n' in found.drill_file("", {})
    assert 'name = "a.b.c has its values (2)"\n' in found.drill_file("", {})


def test_names_in_no_encoding(look: Look, cluster: Cluster) -> None:
    """A database of SQL_ASCII holds any bytes: what cannot be spelled is told, or left alone."""
    cluster.sql("drop database odd")
    cluster.sql("create database odd encoding 'SQL_ASCII' template template0 locale 'C'")

    found = look(
        "create table good (id int primary key)",
        "insert into good values (1)",
        r"""
        do $$ declare odd text := chr(200); begin
          execute format('create table %1$I (%1$I int)', odd);
          execute format('insert into %1$I values (1)', odd);
          execute format('alter table %1$I add constraint %1$I foreign key (%1$I)'
            ' references good not valid', odd);
          execute format('create type %I as enum (%L)', 'e' || odd, odd);
        end $$
        """,
    )

    assert names(found) == {"tables are not empty": ("public.good",)}
    assert found.left_out["Could not be read"][0] == r"public.\xc8"
