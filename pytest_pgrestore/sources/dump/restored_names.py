"""The names of a restored database, as a dump spells them.

A dump names an object in a comment. For a constraint, for example, that is the table's name, a
space and its own. Either can hold spaces and have 63 bytes, so the objects of the catalogue are
kept as type, schema, parent and name, and the comment's text is looked up among them.

Source: ArchiveEntry in src/bin/pg_dump/pg_dump.c for types and tags; sanitize_line of
dumputils.c, which writes line ends as spaces.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from pytest_pgrestore.sources.dump.reading.entries import as_printed

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from pytest_pgrestore.sources.dump.reading.entries import Entry

Name = tuple[str, str, str, str]
"""Type, schema, parent and name; schema and parent are empty without one."""

_CONSTRAINTS = ("CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT")
_FUNCTIONS = ("FUNCTION", "PROCEDURE", "AGGREGATE")
_HAS_PARENT = frozenset({*_CONSTRAINTS, "TRIGGER", "POLICY", "RULE", "DEFAULT"})
_TYPES = (
    frozenset(
        {
            *("FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "INDEX", "TABLE"),
            *("TYPE", "DOMAIN", "COLLATION", "CONVERSION", "STATISTICS"),
            "INDEX ATTACH",
            *("SCHEMA", "EXTENSION", "EVENT TRIGGER", "PUBLICATION", "SERVER"),
            "FOREIGN DATA WRAPPER",
        }
    )
    | _HAS_PARENT
    | {*_FUNCTIONS}
)
"""The types that are compared."""

# Type, schema, parent and name, as pg_dump spells types.
_CATALOGUE = """
with object (type, schema, parent, name) as (
select case c.relkind when 'f' then 'FOREIGN TABLE' when 'v' then 'VIEW'
       when 'm' then 'MATERIALIZED VIEW' when 'S' then 'SEQUENCE' when 'i' then 'INDEX'
       when 'I' then 'INDEX' else 'TABLE' end,
       n.nspname::pg_catalog.text, ''::pg_catalog.text, c.relname::pg_catalog.text
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I')
union all
select 'INDEX ATTACH', n.nspname, '', c.relname
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('i', 'I') and c.relispartition
union all
select 'CONSTRAINT', n.nspname, coalesce(r.relname, t.typname), k.conname
from pg_catalog.pg_constraint k
join pg_catalog.pg_namespace n on n.oid = k.connamespace
left join pg_catalog.pg_class r on r.oid = k.conrelid
left join pg_catalog.pg_type t on t.oid = k.contypid
union all
select 'TRIGGER', n.nspname, r.relname, t.tgname from pg_catalog.pg_trigger t
join pg_catalog.pg_class r on r.oid = t.tgrelid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
where not t.tgisinternal
union all
select 'POLICY', n.nspname, r.relname, p.polname from pg_catalog.pg_policy p
join pg_catalog.pg_class r on r.oid = p.polrelid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
union all
select 'RULE', n.nspname, r.relname, w.rulename from pg_catalog.pg_rewrite w
join pg_catalog.pg_class r on r.oid = w.ev_class
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
union all
select 'DEFAULT', n.nspname, r.relname, a.attname from pg_catalog.pg_attrdef d
join pg_catalog.pg_class r on r.oid = d.adrelid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
union all
select 'FUNCTION', n.nspname, '', p.proname from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
union all
select case t.typtype when 'd' then 'DOMAIN' else 'TYPE' end, n.nspname, '', t.typname
from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
union all
select 'COLLATION', n.nspname, '', c.collname from pg_catalog.pg_collation c
join pg_catalog.pg_namespace n on n.oid = c.collnamespace
union all
select 'CONVERSION', n.nspname, '', c.conname from pg_catalog.pg_conversion c
join pg_catalog.pg_namespace n on n.oid = c.connamespace
union all
select 'STATISTICS', n.nspname, '', s.stxname from pg_catalog.pg_statistic_ext s
join pg_catalog.pg_namespace n on n.oid = s.stxnamespace
union all select 'SCHEMA', '', '', nspname from pg_catalog.pg_namespace
union all select 'EXTENSION', '', '', extname from pg_catalog.pg_extension
union all select 'EVENT TRIGGER', '', '', evtname from pg_catalog.pg_event_trigger
union all select 'PUBLICATION', '', '', pubname from pg_catalog.pg_publication
union all select 'SERVER', '', '', srvname from pg_catalog.pg_foreign_server
union all select 'FOREIGN DATA WRAPPER', '', '', fdwname from pg_catalog.pg_foreign_data_wrapper
)
select type, {0}(schema{1}), {0}(parent{1}), {0}(name{1}) from object
"""
_AS_STORED = _CATALOGUE.format("pg_catalog.textsend", "")
_IN_ENCODING = _CATALOGUE.format("pg_catalog.convert_to", ", %s")


class RestoredNames:
    """The objects of one restored database. Each is found once.

    Args:
        names: Type, schema, parent and name of every object.
    """

    def __init__(self, names: Iterable[Name]) -> None:
        self._left = Counter(names)
        self._by_tag: dict[tuple[str, str, str], list[Name]] = defaultdict(list)
        self._by_name: dict[tuple[str, str, str], list[Name]] = defaultdict(list)
        for kind, schema, parent, name in self._left:
            tag = f"{parent} {name}" if kind in _HAS_PARENT else name
            self._by_tag[kind, schema, tag].append((kind, schema, parent, name))
            if kind in _HAS_PARENT:
                self._by_name[kind, schema, name].append((kind, schema, parent, name))

    def take(self, entry: Entry, *, names_parents: bool = True) -> bool:
        """Return whether an object is there that was not taken yet, and take it.

        Args:
            entry: What the dump says of it.
            names_parents: Whether the entry surely names the table of a constraint, for example.
        """
        kind, schema = _kind(entry.type), _schema(entry.schema)
        if kind == "FUNCTION":
            heads = _heads(entry.name)
            return any(self._take((kind, schema, name), self._by_tag) for name in heads)
        key = (kind, schema, entry.name)
        # A dump that says it is old may have been written again by a newer pg_restore.
        if self._take(key, self._by_tag):
            return True
        return not names_parents and self._take(key, self._by_name)

    def _take(
        self, key: tuple[str, str, str], found: dict[tuple[str, str, str], list[Name]]
    ) -> bool:
        candidates = found.get(key, [])
        while candidates:
            if self._left[candidates[-1]] > 0:
                self._left[candidates[-1]] -= 1
                return True
            candidates.pop()
        return False


def compared(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries of the types that are compared."""
    return [entry for entry in entries if entry.type in _TYPES]


