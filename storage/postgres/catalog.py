"""What the server's catalog says of a record's schema, for its digest."""

from __future__ import annotations

# Views, tables by their columns, checks and keys, indexes, triggers and functions of the schema, in the form of sqlite_master.
# pg_get_* gives them as the server understood them, without parentheses: a dump that is restored has fewer of them.
SCHEMA_QUERY = """
SELECT type, name, tbl_name, translate(sql, '()', '') AS sql FROM (
WITH relation AS (SELECT c.oid, c.relname, c.relkind FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace)
SELECT 'view' AS type, relname AS name, relname AS tbl_name, pg_get_viewdef(oid) AS sql FROM relation WHERE relkind = 'v'
UNION ALL SELECT 'column', a.attname, r.relname, format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid WHERE r.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT 'constraint', k.conname, r.relname, pg_get_constraintdef(k.oid)
    FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
UNION ALL SELECT 'index', i.relname, r.relname, pg_get_indexdef(i.oid)
    FROM relation r JOIN pg_index x ON x.indrelid = r.oid JOIN pg_class i ON i.oid = x.indexrelid
UNION ALL SELECT 'trigger', g.tgname, r.relname, pg_get_triggerdef(g.oid) || ' ' || CAST(g.tgenabled AS text)
    FROM relation r JOIN pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal
UNION ALL SELECT 'function', p.proname, '', p.prosrc || coalesce(pg_get_function_sqlbody(p.oid), '')
    FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.prokind = 'f'
) s ORDER BY 1, 3, 2, 4
"""
