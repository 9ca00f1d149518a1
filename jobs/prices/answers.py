"""What a ticker's source came to, before anything is stored: the request where one is needed, its response judged and merged.

Nothing here writes, and nothing reads the database, so a worker process can do it for a part of a folder's tickers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache

from tickercast.jobs.exchanges.calendars import CalendarError, exchange_calendar
from tickercast.jobs.prices.bindings import Binding
from tickercast.jobs.prices.judging import JudgedFetch, judged_fetch
from tickercast.jobs.prices.read_files import is_entry
from tickercast.jobs.prices.sending import Send, send_here
from tickercast.jobs.prices.sources.base import BadSourceData, Fetch, PacedSource, Source, SourceError
from tickercast.jobs.prices.sources.folder import FolderSource, Splits
from tickercast.jobs.prices.stored_prices import StoredPrices, with_files_coming, with_history
from tickercast.storage.bar_files import EncodedFile, encode_bars
from tickercast.storage.bars import PRICE_FIELDS
from tickercast.storage.errors import Corrupt
from tickercast.storage.price_store import PriceAddress

# Fetched again before the last stored bar, or before the first quarantined one, to see what the source changed since.
OVERLAP = timedelta(days=15)
RESTATED_FIELDS = (*PRICE_FIELDS, "split", "dividend")  # a change in one of these puts the whole history in doubt


@dataclass(frozen=True, slots=True)
class Answer:
    """What a ticker's source came to. judged: None after an error, and where there was nothing to fetch.

    file: the history with new bars, as a file. version: of a source's file that was read. error: of the source, or the damage
    of the stored file.
    """

    stored: StoredPrices
    binding: Binding | None = None
    is_live: bool = False
    judged: JudgedFetch | None = None
    file: EncodedFile | None = None
    version: str | None = None
    error: SourceError | Corrupt | None = None
    is_suspended: bool = False

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to store."""
        return self.judged is None and self.error is None

    @property
    def shown_error(self) -> SourceError | Corrupt | None:
        """Return the error for people: what happened, what stays, what to do."""
        symbol, file = self.stored.symbol, self.stored.file
        if isinstance(self.error, Corrupt):
            return Corrupt(f"{symbol}: {self.error}; its forecasts stay; mend it with `tickercast repair {symbol}`")
        if self.error is None or file is None:
            return self.error
        return type(self.error)(f"{self.error}; stored bars end {file.last_session} and stay")


@dataclass(frozen=True, slots=True)
class PriceRequest:
    """What a ticker's source has to be asked for, beside what is stored of it. start: the first day, None = all of them."""

    stored: StoredPrices
    binding: Binding
    source: Source
    start: date | None
    version: str | None

    def send(self) -> Fetch:
        """Return the source's response. Reads and writes nothing of the store, so any thread may call it. Raises SourceError."""
        return self.source.fetch(self.stored.symbol, self.start, self.stored.older_names)

    def send_once(self) -> Fetch:
        """Return what send does, in one attempt where the source has a pace: the caller retries later. Raises SourceError."""
        if isinstance(self.source, PacedSource):
            return self.source.fetch_once(self.stored.symbol, self.start)
        return self.send()


