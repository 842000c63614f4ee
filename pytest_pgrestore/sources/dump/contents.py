"""The check `contents`: compares a dump's table of contents with the restored catalogue."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import psycopg

    from pytest_pgrestore.sources.dump.reading.entries import Entry
    from pytest_pgrestore.sources.protocol import Connection

_NAMED = 5
"""Number of missing objects named in the message; the others are counted."""

_CONSTRAINTS = ("CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT")
_FUNCTIONS = ("FUNCTION", "PROCEDURE", "AGGREGATE")

# Types, schemas and names as pg_dump spells them. Source: src/bin/pg_dump/pg_dump.c, ArchiveEntry.
_CATALOGUE = """
select case c.relkind when 'f' then 'FOREIGN TABLE' when 'v' then 'VIEW'
       when 'm' then 'MATERIALIZED VIEW' when 'S' then 'SEQUENCE' when 'i' then 'INDEX'
       when 'I' then 'INDEX' else 'TABLE' end, n.nspname, c.relname
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I')
union all
select 'CONSTRAINT', n.nspname, coalesce(r.relname, t.typname) || ' ' || k.conname
from pg_constraint k
join pg_namespace n on n.oid = k.connamespace
left join pg_class r on r.oid = k.conrelid left join pg_type t on t.oid = k.contypid
union all
select 'TRIGGER', n.nspname, r.relname || ' ' || t.tgname from pg_trigger t
join pg_class r on r.oid = t.tgrelid join pg_namespace n on n.oid = r.relnamespace
where not t.tgisinternal
union all
select 'POLICY', n.nspname, r.relname || ' ' || p.polname from pg_policy p
join pg_class r on r.oid = p.polrelid join pg_namespace n on n.oid = r.relnamespace
union all
select 'FUNCTION', n.nspname, p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
union all
select case t.typtype when 'd' then 'DOMAIN' else 'TYPE' end, n.nspname, t.typname
from pg_type t join pg_namespace n on n.oid = t.typnamespace
union all select 'SCHEMA', '', nspname from pg_namespace
union all select 'EXTENSION', '', extname from pg_extension
union all select 'EVENT TRIGGER', '', evtname from pg_event_trigger
union all select 'PUBLICATION', '', pubname from pg_publication
"""
_BROKEN = """
select 'index ' || n.nspname || '.' || c.relname || ' is invalid' from pg_index i
join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid
"""
_UNPOPULATED = """
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'm' and not c.relispopulated
"""
_TYPES = frozenset(
    {
        "FOREIGN TABLE",
        "VIEW",
        "MATERIALIZED VIEW",
        "SEQUENCE",
        "INDEX",
        "TABLE",
        "TRIGGER",
        "POLICY",
        "TYPE",
        "DOMAIN",
    }
) | {"SCHEMA", "EXTENSION", "EVENT TRIGGER", "PUBLICATION", *_CONSTRAINTS, *_FUNCTIONS}


def compare(
    promised: Mapping[str, Iterable[Entry]],
    connection: Connection,
    *,
    filled: Iterable[Entry] = (),
    origin: str = "",
) -> Check:
    """Return the check `contents`.

    Args:
        promised: The entries that must exist, by database.
        connection: Connection to the restored server.
        filled: Entries for which the dump has rows. Materialized views among them must have rows.
        origin: The database that was dumped, as a part of the message; may be empty.
    """
    started = time.monotonic()
    count, problems = 0, []
    for database, entries in promised.items():
        wanted = Counter(_key(entry) for entry in entries if entry.type in _TYPES)
        found, broken = _look(connection, database, filled)
        missing = sorted((wanted - found).elements())
        count += wanted.total()
        problems += [
            " ".join((kind.lower(), f"{schema}.{name}".lstrip(".")))
            for kind, schema, name in missing
        ]
        problems += broken
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
        message=f"all {count} objects the dump announces are there{origin}",
        seconds=seconds,
        expected=expected,
        observed=expected,
    )


def _listed(problems: list[str]) -> str:
    more = len(problems) - _NAMED
    return ", ".join(problems[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _key(entry: Entry) -> tuple[str, str, str]:
    """Return an entry's type, schema and name as `_CATALOGUE` returns them."""
    if entry.type in _CONSTRAINTS:
        return "CONSTRAINT", entry.schema, entry.name
    if entry.type in _FUNCTIONS:
        # Without the signature: its spelling depends on the version of pg_dump.
        return "FUNCTION", entry.schema, entry.name.partition("(")[0]
    return entry.type, entry.schema, entry.name


def _look(
    connection: Connection, database: str, filled: Iterable[Entry]
) -> tuple[Counter[tuple[str, str, str]], list[str]]:
    """Return the objects of a database, counted, and a message for each broken one."""
    with connection.ask(database) as session:
        found = Counter(
            (str(row[0]), str(row[1]), str(row[2]))
            for row in session.execute(_CATALOGUE).fetchall()
        )
        broken = [str(row[0]) for row in session.execute(_BROKEN).fetchall()]
        broken += _empty_views(session, filled)
    return found, broken


def _empty_views(session: psycopg.Connection[Any], filled: Iterable[Entry]) -> list[str]:
    """Return a message for each materialized view that had rows and is not populated."""
    empty = {(str(row[0]), str(row[1])) for row in session.execute(_UNPOPULATED).fetchall()}
    return [
        f"materialized view {entry.schema}.{entry.name} is not populated"
        for entry in filled
        if entry.type == "MATERIALIZED VIEW" and (entry.schema, entry.name) in empty
    ]
