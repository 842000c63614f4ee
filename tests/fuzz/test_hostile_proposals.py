"""Proposals about databases with odd names: a drill file that is read, and true at once.

No drill is made here: tests/real/cli/test_assertions.py has the whole command.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from pytest_pgrestore.assertions import parameters, tables
from pytest_pgrestore.assertions.proposals.survey import Survey
from pytest_pgrestore.assertions.question import ask as ask_assertion
from pytest_pgrestore.assertions.table import AssertTable
from pytest_pgrestore.demo.cluster import PORT, Cluster, short_directory
from pytest_pgrestore.demo.server import SUPERUSER
from pytest_pgrestore.model.visible import visible_lines
from pytest_pgrestore.restore.quarantine.settings import question_options
from pytest_pgrestore.session.collection.drill_suite import read_drill
from pytest_pgrestore.system.bounded_connection import ask
from tests.fuzz.databases import LONGEST_NAME, NAMES, literal, quoted

GIVEN = {
    "backup_at": datetime.now(UTC) + timedelta(minutes=1),
    "drill_started_at": datetime.now(UTC),
    "recovered_to": None,
}

ODD = st.one_of(
    NAMES,
    st.sampled_from(
        [
            *(
                "{table}",
                "a :b",
                ":backup_at",
                "!x",
                "[a-z]",
                "x?*",
                "U&",
                "%(name)s",
                "##[error]x",
            ),
            *('"""', "'''", "x'{table}", '\\"', "\\007B", "::error::x", "# x", "-- x", "/* x", "]"),
        ]
    ),
)


def named(name: str, ending: str = "") -> str:
    """Return the name with an ending, as the server keeps it."""
    return name.encode()[: LONGEST_NAME - len(ending)].decode(errors="ignore") + ending


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server with an empty database `odd`."""
    directory = short_directory()
    with Cluster.create(directory / "c") as running:
        running.sql("create database odd")
        yield running
    shutil.rmtree(directory)


@contextmanager
def made(cluster: Cluster, names: list[str], labels: list[str]) -> Iterator[None]:
    """Make a schema with something of each kind, and drop it again."""
    schema, table, column, other = (named(name) for name in names)
    first = f"{quoted(schema)}.{quoted(table)}"
    second = f"{quoted(schema)}.{quoted(named(other, '_2'))}"
    code, at, number = (quoted(named(column, end)) for end in ("_code", "_created_at", "_id"))
    reference = f"foreign key ({quoted(column)})"
    key = quoted(named(other, "_key"))
    enum = f"{quoted(schema)}.{quoted(named(table, '_enum'))}"
    statements = (
        f"create schema if not exists {quoted(schema)}",
        f"create type {enum} as enum ({', '.join(map(literal, labels))})",
        f"create table {first} ({number} serial primary key, {code} text, kind {enum})",
        f"alter table {first} add {at} timestamptz default now()",
        f"insert into {first} ({code}) select n from generate_series(1, 20) n",
        f"create table {second} ({quoted(column)} int)",
        f"insert into {second} values (1)",
        f"alter table {second} add constraint {key} {reference} references {first} not valid",
    )
    with cluster.connect("odd") as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield
        connection.execute(f"drop schema {quoted(schema)} cascade".encode())


def complaints(connection: Any, assertion: AssertTable) -> list[str | None]:
    """Return what an assertion says of each of its tables, asked as a drill asks it."""
    names = [None] if assertion.tables is None else tables.tables_like(connection, assertion.tables)
    found = []
    for name in names:
        bound = parameters.bind(assertion.sql, GIVEN)
        text = bound.text if name is None else tables.in_place(bound.text, name)
        answer = ask_assertion(connection, text, {one: GIVEN[one] for one in bound.names})
        assert assertion.expect is not None
        found.append(assertion.expect.complaint(answer))
    return found


@given(
    names=st.lists(ODD, min_size=4, max_size=4),
    labels=st.lists(ODD.map(named), min_size=1, max_size=4, unique=True),
)
def test_odd_names_make_a_drill_file_that_is_true(
    cluster: Cluster, tmp_path: Path, names: list[str], labels: list[str]
) -> None:
    """Every kind is proposed, TOML and SQL are read as they are meant, and nothing is hidden."""
    server = make_conninfo(host=str(cluster.directory), port=PORT, user=SUPERUSER, dbname="odd")
    options = question_options(cluster.programs.major)
    path = tmp_path / "drill_odd.toml"
    with (
        made(cluster, names, labels),
        ask(server, timeout_seconds=60, server=None, options=options) as connection,
    ):
        found = Survey(connection, GIVEN).propose()
        text = found.drill_file("A title.", {"source": "odd"})
        path.write_text(text, encoding="utf-8", newline="")
        suite = read_drill(path)
        said = [text for one in suite.assertions for text in complaints(connection, one.table)]

    assert found.left_out == {}
    assert said == [None] * 7  # two tables have rows, and one of each other kind
    assert visible_lines(text) == text
