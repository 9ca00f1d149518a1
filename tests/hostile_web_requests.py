"""Hostile requests: SQL that writes, leaves the database or never ends, paths out of the pages, headers that lie or smuggle, and methods."""

from __future__ import annotations

from urllib.parse import quote

BOMB = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT"

WRITES = (
    "INSERT INTO tickers DEFAULT VALUES", "UPDATE forecasts SET q50 = 0", "DELETE FROM scores", "DROP VIEW bar",
    "CREATE TABLE x (y)", "ALTER TABLE tickers ADD COLUMN x", "VACUUM", "VACUUM INTO 'stolen.db'", "REINDEX",
    "ANALYZE", "BEGIN IMMEDIATE", "SAVEPOINT x", "ATTACH '/etc/passwd' AS x", "ATTACH 'file:x?mode=rwc' AS x", "DETACH main",
    "PRAGMA writable_schema = 1", "PRAGMA journal_mode = DELETE", "PRAGMA database_list",
    "SELECT 1; DELETE FROM scores", "EXPLAIN DELETE FROM scores", "WITH x AS (SELECT 1) DELETE FROM scores",
    "REPLACE INTO tickers DEFAULT VALUES", "-- SELECT\nDELETE FROM scores", "/* x */ DELETE FROM scores",
    "SELECT * FROM pragma_database_list", "SELECT file FROM pragma_database_list()", "SELECT * FROM pragma_function_list",
    "SELECT load_extension('x.so')", "SELECT readfile('tickercast.toml')", "SELECT writefile('x', 'y')", "SELECT edit('x')",
    "SELECT fts3_tokenizer('simple', x'00')", "SELECT zeroblob(1000000000)", "SELECT randomblob(1000000000)",
    "SELECT * FROM fsdir('/')", "SELECT * FROM dbstat", "SELECT * FROM sqlite_dbpage", "SELECT * FROM csv('/etc/passwd')",
    "INSERT INTO sqlite_master SELECT * FROM sqlite_master",
)  # fmt: skip
BOMBS = (
    f"{BOMB} count(*) FROM c", f"{BOMB} group_concat(x) FROM c", f"{BOMB} x FROM c ORDER BY -x", f"{BOMB} json_group_array(x) FROM c",
    "SELECT count(*) FROM bar a, bar b, bar c, bar d, bar e",
    "SELECT replace(printf('%.*c', 900000, 'x'), 'x', printf('%.*c', 900000, 'y'))", "SELECT hex(zeroblob(100000000))",
    "SELECT instr(printf('%.*c', 990000, 'a'), printf('%.*c', 490000, 'a') || 'b')",
    "SELECT printf('%.*c', 900000, 'a') LIKE '" + "%a" * 400 + "b'", "SELECT '" + "x" * 3000 + "'",
    "SELECT " + "(" * 900 + "1" + ")" * 900, "SELECT " + " UNION SELECT ".join(map(str, range(600))),
    f"{BOMB} printf('%.*c', 900000, 'x') FROM c LIMIT 4000", "SELECT ?", "SELECT :_header_cookie", "", "SELECT", "\x00", "SELECT '\x00'",
)  # fmt: skip
PATHS = (
    "/../tickercast.toml", "/%2e%2e/tickercast.toml", "/..%2ftickercast.toml", "/assets/../../workspace/sections.py",
    "/assets/..%2f..%2f__init__.py", "/assets/%2e%2e/app.py", "/assets//etc/passwd", "/assets/plain.css%00.js", "/-/static/../app.py",
    "/-/static/..%2f..%2fapp.py", "/-/static//etc/passwd", "/-/databases.json", "/-/metadata.json", "/-/threads", "/-/plugins",
    "/-/settings.json", "/-/permissions", "/-/auth-token?token=x", "/-/messages", "/-/allow-debug", "/-/actor.json", "/-/patterns",
    "/-/versions.json", "/record.db", "/_internal.json?sql=select+*+from+databases", "/_memory", "/record/tickers", "/record/runs/1",
    "/record/configs.json", "/record/bar/1.blob", "/record/skill.blob", "/record/skill~2ejson", "/record%2fskill", "//evil.example/%2f..",
    "/record/skill/", "/ticker/", "/ticker/..%2f..%2ftickercast.toml", "/ticker/%00", "/ticker/<script>alert(1)</script>",
    "/ticker/%ff%fe", "/ticker/" + "A" * 5000, "/" + "x" * 20_000, "/record/skill?_size=99999999", "/record/skill?_size=x",
    "/record/skill?_next=%27", "/record/skill?_sort=x", "/record/skill?_facet=x&_facet_array=ticker", "/record/skill?_where=1)%20OR%20(1",
    "/record/skill?_where=exists(select+load_extension('x'))", "/record/skill?_timelimit=x", "/record/skill.csv?_stream=1",
    "/record/skill?_col=<script>", "/record/skill.json?_shape=x&_json=y", "/record/prices?ticker=%27%20OR%201--",
    "/record/skill?_through={%22table%22:%22x%22,%22column%22:%22y%22,%22value%22:%22z%22}", "/compare?t=%27&c=%00", "/ticker/IBM?config=../../x", "/record/skill?_labels=on&_trace=1&_context=1",
)  # fmt: skip
HOSTS = "Host: 127.0.0.1\r\n"
RAW = (
    f"POST /record HTTP/1.1\r\n{HOSTS}Content-Length: 7\r\n\r\nsql=1&x", f"PUT / HTTP/1.1\r\n{HOSTS}\r\n", f"DELETE /record/bar HTTP/1.1\r\n{HOSTS}\r\n",
    f"PATCH / HTTP/1.1\r\n{HOSTS}\r\n", f"OPTIONS * HTTP/1.1\r\n{HOSTS}\r\n", f"TRACE / HTTP/1.1\r\n{HOSTS}\r\n", "CONNECT evil.example:443 HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
    f"GET / HTTP/1.1\r\n{HOSTS}Host: evil.example\r\n\r\n", f"GET http://evil.example/ HTTP/1.1\r\n{HOSTS}\r\n",
    f"GET / HTTP/1.1\r\n{HOSTS}X: {'y' * 100_000}\r\n\r\n", f"GET / HTTP/1.1\r\n{HOSTS}" + "".join(f"X{i}: y\r\n" for i in range(5_000)) + "\r\n",
    f"POST / HTTP/1.1\r\n{HOSTS}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /-/settings HTTP/1.1\r\n{HOSTS}\r\n",
    f"POST / HTTP/1.1\r\n{HOSTS}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", f"GET / HTTP/1.1\r\n{HOSTS}Content-Length: -1\r\n\r\n",
    f"GET / HTTP/1.1\r\n{HOSTS}X\r\n: y\r\n\r\n", f"GET / HTTP/9.9\r\n{HOSTS}\r\n", "\x00\x01\x02\r\n\r\n", "GET /\r\n\r\n", "\x16\x03\x01\x02\x00\x01\r\n\r\n",
    f"GET /record HTTP/1.1\r\n{HOSTS}Cookie: ds_actor=x; tickercast_sign_in=\xff; =\r\n\r\n", f"GET / HTTP/1.1\r\n{HOSTS}If-None-Match: {'W/' * 9_000}\r\n\r\n",
    f"GET /record HTTP/1.1\r\n{HOSTS}X-Forwarded-Host: evil.example\r\nX-Forwarded-For: 127.0.0.1\r\nX-Original-URL: /-/settings\r\n\r\n",
    f"GET / HTTP/1.1\r\n{HOSTS}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
)  # fmt: skip
ADDRESSES = (
    *(f"/record?sql={quote(query)}" for query in WRITES),
    *(f"/record.json?_timelimit=150&sql={quote(query)}" for query in BOMBS),
    *PATHS,
)
