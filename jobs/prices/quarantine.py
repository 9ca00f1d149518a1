"""Decisions on quarantined bars: release stores them, refuse dismisses them. Each function returns a line to print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from jobs import clock
from jobs.errors import UsageError
from jobs.exchanges.symbols import parse_symbol
from jobs.prices.tickers import stored_ticker
from jobs.prices.verdicts import NOTED, QUARANTINED, REFUSED, bars_of_verdicts
from jobs.terminal.text import counted
from jobs.workspace.home import Home
from storage import bar_files, queries, writes
from storage.bars import merge_bars
from storage.database import Connection, Engine


def release(home: Home, engine: Engine, symbol: str, session: date | None) -> str:
    """Store a ticker's quarantined bars, or those of one session, as the source delivered them, and return what was done.

    Raises UsageError where there is no such bar, UnknownStoredTicker for a ticker that is not stored.
    """
    symbol, now = parse_symbol(symbol), clock.now()
    with engine.begin() as connection:
        ticker, rows = _quarantined(connection, symbol, session)
        rows = [row for row in rows if row["close"] is not None]
        if not rows:
            raise UsageError(
                f"{symbol}: all newer prices are on another scale, so no single bar can be released; state the split in "
                "source.splits, or store the new prices under another symbol"
            )
        current = queries.current_file(connection, ticker.id)
        if current is None:
            raise UsageError(f"{symbol}: no bar is stored yet; nothing was released")
        history = bar_files.read_bars(home.prices, current.path, current.sha256)
        merge = merge_bars(history, history.listing, bars_of_verdicts(rows), recorded_at=now, source=ticker.source)
        file = bar_files.write_bars(home.prices, merge.history)
        writes.record_price_file(connection, ticker.id, file, merge.restated, price_basis=history.listing.price_basis, at=now)
        days = _sessions(rows)
        writes.decide_verdicts(connection, ticker.id, days, state=NOTED, at=now)
        _end_quarantine(connection, ticker)
    return f"{symbol}: {_shown(days)} stored; the next run forecasts with the new history"


def refuse(engine: Engine, symbol: str, session: date | None) -> str:
    """Refuse a ticker's quarantined bars, or those of one session, and return what was done.

    They stay refused as long as the source delivers the same values. Raises UsageError where there is no such bar,
    UnknownStoredTicker for a ticker that is not stored.
    """
    symbol = parse_symbol(symbol)
    with engine.begin() as connection:
        ticker, rows = _quarantined(connection, symbol, session)
        days = _sessions(rows)
        writes.decide_verdicts(connection, ticker.id, days, state=REFUSED, at=clock.now())
        _end_quarantine(connection, ticker)
    return f"{symbol}: {_shown(days)} refused; bars with other values can still be stored"


def _quarantined(connection: Connection, symbol: str, session: date | None) -> tuple[queries.TickerRow, Sequence[dict[str, Any]]]:
    ticker = stored_ticker(connection, symbol)
    rows = [row for row in queries.verdicts(connection, ticker.id, QUARANTINED) if session in (None, row["session"])]
    if not rows:
        which = f"of {session} " if session else ""
        raise UsageError(
            f"{symbol}: no bar {which}is quarantined; `tickercast status` counts quarantined bars, view `gate` lists them"
        )
    return ticker, rows


def _end_quarantine(connection: Connection, ticker: queries.TickerRow) -> None:
    """Make a ticker active again once none of its bars is in quarantine."""
    if ticker.status == "held" and not queries.verdicts(connection, ticker.id, QUARANTINED):
        writes.update_ticker(connection, ticker.id, status="active")


def _sessions(rows: Sequence[dict[str, Any]]) -> list[date]:
    return sorted({row["session"] for row in rows})


def _shown(days: Sequence[date]) -> str:
    """Return a sentence's subject: the number of bars and their sessions. A session has one bar."""
    bars = counted(len(days), "quarantined bar")
    return f"{bars} of {days[0]} is" if len(days) == 1 else f"{bars}, {days[0]} to {days[-1]}, are"
