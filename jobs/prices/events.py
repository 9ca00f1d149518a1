"""Brings stored company events up to date: from files that the user names, from those of folders, and from Yahoo.

All of it happens after the bars are stored. A fault is a line for people: it changes no bar and no exit code.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.prices.event_files import EventFile, read_event_file, store_event_file
from tickercast.jobs.prices.event_requests import EventRequests
from tickercast.jobs.prices.sending import Send, send_here
from tickercast.jobs.prices.sources.base import BadSourceData, SourceError
from tickercast.jobs.prices.sources.folder_files import content_of
from tickercast.jobs.terminal.text import counted
from tickercast.storage import queries
from tickercast.storage.database import Engine
from tickercast.storage.files import sha256_of
from tickercast.storage.paths import user_path

Tickers = Sequence[queries.TickerRow]
FROM_FILE = "file"


class EventIngest:
    """Stores the events that are known at an instant. given: a file that a command names; its problems were shown already.

    send: how a request is sent that is waited for.
    """

    def __init__(
        self,
        engine: Engine,
        sources: Sources,
        now: datetime,
        after_close_minutes: int,
        given: EventFile | None = None,
        send: Send = send_here,
    ) -> None:
        self.engine, self.sources, self.now, self.given = engine, sources, now, given
        self.requests = EventRequests(engine, sources, now, after_close_minutes, send=send)

    def move_to(self, now: datetime) -> None:
        """Go on at a later instant of the same run."""
        self.now = self.requests.now = now

    def update(self, symbols: Sequence[str], stop: threading.Event) -> list[str]:
        """Store what files say of any stored ticker, and what Yahoo says of some. Returns lines about the files."""
        with self.engine.connect() as connection:
            stored = queries.list_tickers(connection)
        lines: list[str] = []
        if self.given is not None:
            lines += self._store(self.given, stored)
        source = self.sources.home.settings.events.source
        if source:
            lines += self._store_changed(user_path(source).absolute(), stored)
        for folder, tickers in self._folders(stored).items():
            lines += self._store_changed(folder, tickers)
        asked = frozenset(symbols)
        wanted = [ticker for ticker in stored if ticker.symbol in asked]
        if not stop.is_set():
            self.requests.fetch(wanted, stop)
        return lines

    def _folders(self, tickers: Tickers) -> dict[Path, list[queries.TickerRow]]:
        """Return the tickers of each folder that has a file of events, by that file."""
        found: dict[Path, list[queries.TickerRow]] = {}
        for ticker in tickers:
            if ticker.source == "folder" and (file := self._file_of(ticker)) is not None:
                found.setdefault(file, []).append(ticker)
        return found

    def _file_of(self, ticker: queries.TickerRow) -> Path | None:
        from tickercast.jobs.prices.sources.folder import FolderSource

        try:
            source = self.sources.open(self.sources.binding_of(ticker), ticker.symbol)
            return source.event_file if isinstance(source, FolderSource) else None
        except SourceError:  # its bars could not be fetched either, which is an error of its own
            return None

    def _store_changed(self, path: Path, tickers: Tickers) -> Iterator[str]:
        """Store a file unless it was stored before, for the same tickers, as it is."""
        remembered, read_files = f"events {path}", self.sources.read_files
        try:
            sha256 = sha256_of(content_of(path))
            keys = sorted(ticker.key for ticker in tickers)
            if read_files.has(remembered, sha256, keys, self._count()):
                return
            file = read_event_file(path, self.now)
            yield from (*file.problems, *self._store(file, tickers))
            if file.is_final:
                read_files.remember(remembered, sha256, keys, self._count())
        except BadSourceData as error:
            yield f"company events: {error}; the stored ones serve"

    def _store(self, file: EventFile, tickers: Tickers) -> Iterator[str]:
        with self.engine.begin() as connection:
            names = {name: t for t in tickers for name in queries.older_symbols(connection, t.id)}
            names |= {ticker.symbol: ticker for ticker in tickers}
            added, left_out = store_event_file(connection, file, names, self.now)
        if added or left_out:
            others = f", {counted(left_out, 'ticker')} not stored here" if left_out else ""
            yield f"{file.path.name}: {counted(added, 'new company event')}{others}"

    def _count(self) -> int:
        with self.engine.connect() as connection:
            return queries.event_count(connection, FROM_FILE)
