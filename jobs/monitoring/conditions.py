"""What is worth a notice now: late and failing tickers, quarantined bars, a short disk, damage, surprises. Everything here reads.

Not here: who was told about what before, and when messages are sent (jobs.runs.notices), or what a message says (messages).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tickercast.jobs.clock import utc_minute
from tickercast.jobs.monitoring.state import MEGABYTE, HomeState, is_late
from tickercast.jobs.terminal.text import counted, printable
from tickercast.jobs.workspace.limits import Limits
from tickercast.storage.connection import Reader
from tickercast.storage.errors import Corrupt, StoreRefused, StoreUnavailable
from tickercast.storage.files import sha256_of
from tickercast.storage.monitoring import TickerFacts
from tickercast.storage.notices import NewOutcome, NoticeRow, current_price_file
from tickercast.storage.price_store import PriceAddress, price_store

Kind = Literal["late", "failing", "quarantined", "disk", "integrity", "outside", "backup"]
LONGEST_REASON = 300  # characters of an error in a message
# A disk is short until a fifth more is free than the settings want, so that one near the limit causes no message an hour.
ENOUGH = 1.2
INTERVAL_98 = (0.01, 0.99)
FINDINGS = ("record", "record (deep check)")  # subjects of what `verify` and `verify --deep` found


@dataclass(frozen=True, slots=True)
class Found:
    """A condition that holds now. begins: whether it is enough for a notice to begin; else one that lasts goes on.

    at: when it began, None = now. An outside price has no end.
    """

    kind: Kind
    subject: str
    message: str
    begins: bool = True
    at: datetime | None = None


def changes(lasting: Sequence[NoticeRow], found: Iterable[Found], now: datetime) -> tuple[list[NoticeRow], list[NoticeRow]]:
    """Return the notices that begin, and those of the lasting ones that have ended."""
    held = {(item.kind, item.subject): item for item in found}
    known = {(row.kind, row.subject) for row in lasting}
    begun = [
        NoticeRow(item.kind, item.subject, item.at or now, item.message, ended_at=item.at if item.kind == "outside" else None)
        for key, item in held.items()
        if item.begins and key not in known
    ]
    return begun, [row for row in lasting if (row.kind, row.subject) not in held]


def ticker_conditions(tickers: Iterable[TickerFacts], limits: Limits, now: datetime) -> Iterator[Found]:
    """Yield what is wrong with tickers. A ticker that is told about for another reason does not also become late."""
    for ticker in tickers:
        if not ticker.tracked:
            continue
        is_failing = ticker.failures >= limits.failures
        if ticker.held_bars:
            yield Found("quarantined", ticker.symbol, _quarantined(ticker))
        if ticker.failures:
            yield Found("failing", ticker.symbol, _failing(ticker), begins=is_failing)
        if ticker.missed or not ticker.has_sessions:
            is_explained = ticker.held_bars > 0 or is_failing or ticker.status in ("suspended", "too_short")
            is_told = _is_told_late(ticker, limits, now)
            yield Found("late", ticker.symbol, _late(ticker), begins=is_told and not is_explained)


def next_late(tickers: Iterable[TickerFacts], limits: Limits, now: datetime) -> datetime | None:
    """Return when the next ticker becomes late unless it gets its forecasts before, None when none does by what is known."""
    due = [ticker.missed_since + limits.told_late for ticker in tickers if ticker.tracked and ticker.missed_since is not None]
    return min((at for at in due if at > now), default=None)


def disk_condition(state: HomeState) -> Iterator[Found]:
    """Yield that the disk is short."""
    wanted = state.limits.disk_free_megabytes
    if state.disk.free < ENOUGH * wanted * MEGABYTE:
        free = f"{state.disk.free / MEGABYTE:.0f} MB"
        yield Found("disk", "disk", f"{free} of disk are free where the store is; make room", begins=state.is_disk_short)


def damage(connection: Reader, prices: PriceAddress, tickers: Iterable[TickerFacts], known: set[str]) -> Iterator[Found]:
    """Yield the damaged price files of tickers that fail, and of those in known, which were damaged before.

    While their store does not answer, damage that was known lasts, and none begins.
    """
    for subject in known.intersection(FINDINGS):
        yield Found("integrity", subject, "", begins=False)  # until a later `verify` is content
    for ticker in tickers:
        if not ticker.failures and ticker.symbol not in known:
            continue
        try:
            is_damaged = _is_damaged(connection, prices, ticker)
        except (StoreUnavailable, StoreRefused):
            yield from (Found("integrity", subject, "", begins=False) for subject in sorted(known.difference(FINDINGS)))
            return
        if is_damaged:
            told = f"{ticker.symbol}: its price file is damaged; its forecasts stay; `tickercast repair {ticker.symbol}` mends it"
            yield Found("integrity", ticker.symbol, told)


def outside_intervals(outcomes: Sequence[NewOutcome]) -> Iterator[Found]:
    """Yield the prices outside of the 98 % interval of their forecast. Each is over when it begins."""
    if not outcomes:
        return
    import numpy as np

    from tickercast.jobs.scoring.distributions import student_t_quantiles

    location, scale, dof = np.array([(o.location, o.scale, np.nan if o.dof is None else o.dof) for o in outcomes]).T
    bounds = student_t_quantiles(location, scale, dof, INTERVAL_98)
    for outcome, (low, high) in zip(outcomes, bounds, strict=True):
        if not low <= outcome.realised_return <= high:
            yield Found("outside", outcome.symbol, _outside(outcome, float(low), float(high)), at=outcome.close_at)


def _outside(outcome: NewOutcome, low: float, high: float) -> str:
    came, lowest, highest = (f"{outcome.last_price * math.exp(value):.2f}" for value in (outcome.realised_return, low, high))
    return (
        f"{outcome.symbol}: the {outcome.field} of {outcome.target} is {came}, outside the 98 % interval {lowest} to {highest}, "
        f"forecast from {outcome.origin}"
    )


def _is_damaged(connection: Reader, prices: PriceAddress, ticker: TickerFacts) -> bool:
    file = current_price_file(connection, ticker.id)
    if file is None:
        return False
    path, sha256 = file
    try:
        return sha256_of(price_store(prices).read(path)) != sha256
    except Corrupt:
        return True


def _is_told_late(ticker: TickerFacts, limits: Limits, now: datetime) -> bool:
    """Return whether a ticker is late and was so for long enough to be told about."""
    return is_late(ticker, now) and (ticker.missed_since is None or ticker.missed_since + limits.told_late <= now)


def _late(ticker: TickerFacts) -> str:
    if ticker.missed_since is None:
        return f"{ticker.symbol} has no forecast yet, and no session of {ticker.exchange} is stored"
    closed = f"the first closed at {utc_minute(ticker.missed_since)}"
    last = f"last forecast from {ticker.last_origin}" if ticker.last_origin else "no forecast yet"
    return f"{ticker.symbol} is late: {counted(ticker.missed, 'closed session')} without forecasts, {closed}; {last}"


def _failing(ticker: TickerFacts) -> str:
    since = f" since {utc_minute(ticker.failing_since)}" if ticker.failing_since else ""
    reason = printable(ticker.failure or "")[:LONGEST_REASON]
    return f"{ticker.symbol} failed {counted(ticker.failures, 'time')} in a row{since}: {reason}"


def _quarantined(ticker: TickerFacts) -> str:
    bars, symbol = counted(ticker.held_bars, "bar"), ticker.symbol
    return f"{symbol}: {bars} quarantined, no forecasts until `tickercast release {symbol}` or `refuse {symbol}` decides"
