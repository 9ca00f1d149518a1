"""Forecast from origins of many tickers in memory: no home, no database. The networks, priors and chains are the product's own.

A chain begins at the newest fixed cold start at or before an origin, as it does in every record. So a forecast here has the
numbers that a record of the same bars has. Not here: which origins (forecaster, windows), how they are shown (_frames).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickercast._series import Series
from tickercast.jobs.exchanges.calendars import ExchangeCalendar, exchange_calendar
from tickercast.jobs.forecasting.context import Events, Reference
from tickercast.jobs.forecasting.prior import FAMILIES
from tickercast.jobs.forecasting.stack import forecast_stack
from tickercast.jobs.forecasting.tasks import Prior, StackTask, TickerTask, newest_prior, priors_of_block
from tickercast.jobs.runs.backlog import backfill_due_sessions
from tickercast.jobs.runs.bundle import as_prior, matching_priors
from tickercast.jobs.runs.spans import origin_of, session_days
from tickercast.jobs.runs.workers import worker_pool
from tickercast.jobs.workspace.config import Config
from tickercast.storage.bars import Bars
from tickercast.storage.rows import OriginRow

STACK = 128  # most networks that are trained together
RECORDED_AT = datetime(1970, 1, 1, tzinfo=UTC)  # of bars whose recording nobody noted

Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Context:
    """What forecasts read beside the bars: the volatility index of exchanges by their code, and companies' reports by key."""

    references: Mapping[str, Reference] = field(default_factory=dict)
    events: Mapping[str, Events] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A ticker and the positions among its bars, in order, that it is forecast from."""

    series: Series
    positions: Positions


@dataclass(frozen=True, slots=True)
class Forecasts:
    """The forecasts of one ticker, by origin, those wanted that could be made. notes: what happened in its trainings."""

    series: Series
    rows: tuple[OriginRow, ...]
    notes: tuple[str, ...] = ()


def forecast_panel(wanted: Sequence[Wanted], config: Config, context: Context, workers: int = 1) -> list[Forecasts]:
    """Return the forecasts of each ticker from its origins, in the order given. workers: processes that share the work."""
    priors = tuple(as_prior(prior, config) for prior in matching_priors(config)) if config.prior == "bundled" else ()
    tasks = [
        _task(exchange, numbered, config, priors, context)
        for exchange, group in _by_exchange(wanted)
        for numbered in _parts(group, workers)
    ]
    found: dict[int, list[OriginRow]] = {}
    notes: dict[int, list[str]] = {}
    with worker_pool(min(workers, len(tasks))) as submit:
        for future in [submit(forecast_stack, task) for task in tasks]:
            result = future.result()
            for row in result.origins:
                found.setdefault(row.ticker_id, []).append(row)
            for event in result.events:
                notes.setdefault(event.ticker_id, []).append(f"{event.session}: {event.message}")
    return [
        Forecasts(each.series, tuple(_wanted_rows(each, found.get(number, []))), tuple(notes.get(number, ())))
        for number, each in enumerate(wanted)
    ]


def unserved(wanted: Sequence[Wanted], config: Config) -> list[Any]:
    """Return the ids of the tickers whose first cold start has no bundled prior, and begins from scratch."""
    if config.prior != "bundled":
        return []
    priors = tuple(as_prior(prior, config) for prior in matching_priors(config))
    return [
        each.series.unique_id
        for each in wanted
        if newest_prior(priors, _walk(each, config)[0], FAMILIES[each.series.kind]) is None
    ]


def _task(
    exchange: str, numbered: Sequence[tuple[int, Wanted]], config: Config, priors: tuple[Prior, ...], context: Context
) -> StackTask:
    """Return the task of some tickers of one exchange, each with its number among all."""
    calendar = exchange_calendar(exchange)
    tickers = tuple(_ticker_task(number, each, config, context) for number, each in numbered)
    days = sorted({day for ticker in tickers for day in ticker.due})
    first = min(ticker.bars.session[0].item() for ticker in tickers)
    families = {FAMILIES[ticker.kind] for ticker in tickers}
    return StackTask(
        config,
        exchange,
        session_days(calendar, first, days[-1]),
        tuple(origin_of(calendar, day, config.horizons) for day in days),
        tickers,
        priors=priors_of_block(priors, days, families, ()),
        reference=context.references.get(exchange),
    )


def _ticker_task(number: int, wanted: Wanted, config: Config, context: Context) -> TickerTask:
    series, due = wanted.series, frozenset(_walk(wanted, config))
    bars = series.bars.select(slice(0, int(wanted.positions[-1]) + 1)).recorded(RECORDED_AT, "frame")
    return TickerTask(number, series.key, "as_traded", bars, due, None, kind=series.kind, events=context.events.get(series.key))


def _walk(wanted: Wanted, config: Config) -> list[date]:
    """Return the sessions, oldest first, that the chains of the wanted origins go through."""
    bars, positions = wanted.series.bars, wanted.positions
    if not config.cold_every:  # one chain, from the first origin on; of preset article from the end of its training part
        through = bars.select(slice(0, int(positions[0]) + 1))
        begin = through.session[-1].item()
        if config.preset == "article":
            begin = backfill_due_sessions(through, None, None, config)[0]
        return _days(bars, int(np.searchsorted(bars.session, np.datetime64(begin))), int(positions[-1]))
    starts = _chain_starts(bars, positions, exchange_calendar(wanted.series.exchange), config)
    walked = np.zeros(len(bars), np.bool_)
    for start, position in zip(starts.tolist(), positions.tolist(), strict=True):
        walked[start : position + 1] = True
    days: list[date] = bars.session[walked].tolist()
    return days


def _chain_starts(bars: Bars, positions: Positions, calendar: ExchangeCalendar, config: Config) -> Positions:
    """Return (n,): the positions where the chains of origins at some positions (n,) begin, the newest fixed cold starts.

    Where there is none yet, it is the first bar that has enough bars before it.
    """
    first = config.fewest_sessions - 1
    is_cold = calendar.indices(bars.session[first:]) % config.cold_every == 0
    starts = np.union1d([first], first + np.flatnonzero(is_cold))
    begins: Positions = starts[np.searchsorted(starts, positions, side="right") - 1]
    return begins


def _days(bars: Bars, first: int, last: int) -> list[date]:
    days: list[date] = bars.session[first : last + 1].tolist()
    return days


def _wanted_rows(wanted: Wanted, rows: Iterable[OriginRow]) -> list[OriginRow]:
    origins = set(_at(wanted.series.bars, wanted.positions))
    return sorted((row for row in rows if row.origin in origins), key=lambda row: row.origin)


def _at(bars: Bars, positions: Positions) -> list[date]:
    days: list[date] = bars.session[positions].tolist()
    return days


def _by_exchange(wanted: Sequence[Wanted]) -> Iterable[tuple[str, list[tuple[int, Wanted]]]]:
    numbered = sorted(enumerate(wanted), key=lambda pair: (pair[1].series.exchange, pair[1].series.key))
    for exchange, group in groupby(numbered, key=lambda pair: pair[1].series.exchange):
        yield exchange, list(group)


def _parts(group: Sequence[tuple[int, Wanted]], workers: int) -> list[Sequence[tuple[int, Wanted]]]:
    """Return a group in parts of even size: no larger than a stack, and one for each worker where it is large."""
    count = max(-(-len(group) // STACK), min(workers, -(-len(group) // 8)))
    return [group[i::count] for i in range(count)]
