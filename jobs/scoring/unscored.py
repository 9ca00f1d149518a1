"""Which origins of each ticker have a forecast without a score, kept up with the record while one run scores stack after stack.

The record lists them without their tickers. To look all of them up for each of many stacks would take longer than the scores.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from tickercast.storage import queries
from tickercast.storage.database import Connection


class UnscoredOrigins:
    """The unscored origins by ticker, as of the last look. Origins get rising ids, so a look reads the new ones alone."""

    def __init__(self) -> None:
        self._by_ticker: dict[int, list[int]] = {}
        self._last = 0

    def forget(self) -> None:
        """Forget all: the next look reads the whole list."""
        self._by_ticker, self._last = {}, 0

    def of(self, connection: Connection, tickers: Collection[int]) -> list[int]:
        """Return the ids of the unscored origins of some tickers."""
        for origin_id, ticker_id in queries.unscored_origins(connection, after=self._last):
            self._by_ticker.setdefault(ticker_id, []).append(origin_id)
            self._last = max(self._last, origin_id)
        known = [origin_id for ticker_id in tickers for origin_id in self._by_ticker.get(ticker_id, ())]
        left = queries.still_unscored(connection, known)
        for ticker_id in tickers:
            self._by_ticker[ticker_id] = [origin_id for origin_id in self._by_ticker.get(ticker_id, ()) if origin_id in left]
        return sorted(left)

    @contextmanager
    def forgotten_on_error(self) -> Iterator[None]:
        """Forget everything when what is done inside fails: its transaction is rolled back, and the ids are given again."""
        try:
            yield
        except BaseException:
            self.forget()
            raise
