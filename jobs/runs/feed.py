"""Feeds a run with tickers at the pace of their sources: some requests ahead, and a batch of tickers at a time.

A batch is the tickers whose requests were sent within some seconds. It is forecast and committed while the next one is fetched,
so the first forecasts of ten thousand tickers are there after a minute, and a stop keeps all batches before it. Tickers whose
prices are in files come first. Nothing has to be waited for there: a batch of them bounds the bars that are held in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime

from tickercast.jobs.prices.answers import Answer
from tickercast.jobs.prices.commit_group import CommitGroup
from tickercast.jobs.prices.ingest import Ingest, Ingested
from tickercast.jobs.prices.sources.base import BadSourceData, RequestsPaused, SourceUnavailable
from tickercast.jobs.runs.batches import Batch, BatchLimits
from tickercast.jobs.runs.request_thread import RequestThread
from tickercast.jobs.runs.turns import Order, Turn, Turns
from tickercast.jobs.runs.workers import worker_pool
from tickercast.jobs.terminal.progress import ShowProgress, progress_bar

RETRIED = (SourceUnavailable, BadSourceData)

Told = Callable[[int, int], None]


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
        self.ingest, self.requests, self.limits = ingest, requests, limits
        self.stop, self.told, self.workers = stop, told, workers
        tickers = dict.fromkeys([*first, *symbols])
        live = dict.fromkeys(ingest.live(tickers))
        self.files = [symbol for symbol in tickers if symbol not in live]
        self.total, self.done = len(tickers), 0
        self.fewest_first = self.total if live.keys() & set(first) else len(set(first))
        begun = Batch(ingest.now, time.monotonic(), is_first=True)
        self.turns = Turns(
            list(live), ingest, requests, first=frozenset(first), order=order, clock=clock, limits=limits, filled=begun
        )
        self._answered = CommitGroup[tuple[Turn, Answer]]()

    @property
    def has_more(self) -> bool:
        """Return whether a ticker has not had its turn."""
        return self.done < self.total

    def batches(self) -> Generator[Batch]:
        """Yield each batch when its last ticker is stored. A stop makes the batch under way the last one."""
        with progress_bar("prices") as progress:
            yield from self._file_batches(progress)
            batch = self.turns.filled
            while not self.stop.is_set():
                if self.turns.are_few:
                    self.turns.send_ahead()
                if (of_next := self.turns.batch) is None:
                    break
                if of_next is not batch:
                    self.turns.send_ahead()
                    self._store()
                    yield batch
                    batch = of_next
                self._take(self.turns.take())
                if self._answered.is_due:
                    self._store()
                self._tell(progress)
            self._store()
        batch.is_last = True
        yield batch

    def _file_batches(self, progress: ShowProgress) -> Iterator[Batch]:
        """Store what is in files and yield each batch that is full, except the last one. Many files are read by workers."""
        with ExitStack() as stack:
            if self.workers > 1 and self.ingest.has_work_for_workers(self.files):
                submit = stack.enter_context(worker_pool(self.workers))
                found = self.ingest.fetch_by_workers(self.files, submit, self.stop)
            else:
                found = self.ingest.fetch_all(self.files, self.stop)
            for ingested in found:
                if self._has_most_files(self.turns.filled):
                    yield self.turns.filled
                    self.turns.filled = Batch(self.ingest.now, time.monotonic())
                self._enter(self.turns.filled, ingested)
                self._tell(progress)

    def _has_most_files(self, batch: Batch) -> bool:
        """Return whether a batch of files is full: not before it has those that must be in the first one."""
        most = self.limits.tickers
        return most is not None and len(batch.ingested) >= most and self.done >= self.fewest_first

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
            self.turns.retry(turn.symbol)
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
