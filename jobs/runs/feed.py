"""Feeds a run with tickers at the pace of their sources: some requests ahead, and a batch of tickers at a time.

A batch is the tickers whose requests were sent within some seconds. It is forecast and committed while the next one is fetched,
so the first forecasts of ten thousand tickers are there after a minute, and a stop keeps all batches before it. Tickers whose
prices are in files come first, and all together: nothing has to be waited for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

from tickercast.jobs.prices.answers import Answer, PriceRequest
from tickercast.jobs.prices.commit_group import CommitGroup
from tickercast.jobs.prices.ingest import Ingest, Ingested
from tickercast.jobs.prices.sources.base import BadSourceData, Fetch, RequestsPaused, SourceUnavailable
from tickercast.jobs.runs.request_thread import RequestThread
from tickercast.jobs.runs.workers import worker_pool
from tickercast.jobs.terminal.progress import ShowProgress, progress_bar

SECONDS_AHEAD = 8.0  # about as long as a batch is computed: the source never waits
FEWEST_AHEAD, MOST_AHEAD = 16, 256  # what is read of so many tickers is held in memory
RETRIED = (SourceUnavailable, BadSourceData)

Order = Callable[[Sequence[str]], list[str]]
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When a batch is full: after so many seconds, or so many tickers. None = never. ahead: tickers requested before their turn.

    first_seconds: of the first batch, so that the first forecasts are there soon.
    """

    seconds: float | None = 30.0
    tickers: int | None = 1000
    ahead: int = FEWEST_AHEAD
    first_seconds: float = 10.0

    @staticmethod
    def at_pace(requests_per_second: float) -> BatchLimits:
        """Return the limits of batches that come at a pace."""
        return BatchLimits(ahead=int(min(max(SECONDS_AHEAD * requests_per_second, FEWEST_AHEAD), MOST_AHEAD)))

    def are_reached(self, batch: Batch) -> bool:
        """Return whether a batch is full."""
        seconds = self.first_seconds if batch.is_first and self.seconds is not None else self.seconds
        is_late = seconds is not None and time.monotonic() - batch.began >= seconds
        return is_late or (self.tickers is not None and batch.taken >= self.tickers)


@dataclass(slots=True)
class Batch:
    """Tickers that are forecast together. now: the instant of their forecasts, before the first of their requests was sent.

    ingested: by symbol. left: why a ticker was left for the next run, by symbol. is_first, is_last: of the run.
    """

    now: datetime
    began: float
    is_first: bool = False
    taken: int = 0
    ingested: dict[str, Ingested] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One ticker's turn. begun: its request, or its answer where it needs none. is_last: without a retry in this run."""

    batch: Batch
    ingest: Ingest
    symbol: str
    begun: Answer | PriceRequest
    response: Future[Fetch] | None
    is_last: bool


