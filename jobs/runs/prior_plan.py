"""Which priors are due, and their members: the tickers of the run with enough bars."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date

from jobs.exchanges.calendars import exchange_calendar
from jobs.forecasting.inputs import Market
from jobs.forecasting.prior import Member, PriorTask
from jobs.forecasting.tasks import prior_indices_of
from jobs.runs.backlog import TickerBacklog
from jobs.workspace.config import Config
from storage.bars import Bars

# More members did not improve a prior. Which ones are chosen does not depend on their order.
MOST_MEMBERS = 128
FEWEST_MEMBER_BARS = 300


def due_priors(
    config: Config, exchange: str, origins: Sequence[date], tickers: Sequence[TickerBacklog], market: Market | None
) -> Iterator[PriorTask]:
    """Yield the fit of each prior that some origins of an exchange need, oldest first; none where too few bars were known.

    A prior reads bars up to the session before the one it serves from.
    """
    calendar = exchange_calendar(exchange)
    for index in sorted(prior_indices_of((calendar.session_index(day) for day in origins), config.prior_every)):
        if index < 1:
            continue
        session, before = calendar.session_at(index), calendar.session_at(index - 1)
        known = [
            Member(t.ticker_id, t.key, t.exchange, _newest_known(t, exchange, before, config.prior_sessions))
            for t in sorted(tickers, key=lambda t: hashlib.sha256(t.key.encode()).digest())
        ]
        chosen = [member for member in known if len(member.bars) >= FEWEST_MEMBER_BARS][:MOST_MEMBERS]
        if chosen:
            yield PriorTask(config, exchange, session, index, tuple(sorted(chosen, key=lambda m: m.key)), market)


def _newest_known(ticker: TickerBacklog, exchange: str, before: date, most: int) -> Bars:
    """Return the newest bars of a ticker whose sessions had closed when an exchange's session did."""
    bars = ticker.bars.through(before)
    if ticker.exchange != exchange:
        instant = exchange_calendar(exchange).close_at(before)
        last = exchange_calendar(ticker.exchange).last_closed_session(instant, 0)
        bars = ticker.bars.through(last) if last else ticker.bars.select(slice(0, 0))
    return bars.select(slice(max(0, len(bars) - most), len(bars)))
