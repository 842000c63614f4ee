"""Comparing what an archive's table of contents promised with what the restored catalogue holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_pgrestore.model.evidence import Check
from pytest_pgrestore.model.verdict import Verdict
from pytest_pgrestore.sources.toc import CONSTRAINTS, RELATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from pytest_pgrestore.sources.protocol import Connection
    from pytest_pgrestore.sources.toc import Contents, Entry

_NAMED = 5
"""Missing things named in the message; the rest is counted."""

_RELATIONS = """
select n.nspname, c.relname, c.relkind::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
"""
_CONSTRAINTS = """
select n.nspname, coalesce(r.relname || ' ', '') || k.conname from pg_constraint k
join pg_namespace n on n.oid = k.connamespace left join pg_class r on r.oid = k.conrelid
"""
_TRIGGERS = """
select n.nspname, r.relname || ' ' || t.tgname from pg_trigger t
join pg_class r on r.oid = t.tgrelid join pg_namespace n on n.oid = r.relnamespace where not t.tgisinternal
"""
_FUNCTIONS = "select n.nspname, p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
_INVALID = """
select n.nspname || '.' || c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace where not i.indisvalid
"""


def compare(contents: Contents | None, connection: Connection, wanted: Callable[[Entry], bool]) -> Check:
    """Return the check `contents`.

    Args:
        contents: The archive's table of contents; None for a text dump, which has none.
        connection: To the restored database.
        wanted: Whether an entry should have come back, given the source's settings.
    """
    import psycopg

    with psycopg.connect(connection.conninfo(), autocommit=True) as session:
        have = _catalogue(session)
        invalid = [str(row[0]) for row in session.execute(_INVALID).fetchall()]
        tables = sum(
            1 for kind, schema, _ in have if kind == "TABLE" and not schema.startswith(("pg_", "information_"))
        )
    promised = {key for entry in (contents.entries if contents else ()) if wanted(entry) and (key := _key(entry))}
    missing = sorted(promised - have)
    problems = [f"{kind.lower()} {schema}.{name}" for kind, schema, name in missing[:_NAMED]]
    problems += [f"{len(missing) - _NAMED} more"] if len(missing) > _NAMED else []
    problems += [f"index {name} is invalid" for name in invalid[:_NAMED]]
    told = f"all {len(promised)} entries of the table of contents are there" if contents else f"{tables} tables"
    return Check(
        name="contents",
        verdict=Verdict.FAILED if problems else Verdict.PASSED,
        message=f"missing or broken after the restore: {', '.join(problems)}" if problems else told,
        expected=f"{len(promised)} entries",
        observed=f"{len(promised) - len(missing)} entries",
    )


def _key(entry: Entry) -> tuple[str, str, str] | None:
    """Return kind, schema and name of an entry that the catalogue can be asked for."""
    if entry.description in RELATIONS:
        return entry.description, entry.schema, entry.tag
    if entry.description in CONSTRAINTS:
        return "CONSTRAINT", entry.schema, entry.tag
    if entry.description == "TRIGGER":
        return "TRIGGER", entry.schema, entry.tag
    if entry.description == "FUNCTION":
        return "FUNCTION", entry.schema, entry.tag.partition("(")[0]
    return None


def _catalogue(session: psycopg.Connection[Any]) -> set[tuple[str, str, str]]:
    kinds = {letter: name for name, letters in RELATIONS.items() for letter in letters}
    found = {(kinds[row[2]], row[0], row[1]) for row in session.execute(_RELATIONS).fetchall() if row[2] in kinds}
    for kind, query in (("CONSTRAINT", _CONSTRAINTS), ("TRIGGER", _TRIGGERS), ("FUNCTION", _FUNCTIONS)):
        found |= {(kind, row[0], row[1]) for row in session.execute(query).fetchall()}
    return found