@dataclass(frozen=True, slots=True)
class Asking:
    """How a run asks: the folder of the price files, its instant, and the minutes after a close at which a bar is complete."""

    prices: PriceAddress
    now: datetime
    after_close_minutes: int

    def answer(self, stored: StoredPrices, binding: Binding, source: Source, read_entry: str | None) -> Answer:
        """Return what a ticker's source comes to, errors too. read_entry: of its file when it was last read."""
        begun = self.begin(stored, binding, source, read_entry)
        return begun if isinstance(begun, Answer) else self.finish(begun, begun.send, send_here)

    def begin(self, stored: StoredPrices, binding: Binding, source: Source, read_entry: str | None) -> Answer | PriceRequest:
        """Return the request that a ticker needs, or its answer where it needs none. read_entry: as for answer."""
        try:
            version = source.version(stored.symbol, stored.older_names)
            if self._is_complete(stored, source, version, read_entry):
                return Answer(stored, binding, source.live)
            return PriceRequest(stored, binding, source, _first_day(stored, source), version)
        except CalendarError as error:
            return Answer(stored, binding, source.live, error=BadSourceData(f"{stored.symbol}: {error}"))
        except SourceError as error:
            return Answer(stored, binding, source.live, error=error)

    def finish(self, request: PriceRequest, response: Callable[[], Fetch], send: Send) -> Answer:
        """Return the answer that a response comes to. response: returns it, or raises SourceError. send: a further request."""
        stored, source = request.stored, request.source
        try:
            judged = self._judge_response(request, response(), send)
            file = encode_bars(judged.merge.history) if judged.merge.changed or stored.damage else None
            return Answer(stored, request.binding, source.live, judged, file, request.version)
        except CalendarError as error:
            return Answer(stored, request.binding, source.live, error=BadSourceData(f"{stored.symbol}: {error}"))
        except SourceError as error:
            return Answer(stored, request.binding, source.live, error=error)

    def judge(self, stored: StoredPrices, fetch: Fetch, source: str) -> JudgedFetch:
        """Return a response after gates and merge. Raises BadSourceData."""
        return judged_fetch(stored, fetch, source, self.now, self.after_close_minutes)

    def _is_complete(self, stored: StoredPrices, source: Source, version: str | None, read_entry: str | None) -> bool:
        """Return whether a source can have nothing new, with no bar in quarantine and the ticker's kind known.

        A live one: the newest closed session is stored. A file: it was read completely and is unchanged.
        """
        if stored.ticker is None or stored.file is None or stored.quarantined_from or stored.ticker.kind is None:
            return False
        if not source.live:
            return is_entry(read_entry, version, stored.file.sha256, stored.told)
        closed = exchange_calendar(stored.ticker.exchange).last_closed_session(self.now, self.after_close_minutes)
        return closed is None or closed <= stored.file.last_session

    def _judge_response(self, request: PriceRequest, fetch: Fetch, send: Send) -> JudgedFetch:
        """Return a response after gates and merge; that of a second request where the first response is in doubt."""
        stored, source, start = request.stored, request.source, request.start
        judged = self.judge(stored, fetch, source.kind)
        if start is None:
            return judged
        if any(value.field in RESTATED_FIELDS for value in judged.merge.restated):
            return self.judge(stored, send(replace(request, start=None).send), source.kind)
        if any(day >= start for day in judged.missing):
            return self.judge(stored, send(request.send), source.kind)
        return judged


def _first_day(stored: StoredPrices, source: Source) -> date | None:
    """Return the first day to request. Files are cheap: they are read whole, and what changed is restated at any age."""
    if not source.live or stored.file is None:
        return None
    return min(filter(None, (stored.file.last_session, stored.quarantined_from))) - OVERLAP


@dataclass(frozen=True, slots=True)
class FolderPart:
    """Some tickers of one folder, to be read by a worker. read_entries: by key of the ticker, of files that were read before."""

    asking: Asking
    binding: Binding
    splits: tuple[tuple[str, tuple[tuple[date, float], ...]], ...]
    stored: tuple[StoredPrices, ...]
    read_entries: Mapping[str, str]


def answers_of_part(part: FolderPart) -> list[Answer]:
    """Return what the source of each ticker of a part comes to, with its stored bars read first."""
    try:
        source = _folder(part.binding, part.splits)
    except SourceError as error:  # it has gone away since the run opened it
        return [Answer(stored, part.binding, error=error) for stored in part.stored]
    found = []
    for stored in with_files_coming(part.stored, part.asking.prices):
        known = with_history(stored, part.asking.prices)
        if known.damage:
            found.append(Answer(known, part.binding, error=known.damage))
        else:
            found.append(part.asking.answer(known, part.binding, source, part.read_entries.get(stored.key)))
    return found


@cache
def _folder(binding: Binding, splits: tuple[tuple[str, tuple[tuple[date, float], ...]], ...]) -> FolderSource:
    """Return an open folder, whose list of files is read once in a worker."""
    stated: Splits = {symbol: dict(days) for symbol, days in splits}
    return FolderSource(binding.path, binding.adjustment, stated)
