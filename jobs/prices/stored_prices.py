"""What is stored of tickers before a fetch: rows, verdicts and what was told of many at once, the bars of one from its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from tickercast.jobs.prices.told import Told, told_actions
from tickercast.jobs.prices.verdicts import QUARANTINED, REFUSED, bars_of_verdicts
from tickercast.storage import bar_files, queries
from tickercast.storage.bars import BarHistory, Bars, as_known
from tickercast.storage.database import Engine
from tickercast.storage.errors import Corrupt
from tickercast.storage.price_store import PriceAddress, read_ahead


@dataclass(frozen=True, slots=True)
class StoredPrices:
    """What is stored of a ticker before a fetch.

    quarantined_from: the first quarantined session. dismissed: bars that were refused. judged: sessions with a verdict.
    older_names: symbols that were the ticker's and are nobody's now, newest first. key: of the ticker, stored or to be stored.
    told: splits and dividends that the source does not report and somebody told. damage: why the file cannot be read.
    """

    symbol: str
    ticker: queries.TickerRow | None = None
    file: queries.CurrentFile | None = None
    history: BarHistory | None = None
    quarantined_from: date | None = None
    dismissed: Bars | None = None
    judged: frozenset[date] = frozenset()
    older_names: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()
    key: str = ""
    damage: Corrupt | None = None

    @property
    def bars(self) -> Bars | None:
        """Return the newest record of each stored session, None before the first."""
        return as_known(self.history) if self.history else None


def read_stored_prices(engine: Engine, prices: PriceAddress, symbol: str) -> StoredPrices:
    """Return what is stored of a ticker, with its bars. prices: the folder of the price files. A damaged file is stated."""
    [stored] = look_up(engine, [symbol])
    return with_history(stored, prices)


def look_up(engine: Engine, symbols: Sequence[str]) -> list[StoredPrices]:
    """Return what is stored of some tickers, without their bars."""
    with engine.connect() as connection:
        tickers = queries.tickers_by_symbol(connection, symbols)
        ids = [ticker.id for ticker in tickers.values()]
        files, verdicts = queries.current_files(connection, ids), queries.all_verdicts(connection, ids)
        older = queries.all_older_symbols(connection, ids)
        keys = {symbol: queries.free_key(connection, symbol) for symbol in symbols if symbol not in tickers}
    found = []
    for symbol in symbols:
        ticker = tickers.get(symbol)
        if ticker is None:
            found.append(StoredPrices(symbol, key=keys[symbol]))
            continue
        names = tuple(older.get(ticker.id, ()))
        found.append(_stored(symbol, ticker, files.get(ticker.id), verdicts.get(ticker.id, []), names))
    return found


def with_files_coming(stored: Sequence[StoredPrices], prices: PriceAddress) -> Iterator[StoredPrices]:
    """Yield the same tickers, while the files of the next ones are read."""
    return read_ahead(prices, stored, lambda one: one.file.path if one.file else "")


def with_history(stored: StoredPrices, prices: PriceAddress) -> StoredPrices:
    """Return the same with the stored bars, or with why their file cannot be read."""
    if stored.file is None:
        return stored
    try:
        return replace(stored, history=bar_files.read_bars(prices, stored.file.path, stored.file.sha256))
    except Corrupt as error:
        return replace(stored, damage=error)


def _stored(
    symbol: str,
    ticker: queries.TickerRow,
    file: queries.CurrentFile | None,
    verdicts: Sequence[dict[str, Any]],
    older_names: tuple[str, ...],
) -> StoredPrices:
    refused = [row for row in verdicts if row["state"] == REFUSED and row["close"] is not None]
    return StoredPrices(
        symbol,
        ticker,
        file,
        quarantined_from=min((row["session"] for row in verdicts if row["state"] == QUARANTINED), default=None),
        dismissed=bars_of_verdicts(refused) if refused else None,
        judged=frozenset(row["session"] for row in verdicts),
        older_names=older_names,
        told=told_actions(verdicts),
        key=ticker.key,
    )
