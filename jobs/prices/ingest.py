"""Brings tickers' stored prices up to date: look up what is stored, get what their sources answer, store that, many at once.

A live ticker costs one request a day, and none while its newest closed session is stored. There is a second request where a
price of the overlap has changed (then for the whole history) or where a recent session is missing. What is fetched and judged:
answers. Here: which tickers are fetched, by which process, and what is committed together.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from tickercast.jobs.prices.answers import Answer, Asking, FolderPart, PriceRequest, answers_of_part
from tickercast.jobs.prices.bindings import Binding, Sources
from tickercast.jobs.prices.commit_group import AT_ONCE, CommitGroup
from tickercast.jobs.prices.fetcher import PriceFetcher
from tickercast.jobs.prices.price_record import PriceRecord, Written
from tickercast.jobs.prices.sending import Send, send_here
from tickercast.jobs.prices.sources.base import Fetch, SourceError
from tickercast.jobs.prices.stored_prices import StoredPrices, look_up, with_files_coming
from tickercast.storage import queries
from tickercast.storage.bars import BarHistory
from tickercast.storage.database import Engine
from tickercast.storage.errors import Corrupt
from tickercast.storage.price_store import PriceAddress

FEWEST_FOR_WORKERS = 400  # tickers; below that the start of workers takes longer than they save
PARTS_AHEAD = 4  # which workers read, or have read, while one is stored

Submit = Callable[[Callable[[FolderPart], list[Answer]], FolderPart], "Future[list[Answer]]"]


@dataclass(frozen=True, slots=True)
class Ingested:
    """A ticker with its stored bars after a fetch, and the error of a fetch that failed. symbol: as it was given."""

    symbol: str
    ticker: queries.TickerRow | None
    history: BarHistory | None
    error: SourceError | Corrupt | None = None
    is_suspended: bool = False


class Ingest:
    """Brings the stored prices of tickers up to date. include_suspended: fetch suspended tickers too.

    send: how a request is sent that is waited for at once.
    """

    def __init__(
        self,
        engine: Engine,
        prices: PriceAddress,
        sources: Sources,
        now: datetime,
        after_close_minutes: int,
        run_id: int | None,
        *,
        include_suspended: bool = False,
        send: Send = send_here,
    ) -> None:
        self.engine, self.prices, self.sources, self.now = engine, prices, sources, now
        self.after_close_minutes, self.include_suspended, self.send = after_close_minutes, include_suspended, send
        self.fetcher = PriceFetcher(Asking(prices, now, after_close_minutes), sources, include_suspended=include_suspended)
        self.record = PriceRecord(engine, prices, now, after_close_minutes, run_id)

    def at(self, now: datetime) -> Ingest:
        """Return the ingest of a later instant of the same run."""
        return Ingest(
            self.engine, self.prices, self.sources, now, self.after_close_minutes, self.record.run_id,
            include_suspended=self.include_suspended, send=self.send,
        )  # fmt: skip

    def fetch(self, symbol: str, binding: Binding | None = None) -> Ingested:
        """Return a ticker with its merged history. After a failed fetch the stored bars stay, and the error is returned.

        binding: where prices of a ticker that is not stored yet come from; None = as the sources say.
        """
        [stored] = look_up(self.engine, [symbol])
        return self.store([self.fetcher.answer(stored, self.send, binding)])[0]

    def begin(self, symbols: Sequence[str]) -> Iterator[Answer | PriceRequest]:
        """Yield of each ticker the request that it needs, or its answer where it needs none, in the order given."""
        return (self.fetcher.begin(stored) for stored in self._looked_up(symbols))

    def finish(self, request: PriceRequest, response: Callable[[], Fetch]) -> Answer:
        """Return what a ticker's response comes to. response: returns it, or raises SourceError."""
        return self.fetcher.asking.finish(request, response, self.send)

    def store(self, answers: Sequence[Answer]) -> list[Ingested]:
        """Store some answers in one transaction and return their tickers as they are then."""
        written = self.record.write_all(answers)
        return [self._ingested(answer, one) for answer, one in zip(answers, written, strict=True)]

    def live(self, symbols: Iterable[str]) -> list[str]:
        """Return those of some tickers whose source is live: each costs a request, and time."""
        with self.engine.connect() as connection:
            tickers = {ticker.symbol: ticker for ticker in queries.list_tickers(connection)}
        return [symbol for symbol in symbols if self.fetcher.is_live(symbol, tickers.get(symbol))]

    def fetch_all(self, symbols: Sequence[str], stop: threading.Event | None = None) -> Iterator[Ingested]:
        """Yield each ticker with its merged history once it is stored, in the order given, until stop is set."""
        group = CommitGroup[Answer]()
        for stored in self._looked_up(symbols):
            if stop is not None and stop.is_set():
                break
            group.add(self.fetcher.answer(stored, self.send))
            if group.is_due:
                yield from self.store(group.take())
        yield from self.store(group.take())

    def fetch_by_workers(self, symbols: Sequence[str], submit: Submit, stop: threading.Event) -> Iterator[Ingested]:
        """Yield what fetch_all yields. Files of folders are read by workers; submit: starts such a reading."""
        ahead: deque[Future[list[Answer]]] = deque()
        for part in _parts(symbols):
            if stop.is_set():
                break
            ahead.append(self._submitted(part, submit))
            if len(ahead) > PARTS_AHEAD:
                yield from self.store(ahead.popleft().result())
        while ahead:
            yield from self.store(ahead.popleft().result())

    def has_work_for_workers(self, symbols: Sequence[str]) -> bool:
        """Return whether the first of many tickers have files of their own in a folder, so that workers can read them."""
        first = symbols[: AT_ONCE if len(symbols) >= FEWEST_FOR_WORKERS else 0]
        return bool(first) and all(self.fetcher.folder_of(stored) is not None for stored in look_up(self.engine, first))

    def _looked_up(self, symbols: Sequence[str]) -> Iterator[StoredPrices]:
        for part in _parts(symbols):
            yield from with_files_coming(look_up(self.engine, part), self.prices)

    def _submitted(self, symbols: Sequence[str], submit: Submit) -> Future[list[Answer]]:
        """Return the future answers of a part, of a worker where all its tickers are in one folder."""
        stored = look_up(self.engine, symbols)
        folders = {self.fetcher.folder_of(one) for one in stored}
        if len(folders) == 1 and (binding := folders.pop()) is not None:
            return submit(answers_of_part, self.fetcher.part(binding, stored))
        done: Future[list[Answer]] = Future()
        done.set_result([self.fetcher.answer(one, self.send) for one in stored])
        return done

    def _ingested(self, answer: Answer, written: Written) -> Ingested:
        """Return a ticker after its answer is stored, and remember a file that was read completely."""
        stored, read_files = answer.stored, self.sources.read_files
        if answer.judged is not None:
            read_files.forget(stored.key)
            if answer.version is not None and answer.judged.is_final and written.sha256 is not None:
                read_files.remember(stored.key, answer.version, written.sha256, stored.told)
            return Ingested(stored.symbol, written.ticker, answer.judged.merge.history)
        if isinstance(answer.error, SourceError):
            read_files.forget(stored.key)
        if answer.is_suspended or (written.is_suspended and not self.include_suspended):
            return Ingested(stored.symbol, written.ticker, stored.history, is_suspended=True)
        return Ingested(stored.symbol, written.ticker, stored.history, answer.shown_error)


def _parts(symbols: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the symbols, AT_ONCE of them at a time, each once."""
    unique = list(dict.fromkeys(symbols))
    yield from (unique[begin : begin + AT_ONCE] for begin in range(0, len(unique), AT_ONCE))
