"""Random databases, as a hypothesis strategy: every kind of object, names and text of every sort.

A database is a list of statements. Each stands alone, so a failing example shrinks well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

LONGEST_NAME = 63
"""Bytes of an identifier (PostgreSQL docs, "Identifiers and Key Words": NAMEDATALEN - 1)."""

ROLES = ("app", "Odd Role", 'quo"te', "a.b", "читатель")
"""Roles of the cluster, which own objects and get privileges."""

_TEXTS = (
    "it's",
    "back\\slash",
    "\\.",
    "\n\\.\n",
    "\t\\N\t",
    "\\N",
    "$$",
    "$_$;",
    "--\n-- Name: gone; Type: TABLE; Schema: public; Owner: app\n--\n\n",
    "--\n-- PostgreSQL database dump complete\n--\n",
    "\nDROP DATABASE postgres;\n",
    "\n\\connect elsewhere\n",
    "\n\\! touch here\n",
    "CREATE DATABASE shop LC_COLLATE = 'de_DE.utf8';\n",
    "\nALTER TABLE t OWNER TO nobody_at_all;\n",
    "\nGRANT a TO b GRANTED BY c;\n",
    "\nCREATE TABLESPACE ts LOCATION '/data';\n",
    "COPY t (v) FROM stdin;\n",
    "INSERT INTO t VALUES ('x');",
    "/* open",
    "close */",
    ":variable :'quoted' :\"name\"",
    "`echo`",
    "{}",
    "%s %I",
    "\r\n",
    "\x0b\x0c\x7f",
    "\u202e\u200b",
    "😀 ü ß 漢字",
    "  ",
    "",
)
"""Text that reads like the tools' own words, or ends what quotes it."""

_NAMES = (
    "t",
    "select",
    "Mixed Case",
    'quo"te',
    "dot.ted",
    "it's",
    "semi;colon",
    "new\nline",
    "re\rturn",
    "tab\t",
    "back\\slash",
    "$$",
    "-- Name: x; Type: TABLE; Schema: -; Owner: app",
    "PostgreSQL database dump complete",
    "  spaces  ",
    "(x) integer",
    "漢字の表",
    "Ünïcödé",
    "😀",
    "\u202eeltit",
    "*",
    "a|b?",
    "%I",
    "very_long_application_name_and_an_even_longer_model_name_of_it_",
    "ж" * 31,
)


Draw = Callable[[st.SearchStrategy[Any]], Any]
"""What hypothesis gives to a composite strategy."""


def quoted(name: str) -> str:
    """Return an identifier as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a string as SQL."""
    return "'" + text.replace("'", "''") + "'"


def _short(name: str) -> str:
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")


_LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NAMES = st.one_of(
    st.sampled_from(_NAMES), st.text(_LETTERS, min_size=1, max_size=LONGEST_NAME).map(_short)
).filter(lambda name: bool(name) and not name.startswith("pg_"))
TEXTS = st.one_of(
    st.lists(st.one_of(st.sampled_from(_TEXTS), st.text(_LETTERS, max_size=12)), max_size=4).map(
        "".join
    ),
    st.integers(1, 3).map(lambda count: "long " * 3000 * count),
)


@dataclass
class Database:
    """A database to make.

    Attributes:
        statements: SQL, one statement each, in order.
        tables: Quoted names of its tables that have rows, for options that choose some.
        schemas: Quoted names of its schemas other than public.
    """

    statements: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)


