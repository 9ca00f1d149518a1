"""Hostile SQL, drawn by a seed: statements that write, leave the database, never end or need all memory, and odd texts."""

from __future__ import annotations

import random

TABLES = ("forecasts", "scores", "tickers", "runs", "models", "sqlite_master", "forecast", "latest_forecast", "nothing", "temp.x")
FILES = (
    "pwned.db",
    "../outside/kept.db",
    "../outside/pwned.db",
    "file:pwned.db?mode=rwc",
    "/dev/full",
    ":memory:",
    "",
    "tickercast.db",
)
PRAGMAS = (
    "query_only=OFF", "journal_mode=DELETE", "journal_mode=MEMORY", "writable_schema=ON", "locking_mode=EXCLUSIVE", "user_version=99",
    "hard_heap_limit=0", "temp_store_directory='.'", "data_store_directory='.'", "wal_checkpoint(TRUNCATE)", "synchronous=OFF", "optimize",
    "incremental_vacuum", "page_size=512", "auto_vacuum=1", "schema_version=1", "application_id=7", "foreign_keys=OFF", "cell_size_check=1",
    "trusted_schema=ON", "mmap_size=99999999999", "threads=64", "encoding='UTF-16'", "secure_delete=1", "integrity_check", "database_list",
)  # fmt: skip
WRITING = (
    "DELETE FROM {t}", "UPDATE {t} SET rowid=1", "INSERT INTO {t} DEFAULT VALUES", "REPLACE INTO {t} VALUES ({n})", "DROP TABLE {t}",
    "DROP VIEW {t}", "ALTER TABLE {t} RENAME TO z", "ALTER TABLE {t} ADD COLUMN z", "CREATE TABLE z AS SELECT * FROM {t}", "CREATE TEMP TABLE z(a)",
    "CREATE TABLE IF NOT EXISTS temp.z(a)", "CREATE VIEW z AS SELECT 1", "CREATE TEMP VIEW z AS SELECT 1", "CREATE INDEX z ON {t}(rowid)",
    "CREATE TRIGGER z AFTER INSERT ON {t} BEGIN DELETE FROM {t}; END", "CREATE TEMP TRIGGER z INSTEAD OF INSERT ON {t} BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE z USING fts5(a)", "CREATE VIRTUAL TABLE temp.z USING rtree(a,b,c)", "WITH a AS (SELECT 1) DELETE FROM {t}",
    "INSERT INTO {t} SELECT * FROM {t} RETURNING *", "UPDATE sqlite_master SET sql='x'", "REINDEX", "ANALYZE", "VACUUM", "VACUUM INTO '{f}'",
    "ATTACH '{f}' AS z", "ATTACH DATABASE '{f}' AS main", "DETACH main", "BEGIN EXCLUSIVE", "BEGIN IMMEDIATE", "SAVEPOINT z", "RELEASE z",
    "ROLLBACK", "COMMIT", "PRAGMA {p}", "PRAGMA main.{p}", "EXPLAIN DELETE FROM {t}", "EXPLAIN QUERY PLAN SELECT * FROM {t}",
    "SELECT * FROM {t}; DELETE FROM {t}", "SELECT 1; ATTACH '{f}' AS z", "SELECT 1;;;SELECT 2",
)  # fmt: skip
LEAVING = (
    "SELECT load_extension('{f}')", "SELECT load_extension('{f}','main')", "SELECT writefile('{f}','x')", "SELECT readfile('/etc/passwd')",
    "SELECT edit('x','touch pwned')", "SELECT fts3_tokenizer('simple',x'00')", "SELECT * FROM pragma_database_list", "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_dbpage", "SELECT * FROM bytecode('SELECT 1')", "SELECT * FROM fsdir('/')", "SELECT * FROM json_tree('{{')",
    "SELECT * FROM pragma_journal_mode('DELETE')", "SELECT * FROM csv('/etc/passwd')", "SELECT sqlite_rename_column(1,2,3,4,5,6,7,8,9)",
    "SELECT * FROM generate_series(1,1e18)", "SELECT sqlite_compileoption_get({n})", "SELECT * FROM z.{t}", "SELECT * FROM {t} INDEXED BY z",
)  # fmt: skip
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) "
HEAVY = (
    COUNT + "SELECT count(*) FROM n", COUNT + "SELECT i FROM n", COUNT + "SELECT sum(i*i) FROM n, {t}", COUNT + "SELECT max(hex(i)) FROM n",
    COUNT + "SELECT group_concat(printf('%9999d',i)) FROM n", COUNT + "SELECT i FROM n ORDER BY i DESC", COUNT + "SELECT DISTINCT i%{n} FROM n",
    "WITH RECURSIVE b(x) AS (SELECT 'a' UNION ALL SELECT x||x FROM b) SELECT max(length(x)) FROM b", "SELECT zeroblob({n})", "SELECT randomblob({n})",
    "SELECT hex(zeroblob({n}))", "SELECT printf('%.*c',{n},'a')", "SELECT replace(printf('%.*c',99999,'a'),'a',printf('%.*c',9999,'b'))",
    "SELECT * FROM {t},{t} a,{t} b,{t} c,{t} d,{t} e ORDER BY random()", "SELECT printf('%.*c',5000000,'a') LIKE '%a%a%a%a%a%a%b'",
    "SELECT quote(printf('%.*c',9000000,''''))", "SELECT json_array(" + ",".join("1" * 90) + ")", "SELECT instr(printf('%.*c',9000000,'a'),'b')",
    "SELECT 1" + "+1" * 3000, "SELECT " + "(" * 2000 + "1" + ")" * 2000, "SELECT " + ",".join(["1"] * 3000), "SELECT '" + "x" * 90_000 + "'",
    "SELECT 1" + " UNION ALL SELECT 1" * 700, "VALUES " + ",".join(["(1)"] * 20_000), "SELECT " + "abs(" * 900 + "1" + ")" * 900, "SELECT 1e999, -1e999, 9e999-9e999",
    "SELECT " + "CASE WHEN 1 THEN " * 600 + "1" + " END" * 600, "SELECT count(*) OVER (ORDER BY random() ROWS {n} PRECEDING) FROM {t}",
)  # fmt: skip
ODD = (
    "", " ", ";", ";;", "--", "/*", "/* */", "-- x", "/**/;/**/", "SELECT", "SELECT *", "SELECT ?", "SELECT ?1, :a, @b, $c", "SELECT 'a", 'SELECT "a', "SELECT [a",
    "SELECT x'0", "SELECT 'a\0b'", "\0SELECT 1", "SELECT 1\0; DELETE FROM {t}", "SELECT '\udcff'", "\ud800", "SELECT '😀', 'é', '\u202e'", "ＳＥＬＥＣＴ 1",
    "\ufeffSELECT 1", "SELECT 1 AS \"\x1b[31m\"", "SELECT char(27,91,50,74)", "SELECT x'ff', CAST(x'ff' AS TEXT)", "select\f1", "SELECT\u00a01", "SELECT 1 /* ; DELETE */",
    "SELECT 1 AS a, 2 AS a, 3 AS A", 'SELECT 1 AS ""', "WITH", "explain", "nonsense {t}", "SELECT * FROM {t} WHERE", "SELECT 1 FROM (SELECT 1", "\\", "%s", ".shell touch pwned",
    ".output pwned", ".read /etc/passwd", "SELECT 1 -- \n; DELETE FROM {t}", "SELECT * FROM {t} LIMIT -1 OFFSET {n}", "SELECT NULL, 0.1, x'', '', 9223372036854775807",
)  # fmt: skip
KINDS = (WRITING, LEAVING, HEAVY, ODD)


