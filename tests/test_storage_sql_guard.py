"""A user's SQL reads and does nothing else, for no longer than allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.database import upgrade_database
from storage.errors import QueryOverLimit, QueryRefused
from storage.sql_guard import run_select

HOSTILE = (
    "DELETE FROM forecasts",
    "INSERT INTO events (at, kind, message) VALUES ('a', 'b', 'c')",
    "UPDATE tickers SET symbol = 'X'",
    "DROP TABLE forecasts",
    "CREATE TABLE x (a)",
    "CREATE TEMP TABLE x (a)",
    "ATTACH 'new.db' AS n",
    "ATTACH 'file:a.db?mode=rw' AS n",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "PRAGMA query_only = OFF",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = ON",
    "BEGIN IMMEDIATE",
    "SAVEPOINT a",
    "REINDEX",
    "ANALYZE",
    "SELECT load_extension('x')",
    "SELECT 1; DELETE FROM forecasts",
    "EXPLAIN DELETE FROM forecasts",
    "SELECT writefile('x', 'y')",
    "SELECT zeroblob(1000000000)",
    "not SQL at all",
    "",
)
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "SELECT count(*) FROM sqlite_master a, sqlite_master b, sqlite_master c, sqlite_master d, sqlite_master e, "
    "sqlite_master f, sqlite_master g",
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    upgrade_database(tmp_path / "a.db")
    return tmp_path / "a.db"


@pytest.mark.parametrize("query", HOSTILE)
def test_a_statement_that_would_do_more_than_read_is_refused(database: Path, query: str) -> None:
    before = database.read_bytes()
    with pytest.raises(QueryRefused):
        run_select(database, query, seconds=1)
    # A reader of a WAL database may make the two files beside it, and nothing else.
    others = {p.name for p in database.parent.iterdir()} - {"a.db", "a.db-wal", "a.db-shm"}
    assert (database.read_bytes() == before, others) == (True, set())


@pytest.mark.parametrize("query", ENDLESS)
def test_an_endless_query_is_stopped(database: Path, query: str) -> None:
    with pytest.raises(QueryOverLimit, match="longer than"):
        run_select(database, query, seconds=0.2)


def test_too_many_rows_are_refused(database: Path) -> None:
    query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50) SELECT i FROM n"
    assert len(run_select(database, query, seconds=1).rows) == 50
    with pytest.raises(QueryOverLimit, match="more than 10 rows"):
        run_select(database, query, seconds=1, most_rows=10)


def test_a_reading_query_is_answered_with_its_columns(database: Path) -> None:
    answer = run_select(database, "SELECT 1 AS one, 'a' AS letter WHERE 0", seconds=1)
    assert (answer.columns, answer.rows) == (("one", "letter"), [])
