"""Decide on held bars: release them into the store, or refuse them for good. Each function returns a line for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine

from jobs import clock
from jobs.errors import UsageError
from jobs.exchanges.symbols import parse_symbol
from jobs.prices.checks import HELD, NOTED, REFUSED
from jobs.prices.ingest import bars_of
from jobs.prices.tickers import stored_ticker
from jobs.workspace.home import Home
from storage import bar_files, queries, writes
from storage.bars import merge_bars


def release(home: Home, engine: Engine, symbol: str, session: date | None) -> str:
    """Store a ticker's held bars, or one of them, as the source gave them. Raises UsageError where nothing is held."""
    symbol, now = parse_symbol(symbol), clock.now()
    with engine.begin() as connection:
        ticker, rows = _held(connection, symbol, session)
        rows = [row for row in rows if row["close"] is not None]
        if not rows:
            raise UsageError(
                f"{symbol}: what is held is the whole scale of its prices, not single bars; state the split in "
                "source.splits, or store the new prices under another symbol"
            )
        current = queries.current_file(connection, ticker.id)
        if current is None:
            raise UsageError(f"{symbol}: no bar is stored yet; nothing was released")
        history = bar_files.read_bars(home.prices, current.path, current.sha256)
        merge = merge_bars(history, history.listing, bars_of(rows), recorded_at=now, source=ticker.source)
        file = bar_files.write_bars(home.prices, merge.history)
        writes.record_price_file(connection, ticker.id, file, merge.restated, price_basis=history.listing.price_basis, at=now)
        days = [row["session"] for row in rows]
        writes.decide_verdicts(connection, ticker.id, days, state=NOTED, at=now)
        _end_hold(connection, ticker)
    return f"{symbol}: {len(days)} held bars are stored, {days[0]} to {days[-1]}; the next run forecasts from them"


def refuse(engine: Engine, symbol: str, session: date | None) -> str:
    """Refuse a ticker's held bars, or one of them, for as long as the source gives them alike."""
    symbol = parse_symbol(symbol)
    with engine.begin() as connection:
        ticker, rows = _held(connection, symbol, session)
        days = sorted({row["session"] for row in rows})
        writes.decide_verdicts(connection, ticker.id, days, state=REFUSED, at=clock.now())
        _end_hold(connection, ticker)
    return f"{symbol}: {len(days)} held bars are refused, {days[0]} to {days[-1]}; another bar of the session may still come"


def _held(connection: Connection, symbol: str, session: date | None) -> tuple[queries.TickerRow, Sequence[dict[str, Any]]]:
    ticker = stored_ticker(connection, symbol)
    rows = [row for row in queries.verdicts(connection, ticker.id, HELD) if session in (None, row["session"])]
    if not rows:
        which = f"of {session} " if session else ""
        raise UsageError(f"{symbol}: no bar {which}is held; `tickercast status` counts them, view `gate` lists them")
    return ticker, rows


def _end_hold(connection: Connection, ticker: queries.TickerRow) -> None:
    if ticker.status == "held" and not queries.verdicts(connection, ticker.id, HELD):
        writes.update_ticker(connection, ticker.id, status="active")