def hostile_sql(rng: random.Random) -> str:
    """Return one hostile statement, often disguised."""
    text = rng.choice(rng.choice(KINDS))
    for sign, values in (("{t}", TABLES), ("{f}", FILES), ("{p}", PRAGMAS)):
        while sign in text:
            text = text.replace(sign, rng.choice(values), 1)
    text = text.replace("{n}", str(rng.choice((0, -1, 7, 10**6, 10**9, 2**63))))
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        text = _disguised(rng, text)
    return text


def _disguised(rng: random.Random, text: str) -> str:
    forms = (
        f"/* {rng.randrange(99)} */ {text}", f"-- x\n{text}", f"\n\t\r\n {text}", f"{text};", f"{text};--", f"{text} /* open",
        f"EXPLAIN {text}", f"SELECT * FROM ({text})", f"WITH z AS ({text}) SELECT * FROM z", f"SELECT 1; {text}", f"{text}; SELECT 1",
        "".join(rng.choice((letter.lower(), letter.upper())) for letter in text), text.replace(" ", "/**/"), text.replace(" ", "\n"),
        f"SELECT ({text})", f"SELECT EXISTS ({text})", f"{text} UNION ALL {text}", f"\ufeff{text}",
    )  # fmt: skip
    return rng.choice(forms)