class _Making:
    """Statements in the making, with what exists so far to refer to."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.made = Database()
        self._taken: set[str] = set()
        self._spare = 0

    def fresh(self) -> str:
        """Return a quoted name that nothing has, and that leaves no other a truncated twin."""
        name = str(self.draw(NAMES))
        if name.lower() in self._taken:
            self._spare += 1
            name = f"{_short(name)[:20]} {self._spare}"
        self._taken.add(name.lower())
        return quoted(name)

    def text(self) -> str:
        """Return a text as SQL."""
        return literal(str(self.draw(TEXTS)))

    def schema(self) -> str:
        """Return a schema that exists."""
        return str(self.draw(st.sampled_from(["public", *self.made.schemas])))

    def full(self) -> str:
        """Return a new name in a schema that exists."""
        return f"{self.schema()}.{self.fresh()}"

    def run(self, *statements: str) -> None:
        """Add statements."""
        self.made.statements += statements

    def table(self) -> str:
        """Return a table with columns ``id`` and ``v``; makes one if there is none."""
        if not self.made.tables:
            _table(self)
        return str(self.draw(st.sampled_from(self.made.tables)))


_VALUES = (
    ("numeric", "'NaN'"),
    ("double precision", "'-Infinity'"),
    ("real", "1.1"),
    ("bytea", "'\\x005c2e0a'"),
    ("timestamp with time zone", "'2026-03-29 02:30:00+01'"),
    ("timestamp", "'infinity'"),
    ("date", "'0044-03-15 BC'"),
    ("interval", "'-1 year 2 days 03:04:05.678'"),
    ("json", '\'{"a": "\\u00e4\\n"}\''),
    ("jsonb", '\'{"a": [1, null, "x"]}\''),
    ("text[]", "array['a', null, 'b\"c', '{', '\\']"),
    ("int4range", "'[1,5)'"),
    ("tsvector", "'a:1 b:2'"),
    ("xml", "'<a>b</a>'"),
    ("bit(3)", "B'101'"),
    ("inet", "'::1/128'"),
    ("money", "'1.50'"),
    ("point", "'(1,2)'"),
    ("uuid", "'6ecd8c99-4036-403d-bf84-cf8400f67836'"),
    ("char(5)", "'a'"),
    ("pg_lsn", "'16/B374D848'"),
    ("boolean", "null"),
)


def _schema(make: _Making) -> None:
    name = make.fresh()
    make.run(f"create schema {name}")
    make.made.schemas.append(name)


def _table(make: _Making) -> None:
    name = make.full()
    kind, value = make.draw(st.sampled_from(_VALUES))
    column = make.fresh()
    unlogged = make.draw(st.sampled_from(["", "", "unlogged "]))
    make.run(f"create {unlogged}table {name} (id int primary key, v text, {column} {kind})")
    rows = make.draw(st.lists(TEXTS, min_size=1, max_size=4))
    for number, text in enumerate(rows):
        make.run(f"insert into {name} values ({number}, {literal(text)}, {value})")
    make.made.tables.append(name)


def _columns(make: _Making) -> None:
    name = make.full()
    make.run(
        f"create table {name} (id int generated always as identity, n serial,"
        f" v text default {make.text()}, upper_v text generated always as (upper(v)) stored,"
        f" w text collate {quoted('C')} not null check (w <> {make.text()} || 'x'))"
    )
    make.run(f"insert into {name} (w) values ({make.text()} || 'y')")
    make.run(f"alter table {name} alter v set storage external, alter w set statistics 7")


def _sequence(make: _Making) -> None:
    name = make.full()
    make.run(f"create sequence {name} increment 3 cycle maxvalue 99")
    make.run(f"select nextval({literal(name)})")


def _view(make: _Making) -> None:
    kind = make.draw(st.sampled_from(["view", "materialized view"]))
    make.run(
        f"create {kind} {make.full()} as select v, {make.text()}::text as c from {make.table()}"
    )


def _function(make: _Making) -> None:
    name, body = make.full(), make.text()
    form = make.draw(st.integers(0, 3))
    if form == 0:
        make.run(
            f"create function {name}(a int) returns text language sql as $f$ select {body} $f$"
        )
    elif form == 1:
        code = f"begin return {body}; end"
        make.run(f"create function {name}(a int) returns text language plpgsql as {literal(code)}")
    elif form == 2:
        make.run(
            f"create function {name}(a int) returns text language sql"
            f" begin atomic select case when a > 1 then {body} else ';' end; end"
        )
    else:
        make.run(f"create procedure {name}(a int) language sql as $p$ select {body} $p$")


def _trigger(make: _Making) -> None:
    name = make.full()
    make.run(
        f"create function {name}() returns trigger language plpgsql as"
        f" $f$ begin raise notice '%', {make.text()}; return new; end $f$",
        f"create trigger {make.fresh()} before update on {make.table()}"
        f" for each row execute function {name}()",
    )


def _type(make: _Making) -> None:
    name = make.full()
    form = make.draw(st.integers(0, 3))
    if form == 0:
        labels = {_short(str(make.draw(TEXTS)))[:40] for _ in range(3)}
        values = ", ".join(literal(label) for label in sorted(labels))
        make.run(f"create type {name} as enum ({values})")
    elif form == 1:
        make.run(f"create type {name} as ({make.fresh()} int, {make.fresh()} text)")
    elif form == 2:
        make.run(f"create domain {name} as text check (value <> {make.text()})")
    else:
        make.run(f"create type {name} as range (subtype = float8)")
    make.run(f"create table {make.full()} (x {name})")


def _index(make: _Making) -> None:
    make.run(f"create index {make.fresh()} on {make.table()} (md5(v), id) where v <> {make.text()}")


def _foreign_key(make: _Making) -> None:
    table, name = make.table(), make.full()
    make.run(
        f"create table {name} (id int constraint {make.fresh()} references {table}, u int unique)"
    )


def _partitions(make: _Making) -> None:
    name, part = make.full(), make.full()
    make.run(
        f"create table {name} (id int, v text) partition by list (id)",
        f"create table {part} partition of {name} for values in (1, 2)",
        f"create table {make.full()} partition of {name} default",
        f"insert into {name} values (1, {make.text()}), (7, {make.text()})",
        f"create index on {name} (id)",
    )


def _inheritance(make: _Making) -> None:
    child = make.full()
    make.run(f"create table {child} (extra int) inherits ({make.table()})")
    make.run(f"insert into {child} (id, v) values (901, {make.text()})")


def _rule(make: _Making) -> None:
    make.run(f"create rule {make.fresh()} as on delete to {make.table()} do instead nothing")


def _policy(make: _Making) -> None:
    table = make.table()
    make.run(
        f"create policy {make.fresh()} on {table} for select using (v <> {make.text()})",
        f"alter table {table} enable row level security",
    )


def _comment(make: _Making) -> None:
    make.run(f"comment on table {make.table()} is {make.text()}")


def _owner(make: _Making) -> None:
    role = quoted(str(make.draw(st.sampled_from(ROLES))))
    other = quoted(str(make.draw(st.sampled_from(ROLES))))
    table = make.table()
    make.run(
        f"alter table {table} owner to {role}",
        f"grant select, update (v) on {table} to {other} with grant option",
        f"alter default privileges for role {role} grant select on tables to {other}",
    )


def _statistics(make: _Making) -> None:
    make.run(f"create statistics {make.full()} on id, v from {make.table()}")


def _search(make: _Making) -> None:
    name = make.full()
    make.run(
        f"create text search dictionary {name} (template = simple, accept = false)",
        f"create text search configuration {make.full()} (copy = simple)",
    )


def _operator(make: _Making) -> None:
    name = make.full()
    make.run(
        f"create function {name}(a text, b text) returns boolean language sql as 'select a = b'",
        f"create operator {make.schema()}.=#= (function = {name}, leftarg = text, rightarg = text)"
        if not any("=#=" in statement for statement in make.made.statements)
        else "select 1",
        f"create aggregate {make.full()} (text) (sfunc = textcat, stype = text, initcond = '')",
    )


def _collation(make: _Making) -> None:
    make.run(f"create collation {make.full()} (provider = libc, locale = 'C')")


def _publication(make: _Making) -> None:
    make.run(f"create publication {make.fresh()} for table {make.table()}")


def _foreign(make: _Making) -> None:
    wrapper, server = make.fresh(), make.fresh()
    make.run(
        f"create foreign data wrapper {wrapper}",
        f"create server {server} foreign data wrapper {wrapper} options (host {make.text()})",
        f"create foreign table {make.full()} (id int) server {server}",
        f"create user mapping for public server {server} options (x {make.text()})",
    )


def _large_object(make: _Making) -> None:
    number = make.draw(st.integers(100_000, 10_000_000))
    if any(f"lo_from_bytea({number}," in statement for statement in make.made.statements):
        return
    make.run(f"select lo_from_bytea({number}, convert_to({make.text()}, 'UTF8'))")


def _cast(make: _Making) -> None:
    name, function = make.full(), make.full()
    make.run(
        f"create type {name} as enum ('a')",
        f"create function {function}({name}) returns int language sql immutable as 'select 1'",
        f"create cast ({name} as int) with function {function}({name})",
    )


def _event_trigger(make: _Making) -> None:
    name = make.full()
    make.run(
        f"create function {name}() returns event_trigger language plpgsql as"
        " $f$ begin null; end $f$",
        f"create event trigger {make.fresh()} on ddl_command_end execute function {name}()",
    )


KINDS: tuple[Callable[[_Making], None], ...] = (
    _schema,
    _table,
    _columns,
    _sequence,
    _view,
    _function,
    _trigger,
    _type,
    _index,
    _foreign_key,
    _partitions,
    _inheritance,
    _rule,
    _policy,
    _comment,
    _owner,
    _statistics,
    _search,
    _operator,
    _collation,
    _publication,
    _foreign,
    _large_object,
    _cast,
    _event_trigger,
)


@st.composite
def databases(draw: Draw) -> Database:
    """Return databases of one to eight kinds of objects, with at least one table."""
    make = _Making(draw)
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=8))
    for kind in kinds:
        kind(make)
    make.table()
    return make.made
