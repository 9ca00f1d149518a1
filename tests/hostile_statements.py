"""Statements that would do more than read a record on PostgreSQL, each of which is refused."""

from __future__ import annotations

NO_SELECT = (
    "INSERT INTO events (at, kind, message) VALUES ('a', 'b', 'c')", "UPDATE forecasts SET q50 = 0", "DELETE FROM scores",
    "TRUNCATE forecasts", "DROP VIEW bar", "DROP SCHEMA public CASCADE", "CREATE TABLE x (y int)", "CREATE TEMP TABLE x (y int)",
    "CREATE TABLE x AS SELECT 1", "ALTER TABLE tickers ADD COLUMN x int", "VACUUM", "ANALYZE", "REINDEX DATABASE record1", "BEGIN",
    "COMMIT", "ROLLBACK", "SAVEPOINT x", "SET transaction_read_only = off", "SET SESSION AUTHORIZATION test", "RESET ALL", "SET ROLE test",
    "DISCARD ALL", "LOCK TABLE tickers", "LISTEN x", "NOTIFY x", "COPY tickers TO '/x'", "COPY (SELECT 1) TO PROGRAM 'id'",
    "COPY tickers FROM PROGRAM 'id'", "DO $$ BEGIN PERFORM pg_sleep(9); END $$", "CALL x()", "EXECUTE x", "PREPARE x AS SELECT 1",
    "DEALLOCATE ALL", "DECLARE x CURSOR FOR SELECT 1", "FETCH 1 FROM rows", "CLOSE ALL", "MERGE INTO tickers USING tickers t ON true "
    "WHEN MATCHED THEN DELETE", "GRANT ALL ON tickers TO public", "CREATE ROLE x SUPERUSER", "CREATE FUNCTION f() RETURNS int RETURN 1",
    "CREATE EXTENSION dblink", "LOAD 'x'", "CHECKPOINT", "REFRESH MATERIALIZED VIEW x", "SECURITY LABEL ON TABLE tickers IS 'x'",
    "-- SELECT\nDELETE FROM scores", "/* SELECT */ DELETE FROM scores", "/* /* */ SELECT 1 */ DELETE FROM scores", "", ";", "not SQL at all",
)  # fmt: skip
NO_READING = (
    "SELECT 1; DELETE FROM scores", "SELECT 1; COMMIT; DELETE FROM scores", "WITH x AS (DELETE FROM scores RETURNING 1) SELECT 1",
    "WITH x AS (SELECT 1) DELETE FROM scores", "WITH x AS (INSERT INTO notices DEFAULT VALUES RETURNING 1) SELECT * FROM x",
    "SELECT * INTO x FROM tickers", "SELECT * FROM tickers FOR UPDATE", "SELECT * FROM tickers FOR KEY SHARE", "EXPLAIN ANALYZE DELETE FROM scores",
    "EXPLAIN (ANALYZE) CREATE TABLE x AS SELECT 1", "EXPLAIN ANALYZE EXECUTE x", "EXPLAIN ANALYZE SELECT 1 INTO x",
    "EXPLAIN (ANALYZE /* ) SELECT 1 */ ) CREATE TABLE x AS SELECT 1", "EXPLAIN ANALYZE ANALYZE SELECT 1 INTO x", "EXPLAIN SELECT 1; COMMIT", "/*/**/EXPLAIN*/ COMMIT",
    "SELECT 1) p) q; COMMIT --", "SELECT 1) p OFFSET 0) q --", "TABLE tickers; DROP VIEW bar", "SELECT $1", "SELECT ?", "SELECT 'a\0b'",
)  # fmt: skip
FUNCTIONS = (
    "SELECT pg_advisory_lock(1952672107, 1)", "SELECT pg_try_advisory_lock(1, 2)", "SELECT pg_advisory_xact_lock_shared(1)",
    "SELECT pg_advisory_unlock_all()", "SELECT PG_ADVISORY_LOCK(1)", 'SELECT "pg_advisory_lock"(1)', "SELECT pg_catalog.pg_advisory_lock(1)",
    'SELECT U&"pg_advisory_\\006cock"(1)', "SELECT U&\"pg!005fsleep\"(9) UESCAPE '!'", "SELECT pg_sleep(9)", "SELECT pg_sleep_for('9 s')", "SELECT/**/pg_sleep/**/(9)",
    "SELECT 1pg_sleep(9)", "SELECT 'x'::text,pg_sleep(9)", "SELECT * FROM pg_sleep(9)", "SELECT * FROM ROWS FROM (pg_sleep(9))",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity", "SELECT pg_cancel_backend(1)", "SELECT pg_reload_conf()", "SELECT pg_notify('a', 'b')",
    "SELECT set_config('statement_timeout', '0', false)", "SELECT set_config('role', 'test', false)", "SELECT set_config('transaction_read_only', 'off', true)",
    "SELECT nextval('x')", "SELECT setval('x', 1)", "SELECT lo_create(1)", "SELECT lo_import('/etc/passwd')", "SELECT lo_get(1)", "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_read_file('/etc/passwd')", "SELECT pg_read_binary_file('PG_VERSION')", "SELECT pg_ls_dir('.')", "SELECT pg_stat_file('PG_VERSION')",
    "SELECT * FROM pg_ls_logdir()", "SELECT pg_rotate_logfile()", "SELECT pg_switch_wal()", "SELECT pg_create_restore_point('x')", "SELECT pg_stat_reset()",
    "SELECT pg_export_snapshot()", "SELECT query_to_xml('select pg_advi' || 'sory_lock(1)', true, true, '')", "SELECT cursor_to_xml('x', 1, true, true, '')",
    "SELECT query_to_xmlschema('x', true, true, '')", "SELECT ts_stat('select pg_slee' || 'p(9)')", "SELECT ts_rewrite('a'::tsquery, 'select 1, 2')",
    "SELECT pg_logical_emit_message(false, 'a', 'b')", "SELECT pg_create_physical_replication_slot('x')", "SELECT pg_promote()", "SELECT pg_backup_start('x')",
    "SELECT txid_current()", "SELECT pg_current_xact_id()", "SELECT dblink('', 'select 1')", "SELECT dblink_exec('', 'delete from scores')",
    "SELECT refuse_change()", "SELECT * FROM (VALUES (pg_sleep(9))) v", "SELECT 1 ORDER BY pg_sleep(9)", "SELECT CASE WHEN true THEN pg_sleep(9) END",
)  # fmt: skip
OVER_LIMIT = (
    "SELECT count(*) FROM generate_series(1, 100000000000)", "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
    "SELECT repeat('x', 20000000)", "SELECT repeat('x', 2000000000)", "SELECT repeat('x', 900000) FROM generate_series(1, 1000)",
    "SELECT * FROM generate_series(1, 1000000)", "SELECT count(*) FROM bar a, bar b, bar c, bar d, bar e, bar f, bar g, bar h, bar i, bar j, bar k",
    "SELECT array_fill(1, ARRAY[10000000])", "SELECT lpad('x', 100000000, 'y')",
)  # fmt: skip
# What the login that owns a server may read, and one that may only read may not.
SECRET = (
    "SELECT * FROM pg_authid",
    "SELECT rolpassword FROM pg_authid",
    "SELECT * FROM pg_user_mapping",
    "SELECT * FROM pg_largeobject",
)
REFUSED = (*NO_SELECT, *NO_READING, *FUNCTIONS)
