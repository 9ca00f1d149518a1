"""A ticker's bars from its price file, as they were known at an instant. The home is opened read-only.

Not here: the view `bar`, which has the newest record of each bar and needs no file.
"""

from __future__ import annotations

from datetime import datetime

from tickercast.jobs.exchanges.symbols import parse_symbol
from tickercast.jobs.workspace.place import Place
from tickercast.storage.bar_files import read_bars
from tickercast.storage.bars import Bars, as_known
from tickercast.storage.errors import Corrupt, UnknownStoredTicker, not_stored
from tickercast.storage.reader import snapshot, unknown_symbols, view_named
from tickercast.storage.views import Column

SOURCE = Column("source", "where this record of the bar came from", "")
BAR_COLUMNS = ("session", "open", "high", "low", "close", "volume", "dividend", "split", "recorded_at", "source")
BAR_TYPES = (*(view_named("bar").column(name) for name in BAR_COLUMNS[:-1]), SOURCE)
CURRENT_FILE = "SELECT path, sha256 FROM price_file WHERE ticker = ?"


def known_bars(place: Place, ticker: str, known_at: datetime | None = None) -> Bars:
    """Return a ticker's bars as traded, as they were known at an instant (None = now), in session order.

    Raises UnknownStoredTicker for a ticker without bars, Corrupt for a damaged price file.
    """
    symbol = parse_symbol(ticker)
    with snapshot(place.database) as connection:
        if unknown_symbols(connection, [symbol]):
            raise not_stored(symbol)
        file = connection.execute(CURRENT_FILE, (symbol,)).fetchone()
    if file is None:
        raise UnknownStoredTicker(f"{symbol}: no bars are stored yet; `tickercast run` or `backfill` fetches them")
    try:
        return as_known(read_bars(place.prices, *file), known_at)
    except Corrupt as error:
        raise Corrupt(f"{error}; mend it with `tickercast repair {symbol}`") from error
