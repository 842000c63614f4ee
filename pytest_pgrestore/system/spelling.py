"""How values come from a connection with settings of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg


def spell_for_us(connection: psycopg.Connection[Any]) -> None:
    """Have dates and intervals come as psycopg reads them, on a connection with settings of others.

    It reads timestamps with a zone in style ISO alone. The order of day and month stays, so a
    statement of the user's means what it means in production.
    """
    connection.execute(
        "select pg_catalog.set_config('DateStyle', 'ISO', false),"
        " pg_catalog.set_config('IntervalStyle', 'postgres', false)"
    )
