"""What forecasts read beside a ticker's own bars: references of exchanges, and reports of companies. Fetched after all bars.

No fault here stops or fails a run: what is stored serves, and a note says so.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np

from tickercast.jobs.exchanges.references import reference_of
from tickercast.jobs.forecasting.context import OLDEST_REFERENCE
from tickercast.jobs.prices.events import EventIngest
from tickercast.jobs.prices.ingest import Ingest
from tickercast.jobs.prices.references import update_reference
from tickercast.jobs.runs.backlog import due_by_exchange
from tickercast.jobs.runs.backlog_reader import Fetched
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.stored_context import all_stored_events, stored_references
from tickercast.storage import queries
from tickercast.storage.database import Engine


class ContextFetcher:
    """Brings the context of a run's tickers up to date and adds it to what was fetched."""

    def __init__(self, engine: Engine, ingest: Ingest, events: EventIngest, options: RunOptions) -> None:
        self.engine, self.ingest, self.events, self.options = engine, ingest, events, options

    def fetch(self, fetched: Fetched, now: datetime, stop: threading.Event) -> None:
        """Add the exchanges' references, and the company events of each ticker and of each member of the universe.

        now: the instant of the forecasts that will read them.
        """
        self.ingest = self.ingest.at(now)
        self.events.move_to(now)
        readers = {backlog.symbol: backlog.exchange for backlog in fetched.backlogs if backlog.due}
        with self.engine.connect() as connection:
            tickers = {ticker.key: ticker for ticker in queries.list_tickers(connection)} if fetched.members else {}
        members = {tickers[member.key].symbol: member.exchange for member in fetched.members}
        if self.options.config.reference == "auto":
            self._update_references({**members, **readers}, fetched, stop)
        symbols = dict.fromkeys([*(backlog.symbol for backlog in fetched.backlogs), *members])
        fetched.notes.extend(self.events.update(list(symbols) if self.options.config.events else [], stop))
        exchanges = {*readers.values(), *members.values()}
        fetched.references.update(stored_references(self.engine, self.ingest.prices, exchanges, now))
        fetched.notes.extend(_stale_references(fetched))
        with self.engine.connect() as connection:
            ids = [*(backlog.ticker_id for backlog in fetched.backlogs), *(tickers[member.key].id for member in fetched.members)]
            events = all_stored_events(connection, ids, now)
        for index, backlog in enumerate(fetched.backlogs):
            fetched.backlogs[index] = replace(backlog, events=events.get(backlog.ticker_id))
        for index, member in enumerate(fetched.members):
            fetched.members[index] = replace(member, events=events.get(tickers[member.key].id))

    def notes(self) -> list[str]:
        """Return notes for the run's closing line: which company events were not fetched."""
        note = self.events.requests.outcome.note()
        return [note] if note else []

    def _update_references(self, readers: Mapping[str, str], fetched: Fetched, stop: threading.Event) -> None:
        """Fetch the reference of each exchange. readers: the exchange of each symbol that may read one."""
        with self.engine.connect() as connection:
            found = queries.tickers_by_symbol(connection, readers)
        tickers = [found[symbol] for symbol in sorted(found)]
        for exchange in sorted(set(readers.values())):
            symbol = reference_of(exchange)
            if symbol is None or symbol in readers or stop.is_set():  # a reference that is followed was fetched with the others
                continue
            note = update_reference(self.ingest, symbol, [t for t in tickers if readers[t.symbol] == exchange])
            fetched.notes.extend([note] if note else [])


def _stale_references(fetched: Fetched) -> Iterator[str]:
    """Yield a note for each reference whose newest close is too old for the newest session to forecast from."""
    for exchange, days in due_by_exchange(fetched.backlogs).items():
        reference = fetched.references.get(exchange)
        if reference is not None and np.datetime64(days[-1]) - reference.session[-1] > OLDEST_REFERENCE:
            last = reference.session[-1].item()
            yield f"reference {reference_of(exchange)} ends on {last}; forecasts from a week after that on go without it"
