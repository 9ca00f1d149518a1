"""Fetches tickers' prices from their sources: which source a ticker has, whether it is fetched now, and what a worker reads."""

from __future__ import annotations

from collections.abc import Sequence

from tickercast.jobs.exchanges.calendars import CalendarError
from tickercast.jobs.prices.answers import Answer, Asking, FolderPart, PriceRequest
from tickercast.jobs.prices.bindings import Binding, Sources
from tickercast.jobs.prices.judging import JudgedFetch
from tickercast.jobs.prices.sending import Send
from tickercast.jobs.prices.sources.base import BadSourceData, SourceError
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.prices.stored_prices import StoredPrices, with_history
from tickercast.jobs.prices.ticker_status import is_fetched
from tickercast.storage.queries import TickerRow


class PriceFetcher:
    """Fetches from the sources of one run. include_suspended: suspended tickers too."""

    def __init__(self, asking: Asking, sources: Sources, *, include_suspended: bool) -> None:
        self.asking, self.sources, self.include_suspended = asking, sources, include_suspended

    def answer(self, stored: StoredPrices, send: Send, binding: Binding | None = None) -> Answer:
        """Return what a ticker's source comes to. send: how a request is sent. stored and binding: as for begin."""
        begun = self.begin(stored, binding)
        return begun if isinstance(begun, Answer) else self.asking.finish(begun, lambda: send(begun.send), send)

    def begin(self, stored: StoredPrices, binding: Binding | None = None) -> Answer | PriceRequest:
        """Return the request that a ticker needs, or its answer where it needs none.

        stored: without its bars. binding: None = as the sources say.
        """
        stored = with_history(stored, self.asking.prices)
        if self._is_waiting(stored):
            return Answer(stored, is_suspended=True)
        if stored.damage:
            return Answer(stored, error=stored.damage)
        try:
            binding = binding or self.sources.binding_of(stored.ticker)
            source = self.sources.open(binding, stored.symbol)
        except SourceError as error:
            return Answer(stored, error=error)
        return self.asking.begin(stored, binding, source, self.sources.read_files.entries.get(stored.key))

    def fetch_whole(self, stored: StoredPrices) -> JudgedFetch:
        """Return all that a ticker's source gives now, judged and merged with what is stored. Raises SourceError."""
        source = self.sources.open(self.sources.binding_of(stored.ticker), stored.symbol)
        try:
            return self.asking.judge(stored, source.fetch(stored.symbol, None, stored.older_names), source.kind)
        except CalendarError as error:
            raise BadSourceData(f"{stored.symbol}: {error}") from error

    def is_live(self, symbol: str, ticker: TickerRow | None) -> bool:
        """Return whether a ticker's source is live. One that cannot be opened is not. ticker: None where none is stored."""
        try:
            return self.sources.open(self.sources.binding_of(ticker), symbol).live
        except SourceError:
            return False

    def folder_of(self, stored: StoredPrices) -> Binding | None:
        """Return the folder whose file has a ticker's bars, None where there is none or the ticker is not fetched now."""
        if self._is_waiting(stored):
            return None
        try:
            binding = self.sources.binding_of(stored.ticker)
            source = self.sources.open(binding, stored.symbol)
            return binding if isinstance(source, FolderSource) and source.has_file_each else None
        except SourceError:
            return None

    def part(self, binding: Binding, stored: Sequence[StoredPrices]) -> FolderPart:
        """Return some tickers of a folder as a task for a worker."""
        source = self.sources.open(binding)
        assert isinstance(source, FolderSource)
        splits = tuple((symbol, tuple(sorted(days.items()))) for symbol, days in sorted(source.splits.items()))
        entries = self.sources.read_files.entries
        known = {one.key: entries[one.key] for one in stored if one.key in entries}
        return FolderPart(self.asking, binding, splits, tuple(stored), known)

    def _is_waiting(self, stored: StoredPrices) -> bool:
        """Return whether a suspended ticker is not fetched before a later day."""
        ticker = stored.ticker
        return bool(ticker and not self.include_suspended and not is_fetched(ticker.status, ticker.probe_at, self.asking.now))
