"""The check `contents`: compares a dump's table of contents with the restored catalogue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.dump.restored_names import compared, printed, restored_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from pytest_pgrestore.sources.dump.part import Promise
    from pytest_pgrestore.sources.dump.reading.entries import Entry
    from pytest_pgrestore.sources.protocol import Connection

_NAMED = 5
"""Number of missing objects named in the message; the others are counted."""

# An index of a partitioned table (relkind I) is invalid in production, too, where a partition lacks
# it. Those that the dump attaches are compared by name.
_BROKEN = """
select pg_catalog.textsend(n.nspname::pg_catalog.text),
       pg_catalog.textsend(c.relname::pg_catalog.text)
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid and c.relkind = 'i'
"""
_UNPOPULATED = """
select pg_catalog.textsend(n.nspname::pg_catalog.text),
       pg_catalog.textsend(c.relname::pg_catalog.text)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'm' and not c.relispopulated
"""


def compare(
    promises: Iterable[Promise],
    connection: Connection,
    *,
    filled: Iterable[Entry] = (),
    origin: str = "",
) -> Check:
    """Return the check `contents`.

    Args:
        promises: What must exist, by database.
        connection: Connection to the restored server.
        filled: Entries for which the dump has rows. Materialized views among them must have rows.
        origin: The database that was dumped, as a part of the message; may be empty.
    """
    started = time.monotonic()
    count, problems = 0, list[str]()
    for promise in promises:
        wanted = compared(promise.entries)
        count += len(wanted)
        with connection.ask(promise.database) as session:
            names = restored_names(session, promise.encoding)
            missing = [
                entry.words
                for entry in wanted
                if not names.take(entry, names_parents=promise.names_parents)
            ]
            problems += sorted(missing) + _broken(session) + _empty_views(session, filled)
    problems = list(dict.fromkeys(problems))
    expected = f"{count} objects, none broken"
    seconds = time.monotonic() - started
    if problems:
        return Check(
            name="contents",
            verdict=Verdict.FAILED,
            message=f"missing or broken after the restore: {_listed(problems)}",
            seconds=seconds,
            expected=expected,
            observed=f"{len(problems)} missing or broken",
        )
    return Check(
        name="contents",
        verdict=Verdict.PASSED,
        message=f"all {count} objects the dump announces are there{origin}"
        if count
        else f"no object is broken, and the dump announces none{origin}",
        seconds=seconds,
        expected=expected,
        observed=expected,
    )


def _listed(problems: list[str]) -> str:
    more = len(problems) - _NAMED
    return ", ".join(problems[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _broken(session: psycopg.Connection[Any]) -> list[str]:
    """Return a message for each index that is not valid."""
    rows = session.execute(_BROKEN.encode()).fetchall()
    return [f"index {printed(row[0])}.{printed(row[1])} is invalid" for row in rows]


def _empty_views(session: psycopg.Connection[Any], filled: Iterable[Entry]) -> list[str]:
    """Return a message for each materialized view that had rows and is not populated."""
    rows = session.execute(_UNPOPULATED.encode()).fetchall()
    empty = {(printed(row[0]), printed(row[1])) for row in rows}
    return [
        f"materialized view {entry.schema}.{entry.name} is not populated"
        for entry in filled
        if entry.type == "MATERIALIZED VIEW" and (entry.schema, entry.name) in empty
    ]
