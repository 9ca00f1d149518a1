"""Functions of SQLite's SQL that views and queries use, made for PostgreSQL in the record's schema: one SQL serves both."""

from __future__ import annotations

# Each token of a format closes and opens a quoted text, so that what stands between is taken as it is.
TOKENS = {"%Y": "YYYY", "%m": "MM", "%d": "DD", "%H": "HH24", "%M": "MI", "%f": "SS.MS", "%S": "SS", "%j": "DDD"}
# In UTC, as SQLite takes what has no offset; not in the time zone of the server, which casts to timestamptz use.
INSTANT = (
    "CASE WHEN at = 'now' THEN clock_timestamp() AT TIME ZONE 'UTC' "
    "WHEN at ~ '[ T].*[+-]' THEN CAST(at AS timestamptz) AT TIME ZONE 'UTC' ELSE CAST(at AS timestamp) END"
)
MOVED = f"({INSTANT}) + coalesce((SELECT sum(CAST(m AS interval)) FROM unnest(moves) m), interval '0')"


def _pattern() -> str:
    sql = "replace(format, '%w', CAST(extract(dow FROM utc) AS text))"
    for token, pattern in TOKENS.items():
        sql = f"replace({sql}, '{token}', '\"{pattern}\"')"
    return f"'\"' || {sql} || '\"'"


FUNCTIONS = (
    "CREATE FUNCTION hex(bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN upper(encode($1, 'hex'))",
    "CREATE FUNCTION julianday(at text) RETURNS double precision LANGUAGE sql STABLE PARALLEL SAFE "
    f"RETURN CAST(pg_catalog.round(extract(epoch FROM {INSTANT}) * 1000) + 210866760000000 AS double precision) / 86400000.0",
    "CREATE FUNCTION strftime(format text, at text, VARIADIC moves text[] DEFAULT '{}') RETURNS text "
    "LANGUAGE sql STABLE PARALLEL SAFE "
    f"RETURN (SELECT to_char(utc, {_pattern()}) FROM (SELECT {MOVED} AS utc) i)",
    "CREATE FUNCTION date(at text, VARIADIC moves text[]) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE "
    "RETURN strftime('%Y-%m-%d', at, VARIADIC moves)",
    "CREATE FUNCTION round(double precision, integer) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE "
    "RETURN CAST(pg_catalog.round(CAST($1 AS numeric), $2) AS double precision)",
    "CREATE FUNCTION joined(text, text, text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE "
    "RETURN CASE WHEN $1 IS NULL THEN $2 ELSE $1 || $3 || $2 END",
    "CREATE AGGREGATE group_concat(text, text) (SFUNC = joined, STYPE = text)",
    "CREATE FUNCTION refuse_long(bytes integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN "
    "RAISE EXCEPTION 'a row of the result has % MB, more than 10', bytes / 1000000 USING ERRCODE = 'program_limit_exceeded'; "
    "END $$",
    "CREATE FUNCTION json_each(document text) RETURNS TABLE (key text, value text) LANGUAGE sql IMMUTABLE PARALLEL SAFE "
    "BEGIN ATOMIC SELECT e.key, CASE e.value WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE e.value #>> '{}' END "
    "FROM jsonb_each(CAST(document AS jsonb)) e; END",
    "CREATE FUNCTION json_extract(document text, path text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE "
    "RETURN CAST(jsonb_path_query_first(CAST(document AS jsonb), CAST(path AS jsonpath)) #>> '{}' AS numeric)",
)
