"""Checks after the assertions: is it still the same server, did it read damaged pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    import psycopg

# Counted per database since PostgreSQL 12 (docs, "pg_stat_database").
# The function and not the view, which a superuser of production may have changed.
_FAILURES = (
    "select coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_db_checksum_failures(oid)), 0)"
    " + coalesce(pg_catalog.pg_stat_get_db_checksum_failures(0), 0) from pg_catalog.pg_database"
)


def page_checksums(connection: psycopg.Connection[Any]) -> Check:
    """Return whether a page read so far failed its checksum, also where a client hid the error."""
    enabled = connection.execute("select pg_catalog.current_setting('data_checksums')").fetchone()
    row = connection.execute(_FAILURES).fetchone()
    failures = int(row[0]) if row else 0
    if enabled is None or enabled[0] != "on":
        return Check(
            name="page checksums",
            verdict=Verdict.SKIPPED,
            message="the cluster was made without data checksums,"
            " so damaged pages cannot be told this way",
        )
    return Check(
        name="page checksums",
        verdict=Verdict.FAILED if failures else Verdict.PASSED,
        message=f"{failures} pages read during the drill failed their checksum"
        if failures
        else "no page read during the drill failed its checksum",
        expected="0",
        observed=str(failures),
    )


def server_gone(reason: str) -> Check:
    """Return the check of a server that ended during the assertions.

    Args:
        reason: Why it ended, or the message of the failed connection.
    """
    return Check(
        name="page checksums",
        verdict=Verdict.COULD_NOT_VERIFY,
        message=f"the server did not survive the assertions: {reason}",
    )
