"""Questions to the catalogue of a restored database, for proposals.

Types are named by their object identifiers, which are the same in every server (pg_type.dat): a
type of the backup may have any name.
"""

from __future__ import annotations

TIMESTAMPTZ = 1184
MOMENTS = frozenset({TIMESTAMPTZ, 1114, 1082})
"""With a zone, without one, a date."""

WHOLE_NUMBERS = frozenset({20, 21, 23})
KEYS = WHOLE_NUMBERS | frozenset({25, 1043, 1042, 2950, 1700})
"""Whole numbers, text, varchar, char, uuid, numeric: their equality is the server's own."""

TABLES = """
    with recursive tree (root, part) as (
      select c.oid, c.oid from pg_catalog.pg_class c
        where c.relkind in ('r', 'p')
          and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = c.oid)
      union
      select t.root, i.inhrelid from tree t
        join pg_catalog.pg_inherits i on i.inhparent = t.part
    )
    select c.oid, n.nspname, c.relname,
      coalesce(sum(case when p.relkind = 'r' then pg_catalog.pg_relation_size(p.oid) end), 0)::int8,
      coalesce(pg_catalog.bool_or(p.relkind = 'f'), false)
    from tree t
    join pg_catalog.pg_class c on c.oid = t.root
    join pg_catalog.pg_class p on p.oid = t.part
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
      and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid
        and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype = 'e')
    group by 1, 2, 3 order by 2, 3 limit %s
"""
"""Tables of users: their bytes with all parts, and whether one part is a foreign table.

A partition is a part of its table, and so is a child of inheritance: an older way to partition.
"""

FOREIGN_KEYS = """
    select k.conrelid, k.confrelid, k.conname,
      (select pg_catalog.array_agg(a.attname::text order by x.place)
         from pg_catalog.unnest(k.conkey) with ordinality x (number, place)
         join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = x.number),
      (select pg_catalog.array_agg(a.attname::text order by x.place)
         from pg_catalog.unnest(k.confkey) with ordinality x (number, place)
         join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = x.number),
      (select pg_catalog.array_agg(array[n.nspname::text, o.oprname::text] order by x.place)
         from pg_catalog.unnest(k.conpfeqop) with ordinality x (operator, place)
         join pg_catalog.pg_operator o on o.oid = x.operator
         join pg_catalog.pg_namespace n on n.oid = o.oprnamespace)
    from pg_catalog.pg_constraint k
    where k.contype = 'f' and not k.convalidated and k.conparentid = 0
    order by k.conname, k.oid
"""
"""Those that the server does not promise, with the operators that it compares by."""

COLUMNS = """
    select a.attrelid, a.attname, a.atttypid,
      exists (select from pg_catalog.pg_index i where i.indrelid = a.attrelid and i.indisvalid
              and i.indisunique and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
              and i.indpred is null),
      exists (select from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
              join pg_catalog.pg_am m on m.oid = x.relam
              where i.indrelid = a.attrelid and i.indisvalid and m.amname = 'btree'
              and i.indkey[0] = a.attnum and i.indpred is null),
      exists (select from pg_catalog.pg_constraint k where k.conrelid = a.attrelid
              and k.contype = 'f' and a.attnum = any (k.conkey))
    from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
    where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
      and a.atttypid = any (%s::pg_catalog.oid[])
    order by a.attrelid, a.attnum
"""
"""Columns by table: type, whether an index promises that it is unique, whether one begins with it,
and whether it refers to another table.
"""

SEQUENCES = """
    select d.refobjid, a.attname, n.nspname, s.relname
    from pg_catalog.pg_depend d
    join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
    join pg_catalog.pg_namespace n on n.oid = s.relnamespace
    join pg_catalog.pg_sequence q on q.seqrelid = s.oid
    join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype in ('a', 'i')
      and q.seqincrement > 0 and not q.seqcycle and not a.attisdropped
    order by 1, 2, 3, 4
"""
"""Sequences of columns, upwards and without an end: serial and identity."""

ENUMS = """
    select n.nspname, t.typname, pg_catalog.array_agg(e.enumlabel::text order by e.enumsortorder)
    from pg_catalog.pg_enum e
    join pg_catalog.pg_type t on t.oid = e.enumtypid
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    where n.nspname !~ '^pg_'
      and not exists (select from pg_catalog.pg_depend d where d.objid = t.oid
        and d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.deptype = 'e')
    group by 1, 2 having count(*) <= %s order by 1, 2
"""

RESERVED = "select word from pg_catalog.pg_get_keywords() where catcode <> 'U'"
"""Words that are quoted as a name, as quote_ident() does (ruleutils.c, quote_identifier)."""
