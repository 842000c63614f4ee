"""The tables that the patterns of an assertion stand for, as the restored catalogue has them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_pgrestore.model.errors import AssertionFailed, ConfigError, HarnessError
from pytest_pgrestore.model.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from psycopg.sql import Composed, Identifier

PLACE = "{table}"
"""Stands in the SQL for the name of a table, quoted and with its schema."""

TABLES = """
    select n.nspname, c.relname
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition
      and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
    order by 1, 2
"""
"""Tables of users; a partition is a part of one."""

MOST_TABLES = 10_000
"""Each is a test of its own, in every report."""

_LISTED = 10


class TableName(NamedTuple):
    """A table and its schema."""

    schema: str
    name: str

    def __str__(self) -> str:
        """Return both with a dot, as a reader sees them: who wrote the backup chose them."""
        return visible(self.dotted)

    def __repr__(self) -> str:
        """Return the same: pytest shows it in the names of subtests."""
        return str(self)

    def is_name_of_table(self) -> bool:
        """Return that it is no value of a row: reports show it."""
        return True

    @property
    def dotted(self) -> str:
        """Both with a dot, unquoted, as patterns mean them."""
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> Identifier:
        """Both, quoted, for ``sql.SQL("select count(*) from {}").format(...)`` of psycopg."""
        from psycopg import sql

        return sql.Identifier(*self)

    @property
    def quoted(self) -> str:
        """Both, quoted, as text."""
        return ".".join('"' + part.replace('"', '""') + '"' for part in self)


def tables_like(connection: psycopg.Connection[Any], patterns: Sequence[str]) -> list[TableName]:
    """Return the tables that fit one of `patterns`, in order.

    Args:
        connection: To the restored database, with settings of ours: `ConnectionInfo.ask`.
        patterns: ``schema.table`` with ``*`` and ``?``; without a dot it is a table in any schema.
            One that begins with ``!`` takes tables out.

    Raises:
        AssertionFailed: None fits: what should be there is not.
        ConfigError: Every pattern takes tables out.
        HarnessError: More than `MOST_TABLES` fit.
    """
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    if not wanted:
        raise ConfigError(
            "tables names none", hint='write a pattern first: ["erp.*", "!erp.tmp_*"].'
        )
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    there = [TableName(*row) for row in connection.execute(TABLES).fetchall()]
    found = [table for table in there if _fits(table, wanted) and not _fits(table, unwanted)]
    if len(found) > MOST_TABLES:
        raise HarnessError(
            f"{len(found):,} tables are like {', '.join(wanted)}, and {MOST_TABLES:,} are the most",
            hint="write a narrower pattern.",
        )
    missing = [pattern for pattern in wanted if not any(_fits(table, [pattern]) for table in there)]
    if missing:
        names = ", ".join(map(str, there[:_LISTED])) or "none"
        more = f" and {len(there) - _LISTED} more" if len(there) > _LISTED else ""
        raise AssertionFailed(
            f"no table is like {', '.join(map(repr, missing))}; there are: {names}{more}"
            " (views and partitions are none)"
        )
    if not found:
        raise AssertionFailed(
            f"no table is like {', '.join(wanted)} without those like {', '.join(unwanted)}"
        )
    return found


def _fits(table: TableName, patterns: Sequence[str]) -> bool:
    return any(
        fnmatchcase(table.dotted if "." in pattern else table.name, pattern) for pattern in patterns
    )


def in_place(text: str, table: TableName) -> Composed:
    """Return the SQL about one table.

    Args:
        text: For psycopg, with `PLACE`.
        table: Its names come from the backup: they are quoted.
    """
    from psycopg import sql

    # psycopg reads the names, too, when it looks for parameters.
    name = sql.Identifier(*(part.replace("%", "%%") for part in table))
    pieces: list[Any] = [sql.SQL(part) for part in text.split(PLACE)]
    return sql.Composed([one for piece in pieces for one in (piece, name)][:-1])
