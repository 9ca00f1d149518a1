"""The newest origins of a ticker under a config are counted from its newest one back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tickercast.storage.newest_origins import first_of_newest

TABLES = "CREATE TABLE tickers (id, symbol); CREATE TABLE origins (ticker_id, config_id, origin);"
OF_A = ["2024-03-01", "2024-03-04", "2024-03-05"]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """Yield a database in which ticker A has three origins, and later ones under another config, as ticker B has."""
    with closing(sqlite3.connect(":memory:")) as found:
        found.executescript(TABLES)
        found.executemany("INSERT INTO tickers VALUES (?, ?)", [(1, "A"), (2, "B")])
        others = [(1, "other", "2024-03-06"), (2, "c", "2024-03-07")]
        found.executemany("INSERT INTO origins VALUES (?, ?, ?)", [*((1, "c", day) for day in OF_A), *others])
        yield found


@pytest.mark.parametrize(("most", "first"), [(1, "2024-03-05"), (2, "2024-03-04"), (3, "2024-03-01"), (4, "")])
def test_the_first_of_the_newest_is_so_many_back(connection: sqlite3.Connection, most: int, first: str) -> None:
    assert first_of_newest(connection, "A", "c", most) == first


def test_a_ticker_without_origins_has_no_first_one(connection: sqlite3.Connection) -> None:
    assert first_of_newest(connection, "NOPE", "c", 1) == ""
