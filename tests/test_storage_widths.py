"""The usual width of a ticker is the median of its year, whichever way the rows are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta

import pytest

from tickercast.storage import widths
from tickercast.storage.widths import usual_widths

SESSIONS = [(date(2024, 1, 1) + timedelta(days=i)).isoformat() for i in range(300)]
TABLES = """CREATE TABLE tickers (id, symbol, exchange); CREATE TABLE sessions (exchange, session);
CREATE TABLE origins (id, ticker_id, config_id, origin, last_price); CREATE TABLE forecasts (origin_id, horizon, q05, q95);"""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """Yield a database of two tickers: A has forecasts from every session, B from the last 20, both under two configs.

    A's width at session i is i percent of its last price 50, B's always 7 percent.
    """
    with closing(sqlite3.connect(":memory:")) as found:
        found.executescript(TABLES)
        found.executemany("INSERT INTO tickers VALUES (?, ?, 'XNYS')", [(1, "A"), (2, "B")])
        found.executemany("INSERT INTO sessions VALUES ('XNYS', ?)", [(session,) for session in SESSIONS])
        rows = [(1, i, float(i)) for i in range(300)] + [(2, i, 7.0) for i in range(280, 300)]
        for ticker, i, width in rows:
            for config, factor in (("new", 1.0), ("old", 3.0)):
                key = f"{ticker} {i} {config}"
                found.execute("INSERT INTO origins VALUES (?, ?, ?, ?, 50.0)", (key, ticker, config, SESSIONS[i]))
                found.execute("INSERT INTO forecasts VALUES (?, 1, 50.0, ?)", (key, 50.0 + factor * width / 2))
        yield found


@pytest.mark.parametrize("many", [1, 100])
def test_the_median_is_of_every_fifth_session_of_the_year(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(widths, "MANY_TICKERS", many)
    newest = [("A", "new", SESSIONS[299], 1), ("B", "new", SESSIONS[299], 1)]
    # Sessions 299, 294, ... 49 are 51 widths, whose middle one is 174. B has four of them, which is too few.
    assert usual_widths(connection, newest) == {("A", 1): pytest.approx(174.0)}


@pytest.mark.parametrize("many", [1, 100])
def test_a_ticker_that_ends_on_another_session_has_another_year(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(widths, "MANY_TICKERS", many)
    found = usual_widths(connection, [("A", "old", SESSIONS[285], 1)])
    assert found == {("A", 1): pytest.approx(3 * 160.0)}  # 285, 280, ... 35; B is not asked for
