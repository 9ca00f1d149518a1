"""Mend a ticker's price file: rebuild it from what can be proven, and compare it with its source.

Proven are the files that came before it, by their sha256, and the copy of the newest record of each bar in SQL. A bar keeps its
recorded_at, so what was known at an instant stays as far as it can be proven.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tickercast.jobs import clock
from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.symbols import parse_symbol
from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.prices.ingest import Ingest
from tickercast.jobs.prices.judging import JudgedFetch
from tickercast.jobs.prices.sources.base import SourceError
from tickercast.jobs.prices.stored_prices import StoredPrices, read_stored_prices
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.home import Home
from tickercast.storage import bar_files, queries, writes
from tickercast.storage.bars import VALUE_FIELDS, BarHistory, Bars, Listing, Merge, as_known, concatenate_bars, make_bars
from tickercast.storage.database import Engine
from tickercast.storage.errors import Corrupt
from tickercast.storage.price_registry import register_database
from tickercast.storage.price_store import PriceAddress

NEXT = "; next: `tickercast run`, unless a daemon runs, which looks at it within a minute"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A history made of proven records. is_whole: its bytes are those of the damaged file."""

    history: BarHistory
    is_whole: bool


def repair(home: Home, engine: Engine, symbol: str) -> str:
    """Mend the price file of a ticker, and return what was found and done.

    Raises UnknownStoredTicker, UsageError for a ticker without bars, and SourceError where nothing is left to rebuild the file
    from and the source gives nothing either.
    """
    symbol = parse_symbol(symbol)
    stored = read_stored_prices(engine, home.prices, symbol)
    ticker = stored.ticker
    if ticker is None or stored.file is None:
        raise UsageError(f"{symbol}: no bar is stored, so there is nothing to repair")
    if stored.history is not None:
        return _mend_copy(engine, ticker, stored.history)
    register_database(home.prices, home.database)
    now = clock.now()
    rebuilt = _rebuild(engine, home.prices, ticker, stored.file)
    ingest = Ingest(engine, home.prices, Sources(home), now, home.settings.schedule.after_close_minutes, None)
    if rebuilt is not None:
        stored = replace(stored, history=rebuilt.history)
    judged, error = _fetched_again(ingest, stored)
    ingest.record.write(stored, judged, *ingest.sources.kept_binding(ticker))
    told = _told(stored, rebuilt, judged, error)
    with engine.begin() as connection:
        writes.record_event(connection, "repair", told, at=now, ticker_id=ticker.id)
    return f"{symbol}: {told}{NEXT if ticker.tracked else ''}"


def _mend_copy(engine: Engine, ticker: queries.TickerRow, history: BarHistory) -> str:
    """Make the copy of a sound file's bars in SQL equal to it, and return what was done."""
    with engine.begin() as connection:
        written = writes.copy_bars(connection, ticker.id, as_known(history))
    if written:
        return f"{ticker.symbol}: its price file is sound; {counted(written, 'row')} of the copy in SQL differed and are mended"
    return f"{ticker.symbol}: its price file is sound and equal to its copy in SQL; nothing was changed"


def _rebuild(engine: Engine, prices: PriceAddress, ticker: queries.TickerRow, damaged: queries.CurrentFile) -> Rebuilt | None:
    """Return the history that older files and the copy in SQL prove, None where there is neither."""
    with engine.connect() as connection:
        older = queries.superseded_files(connection, ticker.id)
        copies = queries.copied_bars(connection, ticker.id)
        names = (ticker.key, ticker.symbol, *queries.older_symbols(connection, ticker.id))
    histories = [history for file in older if (history := _readable(prices, file)) is not None][:1]
    parts = [history.bars for history in histories]
    if copies:
        parts.append(_bars_of_copies(copies, ticker.source))
    if not parts:
        return None
    basis = ticker.price_basis or ""
    stated = Listing(ticker.key, ticker.currency, ticker.exchange, ticker.time_zone, basis)
    history = BarHistory(histories[0].listing if histories else stated, _each_record_once(concatenate_bars(parts)))
    whole = (BarHistory(replace(history.listing, ticker=name), history.bars) for name in names)
    same = next((made for made in whole if bar_files.sha256_of_history(made) == damaged.sha256), None)
    return Rebuilt(same or history, same is not None)


def _readable(prices: PriceAddress, file: queries.CurrentFile) -> BarHistory | None:
    try:
        return bar_files.read_bars(prices, file.path, file.sha256)
    except Corrupt:
        return None


def _bars_of_copies(rows: list[dict[str, Any]], source: str) -> Bars:
    """Return the rows of table `bars` as bars."""
    bars = make_bars(
        np.array([row["session"] for row in rows], dtype="datetime64[D]"),
        {name: [row[name] for row in rows] for name in VALUE_FIELDS},
    )
    stamps = np.array([row["recorded_at"].replace(tzinfo=None) for row in rows], dtype="datetime64[us]")
    volume = np.array([row["volume"] for row in rows], np.int64)
    return replace(bars, volume=volume, recorded_at=stamps, source=np.full(len(rows), source))


def _each_record_once(bars: Bars) -> Bars:
    """Return the rows sorted by session and recorded_at, each record once."""
    bars = bars.select(np.lexsort((bars.recorded_at, bars.session)))
    repeated = np.zeros(len(bars), dtype=np.bool_)
    repeated[1:] = (bars.session[1:] == bars.session[:-1]) & (bars.recorded_at[1:] == bars.recorded_at[:-1])
    return bars.select(~repeated)


def _fetched_again(ingest: Ingest, stored: StoredPrices) -> tuple[JudgedFetch, SourceError | None]:
    """Return the rebuilt history with what the source gives now, or alone and the error of the source."""
    try:
        return ingest.fetcher.fetch_whole(stored), None
    except SourceError as error:
        if stored.history is None:
            raise
        return JudgedFetch(Merge(stored.history, 0, ()), [], []), error


def _told(stored: StoredPrices, rebuilt: Rebuilt | None, judged: JudgedFetch, error: SourceError | None) -> str:
    """Return what was rebuilt from where, and how it compares with the source."""
    total = len(as_known(judged.merge.history))
    if rebuilt is None or stored.bars is None:
        return f"nothing of its damaged price file could be proven; {counted(total, 'bar')} fetched again, recorded now"
    proof = "byte for byte" if rebuilt.is_whole else "from its copy in SQL, without the earlier records of restated bars"
    if error is not None:
        return f"its price file was rebuilt {proof}, {counted(total, 'bar')}, and could not be compared with its source ({error})"
    before = len(stored.bars)
    restated = len({value.session for value in judged.merge.restated})
    same = judged.confirmed - restated
    missing = before - judged.confirmed
    parts = [f"its price file was rebuilt {proof}: {same:,} of {before:,} bars are unchanged at the source"]
    parts += [f"{restated} restated"] if restated else []
    parts += [f"{missing} stay that it no longer gives"] if missing else []
    parts += [f"{judged.merge.added} new"] if judged.merge.added else []
    return ", ".join(parts)
