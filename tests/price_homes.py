"""Homes whose prices come from a loopback server, and how tests read what is stored in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from tests.loopback_yahoo import LoopbackYahoo
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries
from tickercast.storage.bar_files import read_bars
from tickercast.storage.bars import VALUE_FIELDS, BarHistory, Bars, as_known, log_returns
from tickercast.storage.database import Engine, open_writer, reading

FAST = "[training]\ncold_epochs = 1\nwarm_epochs = 0\n[model]\nhistory_sessions = 140\n"


@dataclass
class PriceHome:
    """A home whose prices come from a loopback server."""

    home: Home
    engine: Engine
    server: LoopbackYahoo

    def run(self, day: date, hour: int = 23) -> str:
        """Do a daily run at an hour (UTC) of a day, and return its closing line."""
        return run_once(self.home, self.engine, now=datetime.combine(day, time(hour), UTC), workers=1)

    def serve_and_run(self, day: date) -> str:
        """Let the server have bars up to a day, do a daily run at its end, and return the closing line."""
        self.server.today = day
        return self.run(day)

    def run_days(self, days: Sequence[date]) -> None:
        """Do a daily run at the end of each day, with bars up to that day."""
        for day in days:
            self.serve_and_run(day)

    def history(self, symbol: str) -> BarHistory:
        """Return a ticker's stored history."""
        return stored_history(self.home, symbol)

    def bars(self, symbol: str) -> Bars:
        """Return the newest record of each of a ticker's stored bars."""
        return as_known(self.history(symbol))

    def last_bar(self, symbol: str) -> date:
        """Return the session of a ticker's newest stored bar."""
        last: date = self.bars(symbol).session[-1].item()
        return last

    def rows(self, view: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return some columns of a view's rows."""
        return view_rows(self.home, view, *columns)

    def status(self, symbol: str) -> str:
        """Return a ticker's status."""
        return str(dict(self.rows("freshness", "ticker", "status"))[symbol])


def stored_history(home: Home, symbol: str) -> BarHistory:
    """Return a ticker's stored history."""
    with reading(home.database) as connection:
        ticker = queries.ticker_by_symbol(connection, symbol)
        assert ticker is not None
        file = queries.current_file(connection, ticker.id)
    assert file is not None
    return read_bars(home.prices, file.path, file.sha256)


def view_rows(home: Home, view: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return some columns of a view's rows."""
    with reading(home.database) as connection:
        answer = queries.read_view(connection, view)
    indices = [answer.columns.index(column) for column in columns]
    return [tuple(row[i] for i in indices) for row in answer.rows]


@contextmanager
def price_homes(make_home: Callable[[str, str], Home], server: LoopbackYahoo) -> Iterator[Callable[..., PriceHome]]:
    """Yield a function (*tracked, name, settings) that makes a home with prices from the server."""
    engines: list[Engine] = []

    def make(*tickers: str, name: str = "home", settings: str = "") -> PriceHome:
        yahoo = f'[yahoo]\nbase_url = "{server.url}"\nrequests_per_second = 1000\ntimeout_seconds = 5\n'
        home = make_home(name, FAST + yahoo + settings)
        engines.append(open_writer(home.database))
        track(home, engines[-1], tickers)
        return PriceHome(home, engines[-1], server)

    yield make
    for engine in engines:
        engine.dispose()


def current_path(home: PriceHome, symbol: str) -> Path:
    """Return a ticker's current price file."""
    with home.engine.connect() as connection:
        ticker = queries.ticker_by_symbol(connection, symbol)
        assert ticker is not None
        file = queries.current_file(connection, ticker.id)
    assert file is not None
    return home.home.prices / file.path


def copied(home: PriceHome, symbol: str) -> list[tuple[object, ...]]:
    """Return the rows of view `bar` of a ticker: session, values and return."""
    rows = home.rows("bar", "ticker", "session", *VALUE_FIELDS, "adjusted_return")
    return [row[1:] for row in rows if row[0] == symbol]


def as_rows(bars: Bars) -> list[tuple[object, ...]]:
    """Return what view `bar` should have of some bars."""
    returns = [None if value != value else value for value in log_returns(bars, "close").tolist()]
    days = [str(day) for day in bars.session.tolist()]
    return list(zip(days, *(getattr(bars, name).tolist() for name in VALUE_FIELDS), returns, strict=True))
