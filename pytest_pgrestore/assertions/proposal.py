"""Proposes a first drill file from the catalogue of a restored database: names, and no values.

What is proposed is true of this backup. Whether it must be true of each is for a person to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.assertions.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

_BUSINESS_KEY = re.compile(
    r"(?:^|_)(?:email|e_mail|sku|isbn|iban|code|slug|number|no|nr|uuid|ref)$"
)
"""Names of columns whose values usually identify a row."""

_TIMES = re.compile(
    r"(?:created|inserted|ordered|paid|logged|received|happened|occurred)_?(?:at|on)?$"
)
"""Names of columns with the time of a row."""

_LARGEST_ROWS = 2_000_000
"""Rows of the largest table of which a column is searched for values that come twice."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One assertion.

    Attributes:
        why: Why it is worth having, a sentence.
        name: Of the assertion.
        sql: Its query.
        expect: As TOML.
        show: Columns that a message may show: keys, and no other values.
    """

    why: str
    name: str
    sql: str
    expect: str
    show: tuple[str, ...] = ()

    def toml(self) -> str:
        """Return it as ``[[assert]]``."""
        lines = [f"# {self.why}", "[[assert]]", f"name = {_text(self.name)}"]
        lines += [f"sql = {_text(self.sql)}", f"expect = {self.expect}"]
        return "\n".join(lines) + "\n"


def propose(connection: psycopg.Connection[Any]) -> Iterator[Proposal]:
    """Yield assertions that are true of the restored database.

    Args:
        connection: With settings of ours: `ConnectionInfo.ask`.
    """
    filled = [table for table in _tables(connection) if _has_rows(connection, table)]
    if filled:
        yield from _not_empty(filled)
    yield from _references(connection)
    yield from _sequences(connection)
    for schema, table, column, kind, is_unique in connection.execute(catalogue.COLUMNS).fetchall():
        name = (schema, table)
        if name not in filled:
            continue
        if _TIMES.search(column) and kind in {"timestamp with time zone", "date"}:
            yield _newest(schema, table, column)
        elif (
            _BUSINESS_KEY.search(column) and not is_unique and _identifies(connection, name, column)
        ):
            yield _unique(schema, table, column)
    for schema, name, labels in connection.execute(catalogue.ENUMS).fetchall():
        yield _enum(schema, name, labels)


def _tables(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    return [(str(schema), str(name)) for schema, name in connection.execute(TABLES).fetchall()]


def _has_rows(connection: psycopg.Connection[Any], table: tuple[str, str]) -> bool:
    from psycopg import sql

    query = sql.SQL("select exists (select from {})").format(sql.Identifier(*table))
    row = connection.execute(query).fetchone()
    return bool(row and row[0])


def _identifies(connection: psycopg.Connection[Any], table: tuple[str, str], column: str) -> bool:
    """Return whether no value of a column comes twice; False for a large table."""
    from psycopg import sql

    query = sql.SQL(
        "select count(*), count(v), count(distinct v) from (select {}::text as v from {} limit {}) t"
    ).format(sql.Identifier(column), sql.Identifier(*table), sql.Literal(_LARGEST_ROWS + 1))
    row = connection.execute(query).fetchone()
    rows, filled, distinct = row or (0, 0, 0)
    return 1 < rows <= _LARGEST_ROWS and filled == distinct > 1


def _not_empty(tables: list[tuple[str, str]]) -> Iterator[Proposal]:
    for schema, name in tables:
        yield Proposal(
            "It has rows in this backup. Write the number that it must have.",
            f"{schema}.{name} is not empty",
            f"select count(*) from {_name(schema, name)}",
            '"> 0"',
        )


def _references(connection: psycopg.Connection[Any]) -> Iterator[Proposal]:
    for schema, table, key, columns, other, target, keys in connection.execute(
        catalogue.FOREIGN_KEYS
    ).fetchall():
        pairs = " and ".join(
            f"r.{_name(there)} = c.{_name(here)}" for here, there in zip(columns, keys, strict=True)
        )
        known = " and ".join(f"c.{_name(here)} is not null" for here in columns)
        yield Proposal(
            f"The foreign key {key} is not validated: the server does not promise it.",
            f"{schema}.{table} refers to rows of {other}.{target} ({key})",
            f"select 1 from {_name(schema, table)} c\nwhere {known}\n"
            f"  and not exists (select from {_name(other, target)} r where {pairs})",
            '"no rows"',
        )


def _sequences(connection: psycopg.Connection[Any]) -> Iterator[Proposal]:
    for schema, table, column, sequence_schema, sequence in connection.execute(
        catalogue.SEQUENCES
    ).fetchall():
        yield Proposal(
            "A sequence that lags behind makes the next insert fail.",
            f"the sequence of {schema}.{table}.{column} is ahead",
            f"select coalesce(max({_name(column)}), 0) <= s.last_value\n"
            f"from {_name(sequence_schema, sequence)} s left join {_name(schema, table)} on true\n"
            "group by s.last_value",
            "true",
        )


def _newest(schema: str, table: str, column: str) -> Proposal:
    return Proposal(
        "Writing that stopped shows here first. Correct the interval.",
        f"{schema}.{table} has rows of the last day before the backup",
        f"select max({_name(column)}) > :backup_at - interval '1 day' from {_name(schema, table)}",
        "true",
    )


def _unique(schema: str, table: str, column: str) -> Proposal:
    return Proposal(
        "Its name says that it identifies a row, and no unique index promises it.",
        f"{schema}.{table}.{column} is unique",
        f"select count(*) from (\n  select 1 from {_name(schema, table)}\n"
        f"  where {_name(column)} is not null group by {_name(column)} having count(*) > 1\n) twice",
        "0",
    )


def _enum(schema: str, name: str, labels: list[str]) -> Proposal:
    listed = ", ".join(_text(label) for label in labels)
    return Proposal(
        "Code that reads it knows these words.",
        f"{schema}.{name} has its words",
        "select e.enumlabel::text from pg_catalog.pg_enum e\n"
        f"where e.enumtypid = '{_quoted(_name(schema, name))}'::regtype order by e.enumsortorder",
        f"[{listed}]",
    )


def _name(*parts: str) -> str:
    """Return a name as SQL quotes it, where it must be."""
    return ".".join(
        part
        if re.fullmatch(r"[a-z_][a-z0-9_]*", part) and part not in _RESERVED
        else '"' + part.replace('"', '""') + '"'
        for part in parts
    )


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _text(text: str) -> str:
    """Return a text as TOML spells it; lines stay lines."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if "\n" in text:
        return f'"""\n{escaped}"""'
    return (
        '"' + "".join(one if one.isprintable() else f"\\U{ord(one):08X}" for one in escaped) + '"'
    )
