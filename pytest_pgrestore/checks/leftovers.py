"""What a restore carries or loses by its nature, named so that nobody takes it for damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_PREPARED = "select gid from pg_catalog.pg_prepared_xact() order by prepared, gid"

_UNLOGGED = (
    "select pg_catalog.count(*) from pg_catalog.pg_class"
    " where relpersistence = 'u' and relkind in ('r', 'm')"
)

_SHOWN = 5
"""Prepared transactions that are named."""


def leftovers(connection: psycopg.Connection[Any]) -> list[str]:
    """Return notes on prepared transactions and unlogged tables of the restored server.

    Source: PostgreSQL docs, "PREPARE TRANSACTION" (a prepared transaction survives a restart and
    holds its locks) and "CREATE TABLE", UNLOGGED (such a table is truncated after a crash).

    Args:
        connection: To the database the fixtures connect to; it shows the tables of that one only.
    """
    prepared = [str(row[0]) for row in connection.execute(_PREPARED).fetchall()]
    unlogged = connection.execute(_UNLOGGED).fetchone()
    notes = []
    if prepared:
        names = ", ".join(prepared[:_SHOWN]) + (" ..." if len(prepared) > _SHOWN else "")
        notes.append(
            f"{len(prepared)} prepared transactions came back and hold their locks: {names}"
        )
    if unlogged and unlogged[0]:
        notes.append(f"{unlogged[0]} unlogged tables are empty: recovery never brings them back")
    return notes
