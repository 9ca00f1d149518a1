"""A simulated market: prices of some tickers over years, in a folder of files that grow as sessions close."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from tickercast.jobs.exchanges.calendars import ExchangeCalendar, exchange_calendar
from tickercast.jobs.exchanges.symbols import exchange_of

HISTORY_SESSIONS = 135  # before the first day
HEADER = "date,open,high,low,close,volume"
DAILY_MOVE = 0.01
LATE_SHARE, LATEST_HOURS = 0.04, 9  # of the bars that come hours after the others


@dataclass(frozen=True, slots=True)
class Appearance:
    """A bar that appears in a ticker's file. session: of which. row: its line."""

    at: datetime
    symbol: str
    session: date
    row: str


def lay_history(folder: Path, symbols: list[str], first: date, seed: str) -> None:
    """Write the files of some tickers as they are before a first day."""
    folder.mkdir()
    for symbol in symbols:
        calendar = exchange_calendar(exchange_of(symbol))
        begin = calendar.session_offset(_session_from(calendar, first), -HISTORY_SESSIONS)
        rows = [row for _, row in _rows(symbol, calendar, begin, first - timedelta(days=1), seed)]
        _file(folder, symbol).write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def appearances(symbols: list[str], first: date, last: date, ends: dict[str, date], seed: str) -> list[Appearance]:
    """Return the bars of a span in the order in which they appear: minutes after the close, now and then hours.

    ends: the last session of tickers that end.
    """
    found = []
    for symbol in symbols:
        calendar = exchange_calendar(exchange_of(symbol))
        delays = random.Random(f"{seed}/delays/{symbol}")
        begin = calendar.session_offset(_session_from(calendar, first), -HISTORY_SESSIONS)
        until = min(last, ends.get(symbol, last))
        shown = calendar.close_at(_session_from(calendar, begin))
        for session, row in _rows(symbol, calendar, begin, until, seed):
            minutes = delays.uniform(1, 40) if delays.random() > LATE_SHARE else delays.uniform(40, 60 * LATEST_HOURS)
            shown = max(shown, calendar.close_at(session) + timedelta(minutes=minutes))
            if session >= first:
                found.append(Appearance(shown, symbol, session, row))
    return sorted(found, key=lambda each: (each.at, each.symbol))


def show(folder: Path, bar: Appearance) -> None:
    """Add a bar to its ticker's file."""
    with _file(folder, bar.symbol).open("a", encoding="utf-8") as file:
        file.write(f"{bar.row}\n")


def _file(folder: Path, symbol: str) -> Path:
    return folder / f"{symbol}.csv"


def _rows(symbol: str, calendar: ExchangeCalendar, first: date, last: date, seed: str) -> Iterator[tuple[date, str]]:
    """Yield a random walk's lines, session by session. The same first session gives the same prices."""
    moves = random.Random(f"{seed}/prices/{symbol}")
    session, close = _session_from(calendar, first), 100.0
    while session <= last:
        opened, close = close, close * (1 + moves.gauss(0, DAILY_MOVE))
        high, low = max(opened, close) * 1.002, min(opened, close) * 0.998
        prices = ",".join(f"{price:.4f}" for price in (opened, high, low, close))
        yield session, f"{session},{prices},{moves.randint(10_000, 20_000)}"
        session = calendar.session_offset(session, 1)


def _session_from(calendar: ExchangeCalendar, day: date) -> date:
    """Return the first session on a day or after it."""
    while not calendar.is_session(day):
        day += timedelta(days=1)
    return day
