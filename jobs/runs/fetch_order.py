"""In which order a daily run fetches its tickers: first who has waited longest for a bar, last who failed the last time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from tickercast.jobs.exchanges.calendars import CalendarError, exchange_calendar
from tickercast.jobs.exchanges.references import REFERENCES
from tickercast.storage import queries
from tickercast.storage.database import Engine

NEVER = datetime.max.replace(tzinfo=UTC)
SortKey = tuple[int, datetime, str]


def by_waiting_time(engine: Engine, symbols: Sequence[str], after_close_minutes: int) -> list[str]:
    """Return some tickers in the order in which they are requested.

    A ticker waits since its first session without a bar was complete, one without bars since it was added; ties go by its key.
    What failed the last time comes after all others: it may fail slowly, and its bar may not exist. References come first,
    because forecasts of others read them. An instant ahead is that of a session still to close: such a ticker needs no request.
    """
    with engine.connect() as connection:
        states = queries.fetch_states(connection)
    complete_at: dict[tuple[str, date], datetime] = {}
    keys = {symbol: _sort_key(symbol, states, complete_at, after_close_minutes) for symbol in symbols}
    return sorted(symbols, key=lambda symbol: keys[symbol])


def _sort_key(
    symbol: str,
    states: Mapping[str, queries.FetchState],
    complete_at: dict[tuple[str, date], datetime],
    after_close_minutes: int,
) -> SortKey:
    """Return what a ticker is sorted by. complete_at: when the session after one is complete, by exchange and session."""
    state = states.get(symbol)
    if state is None:
        return (1, NEVER, symbol)
    group = 0 if symbol in REFERENCES.values() else 2 if state.has_failed else 1
    if state.last_bar is None:
        return (group, state.added_at, state.key)
    session = state.exchange, state.last_bar
    if session not in complete_at:
        complete_at[session] = _next_complete(*session, after_close_minutes)
    return (group, complete_at[session], state.key)


def _next_complete(exchange: str, last_bar: date, after_close_minutes: int) -> datetime:
    """Return when the bar of the session after another one is complete. Where no calendar says it, the ticker comes last."""
    try:
        calendar = exchange_calendar(exchange)
        return calendar.close_at(calendar.session_offset(last_bar, 1)) + timedelta(minutes=after_close_minutes)
    except CalendarError:
        return NEVER