class Feed:
    """The tickers of one run. first: those that must be in the first batch. order: sorts what is left before each batch.

    clock: the instant of each batch. stop: ends the feed between two tickers. told: called with how many tickers are done.
    workers: processes that read files.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        ingest: Ingest,
        requests: RequestThread,
        *,
        first: Sequence[str],
        order: Order,
        clock: Callable[[], datetime],
        limits: BatchLimits,
        stop: threading.Event,
        told: Told,
        workers: int = 1,
    ) -> None:
        self.ingest, self.requests, self.order, self.clock, self.limits = ingest, requests, order, clock, limits
        self.stop, self.told, self.workers = stop, told, workers
        self.first = dict.fromkeys(first)
        tickers = dict.fromkeys([*first, *symbols])
        live = dict.fromkeys(ingest.live(tickers))
        self.waiting, self.files = deque(live), [symbol for symbol in tickers if symbol not in live]
        self.failed: deque[str] = deque()
        self.total, self.done = len(tickers), 0
        self._turns: deque[Turn] = deque()
        self._answered = CommitGroup[tuple[Turn, Answer]]()
        self._filled = self._new_batch(ingest.now)
        self._filled.is_first = True

    @property
    def has_more(self) -> bool:
        """Return whether a ticker has not had its turn."""
        return self.done < self.total

    def batches(self) -> Iterator[Batch]:
        """Yield each batch when its last ticker is stored. A stop makes the batch under way the last one."""
        batch = self._filled
        with progress_bar("prices") as progress:
            self._take_files(batch, progress)
            while not self.stop.is_set():
                if len(self._turns) <= self.limits.ahead // 2:  # so that many are looked up together
                    self._send_ahead()
                if not self._turns:
                    break
                if self._turns[0].batch is not batch:
                    self._send_ahead()
                    self._store()
                    yield batch
                    batch = self._turns[0].batch
                self._take(self._turns.popleft())
                if self._answered.is_due:
                    self._store()
                self._tell(progress)
            self._store()
        batch.is_last = True
        yield batch

    def _take_files(self, batch: Batch, progress: ShowProgress) -> None:
        """Store what is in files. Where they are many, workers read them."""
        with ExitStack() as stack:
            if self.workers > 1 and self.ingest.has_work_for_workers(self.files):
                submit = stack.enter_context(worker_pool(self.workers))
                found = self.ingest.fetch_by_workers(self.files, submit, self.stop)
            else:
                found = self.ingest.fetch_all(self.files, self.stop)
            for ingested in found:
                self._enter(batch, ingested)
                self._tell(progress)

    def _send_ahead(self) -> None:
        """Give further tickers their turns, and send their requests, up to some ahead of what is stored."""
        while len(self._turns) < self.limits.ahead and (self.waiting or self.failed):
            if self._is_full(self._filled):
                self._filled = self._new_batch(self.clock())
            self._send(self.limits.ahead - len(self._turns))

    def _send(self, most: int) -> None:
        """Give tickers their turns in the batch that is filled, and send their requests. most: tickers, at least 1."""
        batch, is_retried = self._filled, not self.waiting
        left, symbols = self.failed if is_retried else self.waiting, list[str]()
        while left and len(symbols) < most and not (symbols and self._is_full(batch)):
            symbols.append(left.popleft())
            batch.taken += 1
        if self.ingest.now != batch.now:
            self.ingest = self.ingest.at(batch.now)
        for symbol, begun in zip(symbols, self.ingest.begin(symbols), strict=True):
            self._turns.append(self._turn(symbol, begun, is_retried))

    def _turn(self, symbol: str, begun: Answer | PriceRequest, is_retried: bool) -> Turn:
        is_last = is_retried or symbol in self.first  # the first ones are waited for, so they are retried at once
        if isinstance(begun, Answer):
            return Turn(self._filled, self.ingest, symbol, begun, None, is_last)
        response = self.requests.ahead(begun.send if is_last else begun.send_once)
        return Turn(self._filled, self.ingest, symbol, begun, response, is_last)

    def _take(self, turn: Turn) -> None:
        """Let a ticker's answer wait to be stored, or note that the ticker is retried or left."""
        if isinstance(turn.begun, Answer):
            self._answered.add((turn, turn.begun))
            return
        assert turn.response is not None
        error = self.requests.error_of(turn.response, self._wait)
        if isinstance(error, RequestsPaused):
            if not self.stop.is_set():
                turn.batch.left[turn.symbol] = str(error)
                self.done += 1
        elif isinstance(error, RETRIED) and not turn.is_last:
            self.failed.append(turn.symbol)
        else:
            self._answered.add((turn, turn.ingest.finish(turn.begun, turn.response.result)))

    def _wait(self) -> None:
        """Store what is due, and tell how far the run is, while a response is waited for."""
        if self._answered.is_due:
            self._store()
        self.told(self.done, self.total)

    def _store(self) -> None:
        """Store the answers that wait, all of one batch."""
        waiting = self._answered.take()
        for turn, _ in waiting[:1]:
            for ingested in turn.ingest.store([answer for _, answer in waiting]):
                self._enter(turn.batch, ingested)

    def _enter(self, batch: Batch, ingested: Ingested) -> None:
        batch.ingested[ingested.symbol] = ingested
        self.done += 1

    def _tell(self, progress: ShowProgress) -> None:
        self.told(self.done, self.total)
        progress(self.done, self.total)

    def _is_full(self, batch: Batch) -> bool:
        if self.waiting and self.waiting[0] in self.first:
            return False
        return self.limits.are_reached(batch)

    def _new_batch(self, now: datetime) -> Batch:
        """Return an empty batch, after sorting the tickers that wait: a session may have closed meanwhile."""
        begun = deque(symbol for symbol in self.waiting if symbol in self.first)
        begun.extend(self.order([symbol for symbol in self.waiting if symbol not in self.first]))
        self.waiting = begun
        return Batch(now, time.monotonic())
