"""A statement takes more values than a database has marks for: the tickers of a large record, each of them named."""

from __future__ import annotations

import sqlite3

import pytest

from tests.builders import IBM, MSFT, SESSIONS, Record
from tests.postgres_records import copied_record
from tests.postgres_server import PostgresCluster
from tickercast.storage import queries
from tickercast.storage.address import Database
from tickercast.storage.database import reading
from tickercast.storage.many_values import marks_of
from tickercast.storage.reader import select_rows, snapshot, view_named, view_query
from tickercast.storage.returns import newest_returns

MANY = 70_000
NAMES = ["IBM", "MSFT", *(f"T{i}" for i in range(MANY))]
EXPECTED = [["IBM", "MSFT"], ["IBM", "MSFT"], ["IBM", "MSFT"], [IBM, MSFT]]
FRESHNESS = view_named("freshness")


def limit(connection: object) -> None:
    """Let a connection of SQLite take as many values as SQLite does by default; some builds take more."""
    if isinstance(connection, sqlite3.Connection):
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)


def found_among_many(database: Database) -> list[object]:
    """Return what is found of two tickers among many that are not stored."""
    last = str(SESSIONS[-1])
    with snapshot(database) as connection:
        limit(connection)
        rows = select_rows(connection, view_query(FRESHNESS, NAMES), marks_of(NAMES)[1])
        returns = newest_returns(connection, [(name, last) for name in NAMES], 2)
    with reading(database) as connection:
        limit(connection.connection.driver_connection)
        tickers = queries.tickers_by_symbol(connection, NAMES)
        files = queries.current_files(connection, [IBM, MSFT, *range(1000, 1000 + MANY)])
    return [[row["ticker"] for row in rows.records()], sorted(returns), sorted(tickers), sorted(files)]


def test_few_names_have_a_mark_each() -> None:
    assert marks_of(["IBM", "MSFT"]) == ("?, ?", ["IBM", "MSFT"])


def test_tickers_are_found_among_seventy_thousand(sound_record: Record) -> None:
    assert found_among_many(sound_record.database) == EXPECTED


@pytest.mark.slow
def test_tickers_are_found_among_seventy_thousand_on_a_server(sound_record: Record, postgres: PostgresCluster) -> None:
    assert found_among_many(copied_record(sound_record.database, postgres)) == EXPECTED
