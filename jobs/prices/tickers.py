"""The tickers that the daily run follows, and their symbols. Each command's function returns a line to print."""

from __future__ import annotations

from collections.abc import Sequence

from tickercast.jobs import clock
from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.calendars import exchange_calendar, require_calendars
from tickercast.jobs.exchanges.symbols import exchange_of, parse_symbol
from tickercast.jobs.prices.bindings import Sources, bound_to
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries, writes
from tickercast.storage.bars import Listing
from tickercast.storage.database import Connection, Engine
from tickercast.storage.errors import TickerSourceFixed, not_stored


def track(
    home: Home,
    engine: Engine,
    symbols: Sequence[str],
    *,
    source: str | None = None,
    adjustment: str | None = None,
    kind: str | None = None,
) -> str:
    """Follow some tickers, and return what was done. source, adjustment: where their prices come from; None = the settings'.

    kind: of security; None = as the source or the symbol says. A ticker keeps its source from its first stored bar on, where only
    its folder may move, and its kind from its first forecast on. Raises SourceSettings for a source that cannot be opened,
    TickerSourceFixed for another source or kind than a ticker has, CalendarError for an exchange without a calendar.
    """
    wanted = list(dict.fromkeys(parse_symbol(symbol) for symbol in symbols))
    require_calendars(wanted)
    sources = Sources(home, source, adjustment)
    with engine.begin() as connection:
        for symbol in wanted:
            ticker = queries.ticker_by_symbol(connection, symbol) or _added(connection, symbol, home.settings.source.kind)
            writes.update_ticker(connection, ticker.id, tracked=1)
            if kind is not None:
                _refuse_other_kind(connection, ticker, kind)
                writes.update_ticker(connection, ticker.id, kind=kind)
            binding = bound_to(sources, ticker)
            if binding is not None:
                sources.open(binding, symbol)
                values = {"source": binding.kind, "source_path": binding.path, "adjustment": binding.adjustment}
                writes.update_ticker(connection, ticker.id, **values)
    return f"{', '.join(wanted)} tracked; `tickercast run` forecasts from the newest closed session"


def _refuse_other_kind(connection: Connection, ticker: queries.TickerRow, kind: str) -> None:
    """Raise TickerSourceFixed where a ticker with forecasts has another kind: its forecasts began from that kind's priors."""
    if ticker.kind in (None, kind) or not queries.has_forecasts(connection, ticker.id):
        return
    raise TickerSourceFixed(
        f"{ticker.symbol} has forecasts as {ticker.kind} and keeps that kind for life; nothing was changed; leave --kind out, or "
        "store it in another home"
    )


def _added(connection: Connection, symbol: str, source: str) -> queries.TickerRow:
    """Add a ticker without bars, and return it. Its first fetch sets currency and price basis: only the source knows them."""
    exchange = exchange_of(symbol)
    listing = Listing(symbol, "", exchange, exchange_calendar(exchange).time_zone, "")
    writes.add_ticker(connection, symbol, listing, source=source, tracked=True, at=clock.now())
    return stored_ticker(connection, symbol)


def untrack(engine: Engine, symbols: Sequence[str]) -> str:
    """Stop following some tickers, keep their record, and return what was done. Raises UnknownStoredTicker."""
    wanted = list(dict.fromkeys(parse_symbol(symbol) for symbol in symbols))
    with engine.begin() as connection:
        for symbol in wanted:
            writes.update_ticker(connection, stored_ticker(connection, symbol).id, tracked=0)
    return f"{', '.join(wanted)} no longer tracked; the record stays"


def rename(engine: Engine, old: str, new: str) -> str:
    """Give a ticker another symbol from today on, and return what was done.

    Raises UnknownStoredTicker, and UsageError for a new symbol that is already stored.
    """
    old, new = parse_symbol(old), parse_symbol(new)
    with engine.begin() as connection:
        ticker = stored_ticker(connection, old)
        if queries.ticker_by_symbol(connection, new) is not None:
            raise UsageError(f"{new} is already stored; nothing was renamed")
        writes.rename_ticker(connection, ticker.id, new, on=clock.now().date())
    return f"{old} is {new} from today on; its record continues under {new}"


def stored_ticker(connection: Connection, symbol: str) -> queries.TickerRow:
    """Return the ticker of a symbol. Raises UnknownStoredTicker."""
    ticker = queries.ticker_by_symbol(connection, symbol)
    if ticker is None:
        raise not_stored(symbol)
    return ticker
