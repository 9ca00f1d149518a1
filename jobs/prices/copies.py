"""Fill the copies in SQL of bars that an earlier version stored in Parquet alone, after an upgrade of the schema."""

from __future__ import annotations

from collections.abc import Iterator

from tickercast.jobs.terminal.progress import each_with_progress
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.writer import writing_engine
from tickercast.storage import bar_files, queries, writes
from tickercast.storage.bars import as_known
from tickercast.storage.database import Engine, translated
from tickercast.storage.errors import Corrupt
from tickercast.storage.price_registry import register_database


def fill_copies(home: Home) -> list[str]:
    """Copy every ticker's bars to SQL where they are missing, and return a line for each price file that cannot be read."""
    register_database(home.prices, home.database)
    engine = writing_engine(home.database)
    try:
        with translated(home.database):
            return list(_unreadable(home, engine))
    finally:
        engine.dispose()


def _unreadable(home: Home, engine: Engine) -> Iterator[str]:
    with engine.connect() as connection:
        tickers = queries.list_tickers(connection)
    for ticker in each_with_progress("copying bars", tickers):
        with engine.begin() as connection:
            file = queries.current_file(connection, ticker.id)
            if file is None:
                continue
            try:
                history = bar_files.read_bars(home.prices, file.path, file.sha256)
            except Corrupt as error:
                yield f"{ticker.symbol}: {error}; mend it with `tickercast repair {ticker.symbol}`"
                continue
            writes.copy_bars(connection, ticker.id, as_known(history))
