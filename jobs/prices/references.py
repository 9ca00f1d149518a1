"""Brings the bars of a reference up to date: a volatility index that forecasts of an exchange's tickers read as context.

It is stored like any ticker, with a source of its own, and followed by nobody. A fault is a note: its stored bars serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from tickercast.jobs.prices.bindings import Binding
from tickercast.jobs.prices.ingest import Ingest
from tickercast.jobs.prices.sources.base import SourceError
from tickercast.jobs.terminal.secrets import shortened
from tickercast.storage import queries, writes

REFERENCE = "reference"
RETRY_AFTER = timedelta(minutes=15)
LONGEST_MESSAGE = 300


def update_reference(ingest: Ingest, symbol: str, tickers: Sequence[queries.TickerRow]) -> str | None:
    """Fetch what is missing of a reference's bars, and return a note where that failed. tickers: those that read it.

    A reference without bars is looked for where those tickers come from: in their folders, else at Yahoo. Where none of them has
    it, there is no reference, and no note.
    """
    with ingest.engine.connect() as connection:
        stored = queries.ticker_by_symbol(connection, symbol)
        asked = queries.context_requests(connection).get((symbol, REFERENCE))
    if asked is not None and asked.failing_since is not None and ingest.now < asked.asked_at + RETRY_AFTER:
        return _note(symbol, asked.message or "", has_bars=stored is not None and stored.is_bound)
    binding = None if stored is not None and stored.is_bound else _binding(ingest, symbol, tickers)
    if binding is None and (stored is None or not stored.is_bound):
        return None
    ingested = ingest.fetch(symbol, binding)
    message = shortened(str(ingested.error), LONGEST_MESSAGE) if ingested.error else None
    with ingest.engine.begin() as connection:
        writes.note_context_requests(connection, {(symbol, REFERENCE): message}, at=ingest.now)
    return None if message is None else _note(symbol, message, has_bars=ingested.history is not None)


def _binding(ingest: Ingest, symbol: str, tickers: Sequence[queries.TickerRow]) -> Binding | None:
    """Return where a reference without bars comes from, None where no source of some tickers has it."""
    found = None
    for ticker in tickers:
        try:
            binding = ingest.sources.binding_of(ticker)
            if binding.kind == "yahoo":
                found = found or binding
            elif symbol in ingest.sources.open(binding, ticker.symbol).tickers():
                return binding
        except SourceError:  # its bars could not be fetched either, which is an error of its own
            continue
    return found


def _note(symbol: str, message: str, *, has_bars: bool) -> str:
    serves = "its stored bars serve" if has_bars else "forecasts go without it"
    return f"reference {symbol} not fetched ({message.removeprefix(f'{symbol}: ')}); {serves}"
