"""Questions to the catalogue of a restored database, for proposals."""

FOREIGN_KEYS = """
    select n.nspname, c.relname, k.conname,
      (select pg_catalog.array_agg(a.attname order by x.place)
         from pg_catalog.unnest(k.conkey) with ordinality x (number, place)
         join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = x.number),
      rn.nspname, r.relname,
      (select pg_catalog.array_agg(a.attname order by x.place)
         from pg_catalog.unnest(k.confkey) with ordinality x (number, place)
         join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = x.number)
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class c on c.oid = k.conrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_class r on r.oid = k.confrelid
    join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
    where k.contype = 'f' and not k.convalidated and k.conparentid = 0
    order by 1, 2, 3
"""

SEQUENCES = """
    select n.nspname, c.relname, a.attname, sn.nspname, s.relname
    from pg_catalog.pg_depend d
    join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
    join pg_catalog.pg_namespace sn on sn.oid = s.relnamespace
    join pg_catalog.pg_class c on c.oid = d.refobjid and c.relkind in ('r', 'p')
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype in ('a', 'i')
      and n.nspname !~ '^pg_'
    order by 1, 2, 3
"""

COLUMNS = """
    select n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, null),
      exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisunique
              and i.indnkeyatts = 1 and i.indkey[0] = a.attnum and i.indpred is null)
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
      and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
    order by 1, 2, a.attnum
"""

ENUMS = """
    select n.nspname, t.typname, pg_catalog.array_agg(e.enumlabel::text order by e.enumsortorder)
    from pg_catalog.pg_enum e join pg_catalog.pg_type t on t.oid = e.enumtypid
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    group by 1, 2 order by 1, 2
"""

RESERVED = "select word from pg_catalog.pg_get_keywords() where catcode <> 'U'"
"""Words that are quoted as a name, as quote_ident() does."""
