"""The databases of the copy: which of them takes a connection, and why another does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.errors import BackupNotRestorable, HarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from pytest_pgrestore.restore.instance import ConnectionInfo

_QUERY = (
    "select datname::pg_catalog.text, datistemplate, datallowconn, datconnlimit"
    " from pg_catalog.pg_database order by 1"
)

_MAINTENANCE = "postgres"
"""Database that every cluster has, and most leave empty."""

_MOST = 1000
"""Databases that the evidence names: a hostile copy can have any number."""

# 16384 is the first oid after initdb (src/include/access/transam.h, FirstNormalObjectId).
_RELATIONS = (
    "select exists (select from pg_catalog.pg_class c where c.relkind in ('r', 'p', 'm')"
    " and c.oid >= 16384 and not exists (select from pg_catalog.pg_depend d"
    " where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    " and d.objid = c.oid and d.deptype = 'e'))"
)

_SIZE = (
    "select pg_catalog.sum(pg_catalog.pg_database_size(oid))::pg_catalog.int8"
    " from pg_catalog.pg_database"
)

_INVALID = -2
"""datconnlimit of a database whose DROP DATABASE was interrupted (docs, "pg_database").

A release of before August 2023 knows no such value.
"""


@dataclass(frozen=True, slots=True)
class Database:
    """A row of pg_database.

    Attributes:
        name: Its name.
        template: Whether it is a template.
        allowed: Its setting allow_connections.
        limit: Its connection limit. A superuser passes any but that of an invalid database.
    """

    name: str
    template: bool
    allowed: bool
    limit: int

    @property
    def why_closed(self) -> str:
        """Why nobody can connect to it; empty if a superuser can."""
        if self.limit == _INVALID:
            return "an interrupted DROP DATABASE left it invalid"
        return "" if self.allowed else "allow_connections = false"


def read_databases(connection: psycopg.Connection[Any]) -> list[Database]:
    """Return the databases by name."""
    return [Database(*row) for row in connection.execute(_QUERY).fetchall()]


def with_contents(databases: Sequence[Database], access: ConnectionInfo) -> tuple[str, ...]:
    """Return the databases that a drill should ask: no template, no ``postgres`` without contents.

    They are the first thousand by name.

    Args:
        databases: All of the copy.
        access: Of the copy.
    """
    names = [database.name for database in databases if not database.template]
    if names != [_MAINTENANCE] and _MAINTENANCE in names and not _holds_relations(access):
        names.remove(_MAINTENANCE)
    return tuple(names[:_MOST])


def restored_bytes(access: ConnectionInfo) -> int | None:
    """Return the size of all databases; None if the copy does not tell."""
    import psycopg

    try:
        with access.ask() as connection:
            row = connection.execute(_SIZE).fetchone()
    except (psycopg.Error, HarnessError):
        return None
    return None if row is None or row[0] is None else int(row[0])


def _holds_relations(access: ConnectionInfo) -> bool:
    """Return whether database `postgres` holds relations of users, or does not tell."""
    import psycopg

    try:
        with access.ask(_MAINTENANCE) as connection:
            row = connection.execute(_RELATIONS).fetchone()
    except (psycopg.Error, HarnessError):
        return True
    return row is None or bool(row[0])


def closed_databases(databases: Sequence[Database]) -> list[str]:
    """Return a sentence for each database of users that takes no connection."""
    return [
        f"Database {database.name}: it takes no connection ({database.why_closed}), so nothing in"
        " it was asked."
        for database in databases
        if database.why_closed and not database.template
    ]


def choose_database(databases: Sequence[Database], wanted: str | None) -> str:
    """Return the database assertions run in: `wanted`, or the only one of the users', or postgres.

    Raises:
        BackupNotRestorable: `wanted` is not in the copy.
        HarnessError: It is there, and takes no connection.
    """
    if wanted is not None:
        require_open(databases, wanted)
        return wanted
    able = [database for database in databases if not database.why_closed]
    names = [database.name for database in able if not database.template]
    own = [name for name in names if name != "postgres"]
    if len(own) == 1:
        return own[0]
    if "postgres" in names:
        return "postgres"
    # With no database of users there is template1, through which we came.
    return (names or [database.name for database in able])[0]


def require_open(databases: Sequence[Database], wanted: str) -> None:
    """Refuse a database that is not there, or that nobody can connect to.

    Raises:
        BackupNotRestorable: It is not in the copy.
        HarnessError: It takes no connection.
    """
    able = [database.name for database in databases if not database.why_closed]
    found = next((database for database in databases if database.name == wanted), None)
    if found is None:
        there = [database.name for database in databases if not database.template]
        raise BackupNotRestorable(
            f"database {wanted!r} is not in the backup; it holds {', '.join(there) or 'none'}",
            hint="correct `database` in the source, or back up the cluster that has it.",
        )
    if not found.why_closed:
        return
    others = [name for name in able if name != "template1"]
    instead = f"or set `database` to {' or '.join(others)}" if others else "or set `database`"
    mend = (
        "drop it in production and take a new backup"
        if found.limit == _INVALID
        else f"run ALTER DATABASE {_quoted(wanted)} ALLOW_CONNECTIONS true in production and take a"
        " new backup"
    )
    # Production has the same setting: it came back as it was, and nothing in it could be asked.
    raise HarnessError(
        f"database {wanted!r} is in the backup and takes no connection ({found.why_closed})",
        hint=f"{mend}, {instead}.",
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