def restored_names(session: psycopg.Connection[Any], encoding: str | None) -> RestoredNames:
    """Return the objects of a database, spelled in the encoding of its dump.

    Args:
        session: Connection to the database.
        encoding: As PostgreSQL names it; None is UTF-8.
    """
    import psycopg

    given = encoding or "UTF8"
    try:
        rows = session.execute(_IN_ENCODING.encode(), [given] * 3).fetchall()
    except psycopg.errors.DataError:  # another object has a name that the encoding lacks
        rows = session.execute(_AS_STORED.encode()).fetchall()
    return RestoredNames(
        (str(row[0]), _schema(printed(row[1])), printed(row[2]), printed(row[3])) for row in rows
    )


def printed(name: bytes) -> str:
    """Return a name as pg_dump prints it in a comment."""
    return as_printed(bytes(name)).replace("\n", " ").replace("\r", " ")


def _kind(kind: str) -> str:
    if kind in _CONSTRAINTS:
        return "CONSTRAINT"
    return "FUNCTION" if kind in _FUNCTIONS else kind


def _schema(name: str) -> str:
    """Return a schema's name; a dump writes ``-`` for none."""
    return "" if name == "-" else name


def _heads(signature: str) -> Iterable[str]:
    """Yield the names that a function's signature may begin with, the longest first.

    The types of its arguments are not compared: their spelling depends on the version of pg_dump.
    """
    end = signature.rfind("(")
    while end > 0:
        yield signature[:end]
        end = signature.rfind("(", 0, end)
