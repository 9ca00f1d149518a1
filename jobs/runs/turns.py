"""In which order the tickers of live sources have their turns, and which requests are sent ahead.

Not here: what becomes of a response (feed).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from tickercast.jobs.prices.answers import Answer, PriceRequest
from tickercast.jobs.prices.ingest import Ingest
from tickercast.jobs.prices.sources.base import Fetch
from tickercast.jobs.runs.batches import Batch, BatchLimits
from tickercast.jobs.runs.request_thread import RequestThread

Order = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One ticker's turn. begun: its request, or its answer where it needs none. is_last: without a retry in this run."""

    batch: Batch
    ingest: Ingest
    symbol: str
    begun: Answer | PriceRequest
    response: Future[Fetch] | None
    is_last: bool


class Turns:
    """The turns of tickers with live sources. first: those that must be in the first batch. filled: the batch under way.

    order: sorts what is left before each batch. clock: the instant of each batch.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        ingest: Ingest,
        requests: RequestThread,
        *,
        first: frozenset[str],
        order: Order,
        clock: Callable[[], datetime],
        limits: BatchLimits,
        filled: Batch,
    ) -> None:
        self.ingest, self.requests, self.order, self.clock, self.limits = ingest, requests, order, clock, limits
        self.first, self.filled = first, filled
        self.waiting, self.failed, self._sent = deque(symbols), deque[str](), deque[Turn]()
        self._sort()

    @property
    def batch(self) -> Batch | None:
        """Return the batch of the next turn, None where no ticker is left."""
        return self._sent[0].batch if self._sent else None

    @property
    def are_few(self) -> bool:
        """Return whether half of the turns ahead are over, so that the next ones are many enough to be looked up together."""
        return len(self._sent) <= self.limits.ahead // 2

    def take(self) -> Turn:
        """Return the next turn and remove it."""
        return self._sent.popleft()

    def retry(self, symbol: str) -> None:
        """Give a ticker another turn, after all others."""
        self.failed.append(symbol)

    def send_ahead(self) -> None:
        """Give further tickers their turns, and send their requests, up to some ahead of what is stored."""
        while len(self._sent) < self.limits.ahead and (self.waiting or self.failed):
            if self._is_full():
                self._sort()
                self.filled = Batch(self.clock(), time.monotonic())
            self._send(self.limits.ahead - len(self._sent))

    def _send(self, most: int) -> None:
        """Give tickers their turns in the batch under way, and send their requests. most: tickers, at least 1."""
        is_retried = not self.waiting
        left, symbols = self.failed if is_retried else self.waiting, list[str]()
        while left and len(symbols) < most and not (symbols and self._is_full()):
            symbols.append(left.popleft())
            self.filled.taken += 1
        if self.ingest.now != self.filled.now:
            self.ingest = self.ingest.at(self.filled.now)
        for symbol, begun in zip(symbols, self.ingest.begin(symbols), strict=True):
            self._sent.append(self._turn(symbol, begun, is_retried))

    def _turn(self, symbol: str, begun: Answer | PriceRequest, is_retried: bool) -> Turn:
        is_last = is_retried or symbol in self.first  # the first ones are waited for, so they are retried at once
        if isinstance(begun, Answer):
            return Turn(self.filled, self.ingest, symbol, begun, None, is_last)
        response = self.requests.ahead(begun.send if is_last else begun.send_once)
        return Turn(self.filled, self.ingest, symbol, begun, response, is_last)

    def _is_full(self) -> bool:
        if self.waiting and self.waiting[0] in self.first:
            return False
        return self.limits.are_reached(self.filled)

    def _sort(self) -> None:
        """Sort the tickers that wait: a session may have closed meanwhile."""
        begun = deque(symbol for symbol in self.waiting if symbol in self.first)
        begun.extend(self.order([symbol for symbol in self.waiting if symbol not in self.first]))
        self.waiting = begun
