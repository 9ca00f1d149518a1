"""The processes that answer many small queries: they only read, keep their time, and follow the file of the database."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tickercast.storage.query_pool import Answer, QueryPool, QueryTimedOut

pytestmark = pytest.mark.slow

# Calls of a function that take minutes in all, between which SQLite does not look at a clock.
LONG_CALL = "instr(printf('%.*c', 990000, 'a'), printf('%.*c', 490000, 'a') || 'b')"
DEAF = f"SELECT {' + '.join([LONG_CALL] * 200)}"


def make_database(path: Path, value: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE x (y)")
        connection.executemany("INSERT INTO x VALUES (?)", [(value,)] * 3)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[QueryPool]:
    make_database(tmp_path / "x.db", "first")
    pool = QueryPool(tmp_path / "x.db", processes=1)
    yield pool
    pool.close()


def test_rows_beyond_the_most_are_left_out_and_told(pool: QueryPool) -> None:
    assert pool.select("SELECT y FROM x", {}, seconds=1, most=2) == Answer(("y",), [("first",)] * 2, is_cut=True)


def test_values_are_bound(pool: QueryPool) -> None:
    assert pool.select("SELECT :a AS b", {"a": "'; DROP TABLE x"}, seconds=1, most=1).rows == [("'; DROP TABLE x",)]


@pytest.mark.parametrize("query", ["DELETE FROM x", "ATTACH 'y' AS z", "PRAGMA user_version", "SELECT load_extension('x')"])
def test_only_reading_is_allowed(pool: QueryPool, query: str) -> None:
    with pytest.raises(sqlite3.OperationalError, match="not authorized"):
        pool.select(query, {}, seconds=1, most=1)


def test_a_query_that_heeds_no_clock_is_killed_and_the_next_one_answered(pool: QueryPool) -> None:
    began = time.monotonic()
    with pytest.raises(QueryTimedOut):
        pool.select(DEAF, {}, seconds=0.1, most=1)
    assert time.monotonic() - began < 10
    assert pool.select("SELECT count(*) FROM x", {}, seconds=1, most=1).rows == [(3,)]


def test_another_file_in_the_place_of_the_database_is_read(pool: QueryPool) -> None:
    assert pool.select("SELECT y FROM x", {}, seconds=1, most=1).rows == [("first",)]
    make_database(pool.database.with_name("new"), "second")
    pool.database.with_name("new").rename(pool.database)
    assert pool.select("SELECT y FROM x", {}, seconds=1, most=1).rows == [("second",)]
