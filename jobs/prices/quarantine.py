"""Decisions on quarantined and refused bars: release stores them, refuse dismisses them.

Each function returns a line to print. Not here: what was told with a release and later fetches keep (told).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from tickercast.jobs import clock
from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.symbols import parse_symbol
from tickercast.jobs.prices.tickers import stored_ticker
from tickercast.jobs.prices.told import Told, refuse_unlikely, told_row, with_told
from tickercast.jobs.prices.verdicts import NOTED, QUARANTINED, REFUSED, bars_of_verdicts
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.home import Home
from tickercast.storage import bar_files, queries, writes
from tickercast.storage.bars import BarHistory, Bars, as_known, concatenate_bars, merge_bars
from tickercast.storage.database import Connection, Engine

Rows = Sequence[dict[str, Any]]


def release(home: Home, engine: Engine, symbol: str, session: date | None, told: Sequence[Told] = ()) -> str:
    """Store a ticker's quarantined bars, or those of one session, and return what was done.

    Where none is quarantined, refused bars are stored. told: splits and dividends that the source does not report, which the
    bars of their sessions get, now and in later fetches. Raises UsageError where there is no such bar, UnknownStoredTicker
    for a ticker that is not stored.
    """
    symbol, now = parse_symbol(symbol), clock.now()
    with engine.begin() as connection:
        ticker = stored_ticker(connection, symbol)
        history = _stored_history(home, connection, ticker)
        rows = _releasable(connection, ticker, history, session)
        valued = [row for row in rows if row["close"] is not None]
        bars = with_told(_with_stored(bars_of_verdicts(valued), history, told), told)
        _refuse_useless(symbol, session, rows, bars, told)
        if len(bars):
            listing = replace(history.listing, ticker=ticker.key)
            merge = merge_bars(history, listing, bars, recorded_at=now, source=ticker.source)
            refuse_unlikely(symbol, as_known(merge.history), told)
            file = bar_files.write_bars(home.prices, merge.history)
            writes.record_merges(connection, [writes.WrittenMerge(ticker.id, file, merge)], at=now)
        for item in told:
            writes.replace_verdict(connection, ticker.id, told_row(item), at=now)
        decided = _sessions(rows if told else valued)
        for state in (QUARANTINED, REFUSED):
            writes.decide_verdicts(connection, ticker.id, decided, state=NOTED, at=now, before=state)
        _end_quarantine(connection, ticker)
    done = [_stored_line(valued)] if valued else []
    done += [f"{item.shown} is kept" for item in told]
    return f"{symbol}: {', '.join(done)}; the next run forecasts with the new history"


def refuse(engine: Engine, symbol: str, session: date | None) -> str:
    """Refuse a ticker's quarantined bars, or those of one session, and return what was done.

    They stay refused as long as the source delivers the same values, or until they are released. Raises UsageError where
    there is no such bar, UnknownStoredTicker for a ticker that is not stored.
    """
    symbol = parse_symbol(symbol)
    with engine.begin() as connection:
        ticker = stored_ticker(connection, symbol)
        rows = _of_session(queries.verdicts(connection, ticker.id, QUARANTINED), session)
        if not rows:
            raise _nothing_to_decide(symbol, session, "quarantined")
        days = _sessions(rows)
        writes.decide_verdicts(connection, ticker.id, days, state=REFUSED, at=clock.now())
        _end_quarantine(connection, ticker)
    return f"{symbol}: {_shown(days, 'quarantined')} refused; bars with other values can still be stored"


def _stored_history(home: Home, connection: Connection, ticker: queries.TickerRow) -> BarHistory:
    current = queries.current_file(connection, ticker.id)
    if current is None:
        raise UsageError(f"{ticker.symbol}: no bar is stored yet; nothing was released")
    return bar_files.read_bars(home.prices, current.path, current.sha256)


def _releasable(connection: Connection, ticker: queries.TickerRow, history: BarHistory, session: date | None) -> Rows:
    """Return a ticker's quarantined rows, of one session if given; where there is none, its refused ones that have a bar.

    Without a session, refused bars in whose place another one is stored stay refused. Raises UsageError for a session after
    another quarantined one: its bar would carry the return over those before it.
    """
    held = queries.verdicts(connection, ticker.id, QUARANTINED)
    rows = _of_session(held, session)
    earlier = [row["session"] for row in held if session and row["session"] < session and row["close"] is not None]
    if rows and earlier:
        raise UsageError(
            f"{ticker.symbol}: {counted(len(earlier), 'bar')} before {session} from {earlier[0]} on are quarantined too; "
            "release or refuse those first, because the bar would carry their return"
        )
    if rows:
        return rows
    stored = set() if session else set(as_known(history).session.tolist())
    refused = [row for row in queries.verdicts(connection, ticker.id, REFUSED) if row["close"] is not None]
    return [row for row in _of_session(refused, session) if row["session"] not in stored]


def _of_session(rows: Rows, session: date | None) -> Rows:
    return [row for row in rows if session in (None, row["session"])]


def _with_stored(bars: Bars, history: BarHistory, told: Sequence[Told]) -> Bars:
    """Return some bars and, in session order, the stored ones of other sessions for which something was told."""
    known = as_known(history)
    days = np.array([item.session for item in told], dtype="datetime64[D]")
    added = known.select(np.isin(known.session, days) & ~np.isin(known.session, bars.session))
    both = concatenate_bars([bars, added])
    return both.select(np.argsort(both.session))


def _refuse_useless(symbol: str, session: date | None, rows: Rows, bars: Bars, told: Sequence[Told]) -> None:
    """Raise UsageError where there is nothing to store, or something was told of a session without a bar."""
    is_rescaled = any(row["code"] == "rescaled" for row in rows)
    unknown = [item for item in told if not is_rescaled and np.datetime64(item.session) not in bars.session]
    if unknown:
        raise UsageError(
            f"{symbol}: no bar of {unknown[0].session} is quarantined, refused or stored; {unknown[0].shown} has none"
        )
    if len(bars) or told:
        return
    if not is_rescaled:
        raise _nothing_to_decide(symbol, session, "quarantined or refused")
    first = rows[0]
    raise UsageError(
        f"{symbol}: all newer prices are on another scale ({first['message']}), so no single bar can be released; "
        f"if a split was not told, `tickercast release {symbol} --split {first['session']}=NEW:OLD`; "
        "if not, track the new prices under another symbol"
    )


def _nothing_to_decide(symbol: str, session: date | None, states: str) -> UsageError:
    which = f"of {session} " if session else ""
    return UsageError(f"{symbol}: no bar {which}is {states}; view `gate` lists quarantined and refused bars")


def _end_quarantine(connection: Connection, ticker: queries.TickerRow) -> None:
    """Make a ticker active again once none of its bars is in quarantine."""
    if ticker.status == "held" and not queries.verdicts(connection, ticker.id, QUARANTINED):
        writes.update_ticker(connection, ticker.id, status="active")


def _sessions(rows: Rows) -> list[date]:
    return sorted({row["session"] for row in rows})


def _stored_line(rows: Rows) -> str:
    kind = "quarantined" if rows[0]["state"] == QUARANTINED else "refused"
    return f"{_shown(_sessions(rows), kind)} stored"


def _shown(days: Sequence[date], kind: str) -> str:
    """Return a sentence's subject: the number of bars and their sessions. A session has one bar."""
    bars = counted(len(days), f"{kind} bar")
    return f"{bars} of {days[0]} is" if len(days) == 1 else f"{bars}, {days[0]} to {days[-1]}, are"
