"""Which priors of a universe are due, and who their members are: the tickers that the settings name, with enough bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from tickercast.jobs.exchanges.calendars import ExchangeCalendar, exchange_calendar
from tickercast.jobs.forecasting.context import Reference, SessionDays
from tickercast.jobs.forecasting.prior import UNIVERSE, Member, PriorTask
from tickercast.jobs.forecasting.tasks import prior_indices_of
from tickercast.jobs.runs.spans import session_days
from tickercast.jobs.workspace.config import Config
from tickercast.storage.bars import Bars

FEWEST_MEMBER_BARS = 300


def cutoffs_of(config: Config, calendar: ExchangeCalendar, origins: Sequence[date]) -> list[date]:
    """Return the sessions from which the universe's priors of some origins serve, oldest first."""
    indices = prior_indices_of((calendar.session_index(day) for day in origins), config.prior_every)
    return [calendar.session_at(index) for index in sorted(indices) if index > 0]


def due_priors(
    config: Config,
    calendar: ExchangeCalendar,
    cutoffs: Sequence[date],
    members: Sequence[Member],
    references: Mapping[str, Reference],
) -> Iterator[PriorTask]:
    """Yield the fit of a universe's prior at some sessions of an exchange; none where too few bars were known.

    A prior reads bars up to the session before the one it serves from. members: with all bars that are stored.
    """
    for cutoff in cutoffs:
        before = calendar.session_offset(cutoff, -1)
        chosen = _chosen([_known(member, calendar.code, before) for member in members], config.prior_sessions)
        if chosen:
            yield PriorTask(config, UNIVERSE, calendar.code, cutoff, chosen, calendars_of(chosen), references)


def members_before(members: Sequence[Member], cutoff: date, most: int) -> tuple[Member, ...]:
    """Return the members with enough bars of sessions before a day, with the newest of those bars."""
    day_before = cutoff - timedelta(days=1)
    return _chosen([replace(m, bars=m.bars.through(day_before)) for m in members], most)


def calendars_of(members: Sequence[Member]) -> dict[str, SessionDays]:
    """Return the sessions of each exchange of some members over all of their bars."""
    calendars = {}
    for exchange in sorted({member.exchange for member in members}):
        spans = [member.bars.session[[0, -1]] for member in members if member.exchange == exchange]
        first, last = min(span[0] for span in spans).item(), max(span[1] for span in spans).item()
        calendars[exchange] = session_days(exchange_calendar(exchange), first, last)
    return calendars


def end_of_service(config: Config, calendar: ExchangeCalendar, cutoff: date) -> date:
    """Return the session from which the next prior of a universe serves; the last day there is where no calendar reaches it."""
    index = calendar.session_index(cutoff) + config.prior_every
    return calendar.session_at(index) if index < len(calendar.sessions) else date.max


def _chosen(members: Sequence[Member], most: int) -> tuple[Member, ...]:
    """Return the members with enough bars, by key, each with its newest bars."""
    newest = [
        replace(m, bars=m.bars.select(slice(max(0, len(m.bars) - most), len(m.bars))))
        for m in members
        if len(m.bars) >= FEWEST_MEMBER_BARS
    ]
    return tuple(sorted(newest, key=lambda member: member.key))


def _known(member: Member, exchange: str, before: date) -> Member:
    """Return a member with the bars whose sessions had closed when a session of an exchange did."""
    return replace(member, bars=_known_bars(member, exchange, before))


def _known_bars(member: Member, exchange: str, before: date) -> Bars:
    if member.exchange == exchange:
        return member.bars.through(before)
    instant = exchange_calendar(exchange).close_at(before)
    last = exchange_calendar(member.exchange).last_closed_session(instant, 0)
    return member.bars.through(last) if last else member.bars.select(slice(0, 0))
