"""What the live server's archiver says of itself, asked read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pgrestore.model.errors import HarnessError
from pytest_pgrestore.model.past import ArchiverFigures

if TYPE_CHECKING:
    from pytest_pgrestore.model.secret import Secret

_QUERY = (
    "select failed_count, archived_count, last_failed_time, last_archived_time, stats_reset"
    " from pg_catalog.pg_stat_archiver"
)
"""All roles may read this view (PostgreSQL docs, "pg_stat_archiver")."""

_LONGEST_SECONDS = 30.0
"""Wait for a view of one row. The restore is over, and its copy waits."""


def archiver_figures(live: Secret, timeout_seconds: float) -> ArchiverFigures:
    """Return the figures of the archiver, or why they could not be had.

    Args:
        live: Connection string of the live server.
        timeout_seconds: Longest wait for one answer.
    """
    import psycopg

    from pytest_pgrestore.system.bounded_connection import connect

    try:
        with connect(
            live.reveal(), timeout_seconds=min(timeout_seconds, _LONGEST_SECONDS)
        ) as production:
            production.read_only = True
            row = production.execute(_QUERY).fetchone()
    except (psycopg.Error, HarnessError) as exc:
        why = getattr(exc, "sqlstate", None) or type(exc).__name__
        return ArchiverFigures(
            problem=f"the live server could not be asked for its archiver ({why}); look whether"
            " live_conninfo reaches it from here"
        )
    if row is None:
        return ArchiverFigures(problem="the live server has no row in pg_stat_archiver")
    failed, archived, last_failed, last_archived, reset = row
    return ArchiverFigures(
        failed_count=failed,
        archived_count=archived,
        last_failed_at=last_failed,
        last_archived_at=last_archived,
        stats_reset=reset,
    )
