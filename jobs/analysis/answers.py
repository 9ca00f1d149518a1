"""Questions to the record: everything here opens it read-only. Called by the CLI's reading commands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jobs.errors import UsageError
from jobs.exchanges.symbols import parse_symbol
from jobs.workspace.home import Home
from storage import queries, sql_guard, verify
from storage.bar_files import read_bars
from storage.bars import Bars, adjusted, as_known
from storage.database import Connection, check_revision, reading
from storage.errors import Corrupt, UnknownStoredTicker
from storage.views import VIEWS

Answer = tuple[Sequence[str], Sequence[Sequence[Any]]]
BAR_COLUMNS = ("session", "open", "high", "low", "close", "volume", "dividend", "split", "recorded_at", "source")


def view_rows(home: Home, view: str, tickers: Sequence[str] | None) -> Answer:
    """Return a public view's rows of some tickers, or of all. Raises UnknownStoredTicker for a ticker not stored."""
    wanted = [ticker if ticker == "*" else parse_symbol(ticker) for ticker in tickers or []]
    with reading(home.database) as connection:
        for symbol in wanted:
            if symbol != "*":
                _stored(connection, symbol)
        rows = queries.read_view(connection, view, wanted)
    return rows.columns, rows.rows


def query_text(query: str | None, file: Path | None, *, list_views: bool) -> str:
    """Return the query of a command line. Raises UsageError unless exactly one is given."""
    if sum((query is not None, file is not None, list_views)) != 1:
        raise UsageError("give one of: a query, --file QUERY.sql, --list")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file}: cannot be read: {error}") from error
    return query or ""


def answer(home: Home, query: str, *, seconds: float) -> Answer:
    """Return the answer to one reading SQL statement."""
    check_revision(home.database)
    rows = sql_guard.run_select(home.database, query, seconds=seconds)
    return rows.columns, rows.rows


def view_list() -> Answer:
    """Return the public views with their columns and meanings."""
    return ("view", "column", "meaning"), [(v.name, c.name, c.meaning) for v in VIEWS for c in v.columns]


def stored_bars(home: Home, ticker: str, *, known_at: datetime | None, adjusted_prices: bool) -> Answer:
    """Return a ticker's bars, as known at an instant, as traded or adjusted for splits and dividends."""
    bars = _bars(home, parse_symbol(ticker), known_at)
    bars = adjusted(bars) if adjusted_prices else bars
    columns = [getattr(bars, name).tolist() for name in BAR_COLUMNS]
    columns[0] = [day.isoformat() for day in columns[0]]
    columns[8] = [f"{instant.isoformat(timespec='microseconds')}Z" for instant in columns[8]]
    return BAR_COLUMNS, list(zip(*columns, strict=True))


def write_pages(home: Home, out: Path, tickers: Sequence[str] | None) -> Path:
    """Write the report's pages and return its index."""
    from jobs.analysis.report.report import write_report

    with reading(home.database) as connection:
        symbols = [_stored(connection, parse_symbol(t)).symbol for t in tickers or []]
        return write_report(connection, out, symbols or None, lambda symbol: adjusted(_bars(home, symbol, None)))


def record_hash(home: Home) -> str:
    """Return the hash of the record's content."""
    with reading(home.database) as connection:
        return verify.content_hash(connection)


def check_record(home: Home, *, deep: bool) -> str:
    """Return a closing line when all is well. Raises Corrupt with what is not."""
    with reading(home.database) as connection:
        problems = verify.find_problems(connection, home.prices)
        if deep:
            problems += verify.find_deep_problems(connection, home.prices)
    if problems:
        more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise Corrupt(f"{problems[0]}{more}; restore from a backup, or backfill into a new home")
    return "the record is sound: database, references, price files, checkpoints, no look-ahead"


def _bars(home: Home, symbol: str, known_at: datetime | None) -> Bars:
    with reading(home.database) as connection:
        file = queries.current_file(connection, _stored(connection, symbol).id)
    if file is None:
        raise UnknownStoredTicker(f"{symbol}: no bars are stored yet; `tickercast run` or `backfill` fetches them")
    return as_known(read_bars(home.prices, file.path, file.sha256), known_at)


def _stored(connection: Connection, symbol: str) -> queries.TickerRow:
    ticker = queries.ticker_by_symbol(connection, symbol)
    if ticker is None:
        raise UnknownStoredTicker(f"{symbol}: nothing is stored for it; `tickercast tickers` lists what is")
    return ticker
