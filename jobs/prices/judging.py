"""Judges one response of a source: drops sessions that have not closed, applies the gates, merges the rest with stored bars.

No I/O. Not here: the request and what is written (jobs.prices.ingest).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np

from tickercast.jobs.exchanges.calendars import ExchangeCalendar, exchange_calendar
from tickercast.jobs.prices.gates import apply_gates, notes
from tickercast.jobs.prices.sources.base import BadSourceData, Fetch
from tickercast.jobs.prices.stored_prices import StoredPrices
from tickercast.jobs.prices.told import as_told
from tickercast.jobs.prices.verdicts import NOTED, QUARANTINED, REFUSED, Verdict
from tickercast.jobs.terminal.text import counted
from tickercast.storage.bars import Bars, Listing, Merge, as_known, merge_bars
from tickercast.storage.days import are_among

FUTURE_FROM = timedelta(days=2)  # from the date in UTC; an exchange can be one day ahead of it
GAPS_SHOWN = 5
FEWEST_TO_SHRINK = 4


@dataclass(frozen=True, slots=True)
class JudgedFetch:
    """One response of the source, judged and merged.

    verdicts: of refused rows, quarantined bars and missing sessions. confirmed: stored bars that it gave again and that passed.
    is_final: no bar of it waits for its session to close.
    """

    merge: Merge
    verdicts: list[Verdict]
    missing: list[date]
    confirmed: int = 0
    is_final: bool = False

    @property
    def is_in_doubt(self) -> bool:
        """Return whether a bar is quarantined by it."""
        return any(verdict.state == QUARANTINED for verdict in self.verdicts)


def judged_fetch(stored: StoredPrices, fetch: Fetch, source: str, now: datetime, after_close_minutes: int) -> JudgedFetch:
    """Return a fetch after gates and merge. Raises BadSourceData where a first fetch has no bar to store."""
    listing = _stored_listing(stored, fetch.listing)
    calendar = exchange_calendar(listing.exchange)
    bars, outside = _closed_sessions(calendar, fetch.bars, now, after_close_minutes)
    before = stored.bars
    bars = as_told(bars, before, stored.told)
    judgement = apply_gates(before, bars, stored.dismissed)
    refused = [Verdict(row.session, REFUSED, row.code, row.reason) for row in fetch.refused]
    verdicts = [*refused, *outside, *judgement.verdicts, *_shrunken(before, bars)]
    if stored.history is None and not len(judgement.admitted):
        raise BadSourceData(f"{stored.symbol}: no bar of a closed session can be stored; {_first_reason(verdicts)}")
    merge = merge_bars(stored.history, listing, judgement.admitted, recorded_at=now, source=source)
    known = as_known(merge.history)
    explained = {verdict.session for verdict in verdicts} | stored.judged
    missing = _new_gaps(calendar, known, before, explained)
    verdicts += _gap_notes(calendar, missing)
    verdicts += notes(known, stored.file.last_session if stored.file else None)
    confirmed = int(are_among(before.session, judgement.admitted.session).sum()) if before is not None else 0
    unopened = len(fetch.bars) - len(bars) - sum(verdict.code == "no session" for verdict in outside)
    return JudgedFetch(merge, verdicts, missing, confirmed, is_final=not unopened)


def _stored_listing(stored: StoredPrices, listing: Listing) -> Listing:
    """Return a response's listing with the stored exchange. Raises BadSourceData for another price basis or currency."""
    ticker = stored.ticker
    if ticker is None or stored.file is None:
        return replace(listing, ticker=stored.key)
    for name, ours, theirs in (
        ("on basis", ticker.price_basis, listing.price_basis),
        ("in currency", ticker.currency, listing.currency),
    ):
        if ours and theirs and ours != theirs:
            raise BadSourceData(f"{stored.symbol}: stored prices are {name} {ours}, these are {theirs}")
    return replace(listing, ticker=stored.key, exchange=ticker.exchange)


def _closed_sessions(
    calendar: ExchangeCalendar, bars: Bars, now: datetime, after_close_minutes: int
) -> tuple[Bars, list[Verdict]]:
    """Return the bars of closed sessions, and verdicts on those of days that are no session or have not started.

    A bar from after the last closed session up to tomorrow is left out without a verdict. It is judged once a session of its
    day or later has closed: a verdict now would stand beside a bar that is stored tomorrow.
    """
    future = bars.select(bars.session >= np.datetime64(now.date() + FUTURE_FROM))
    last = calendar.last_closed_session(now, after_close_minutes)
    closed = bars.through(last) if last else bars.select(slice(0, 0))
    is_session = calendar.are_sessions(closed.session)
    verdicts = [Verdict(day, REFUSED, "future", "a session that has not started") for day in future.session.tolist()]
    for day in closed.session[~is_session].tolist():
        verdicts.append(Verdict(day, REFUSED, "no session", f"not a session of {calendar.code}"))
    return closed.select(is_session), verdicts


def _new_gaps(calendar: ExchangeCalendar, known: Bars, before: Bars | None, explained: Set[date]) -> list[date]:
    """Return the sessions without a bar and without a verdict, outside of the span that was stored before.

    A gap inside of it was requested again and noted when it came about.
    """
    missing: list[date] = [day for day in calendar.missing_sessions(known.session).tolist() if day not in explained]
    if before is None or not len(before):
        return missing
    first, last = before.session[0].item(), before.session[-1].item()
    return [day for day in missing if not first < day < last]


def _gap_notes(calendar: ExchangeCalendar, missing: Sequence[date]) -> Iterator[Verdict]:
    """Yield one note for each run of consecutive missing sessions."""
    runs: list[list[date]] = []
    for day in missing:
        if runs and calendar.session_index(day) == calendar.session_index(runs[-1][-1]) + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    for run in runs:
        shown = ", ".join(str(day) for day in run[:GAPS_SHOWN]) + (", ..." if len(run) > GAPS_SHOWN else "")
        yield Verdict(run[0], NOTED, "gap", f"{counted(len(run), 'session')} without a bar: {shown}")


def _shrunken(stored: Bars | None, incoming: Bars) -> Iterator[Verdict]:
    """Yield a note where the source delivered fewer than half of the bars that are stored from its first session on."""
    if stored is None or not len(incoming):
        return
    expected = stored.select(stored.session >= incoming.session[0])
    delivered = int(are_among(expected.session, incoming.session).sum())
    if len(expected) >= FEWEST_TO_SHRINK and delivered < len(expected) / 2:
        message = f"the source delivered {delivered} of {len(expected)} stored bars; the stored ones stay"
        yield Verdict(expected.session[-1].item(), NOTED, "shrunken", message)


def _first_reason(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "the source delivered none"
    first = verdicts[0]
    were = "was" if len(verdicts) == 1 else "were"
    return f"{counted(len(verdicts), 'bar')} {were} refused or quarantined, first {first.session} {first.code}: {first.message}"
