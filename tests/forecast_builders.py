"""Forecasts on the sample's real prices that several tests share: homes filled day by day or in one go, and pure tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np

from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.forecasting.tasks import StackResult, StackTask, TickerTask
from tickercast.jobs.prices.sources.sample import SampleSource
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.backlog import TickerBacklog
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.runs.spans import origin_of, session_days
from tickercast.jobs.workspace.config import PRESETS, Config
from tickercast.jobs.workspace.home import Home
from tickercast.storage.bars import Bars
from tickercast.storage.database import open_writer, reading
from tickercast.storage.queries import read_view
from tickercast.storage.rows import ModelRow, OriginRow
from tickercast.storage.verify import content_hash

TICKERS = ("AAPL", "IBM", "MSFT")
SMALL = replace(PRESETS["density"], history_sessions=260, cold_epochs=3)
SMALL_SETTINGS = '[source]\nkind = "sample"\n[training]\ncold_epochs = 3\n[model]\nhistory_sessions = 260\n'
WITH_PRIORS = replace(SMALL, prior="universe", universe=TICKERS, bundle=0, prior_every=63, prior_sessions=400, prior_steps=3)
PRIOR_SETTINGS = (
    '[source]\nkind = "sample"\n[model]\nhistory_sessions = 260\nprior = "universe"\n'
    '[prior]\nuniverse = ["AAPL", "IBM", "MSFT"]\n'
    "[training]\nprior_every = 63\nprior_sessions = 400\nprior_steps = 3\ntune_epochs = 1\n"
)


def ten_sessions() -> list[date]:
    """Return ten sessions of the sample with a fixed cold start among them."""
    calendar = exchange_calendar("XNYS")
    before_december = (day for day in calendar.sessions[::-1].tolist() if day <= date(2012, 12, 1))
    cold = next(day for day in before_december if calendar.session_index(day) % SMALL.cold_every == 0)
    return [calendar.session_offset(cold, offset) for offset in range(-5, 5)]


def sample(ticker: str) -> Bars:
    """Return a sample ticker's bars, recorded after their last session."""
    return SampleSource().fetch(ticker, None).bars.recorded(datetime(2013, 6, 1, tzinfo=UTC), "sample")


def sessions(first: str, last: str) -> list[date]:
    """Return New York's sessions from a day to another one, inclusive."""
    days = exchange_calendar("XNYS").sessions
    found: list[date] = days[(days >= np.datetime64(first)) & (days <= np.datetime64(last))].tolist()
    return found


def moved(bars: Bars, last: str = "2016-02-01", count: int = 320) -> Bars:
    """Return the newest bars of a ticker on the sessions up to another day, so that bundled priors serve them."""
    days = np.array(sessions("2008-01-01", last)[-count:], dtype="datetime64[D]")
    return replace(bars.select(slice(-count, None)), session=days)


def hash_of(home: Home) -> str:
    """Return the content hash of a home's record."""
    with reading(home.database) as connection:
        return content_hash(connection)


def day_by_day(home: Home, days: Sequence[date]) -> Home:
    """Track three tickers and do one daily run at the end of each day."""
    engine = open_writer(home.database)
    track(home, engine, TICKERS)
    for day in days:
        run_once(home, engine, now=datetime.combine(day, time(23), UTC), workers=1)
    engine.dispose()
    return home


def in_one_go(home: Home, days: Sequence[date], *, workers: int = 1) -> Home:
    """Backfill three tickers from the first to the last day."""
    engine = open_writer(home.database)
    backfill_span(home, engine, BackfillRequest(TICKERS, days[0], days[-1], source="sample", workers=workers))
    engine.dispose()
    return home


def backlog(key: str, bars: Bars, exchange: str = "XNYS") -> TickerBacklog:
    """Return a ticker with bars and nothing due."""
    return TickerBacklog(1, key, key, exchange, "as_traded", bars, (), frozenset())


def task_of(bars: dict[str, Bars], days: Sequence[date], config: Config = SMALL) -> StackTask:
    """Return a task of New York tickers without a chain, all due on some days. Ticker ids count from 0."""
    calendar = exchange_calendar("XNYS")
    origins = tuple(origin_of(calendar, day, config.horizons) for day in days)
    tickers = tuple(
        TickerTask(i, key, "as_traded", series, frozenset(days), None) for i, (key, series) in enumerate(bars.items())
    )
    first = min(series.session[0].item() for series in bars.values())
    return StackTask(config, "XNYS", session_days(calendar, first, days[-1]), origins, tickers)


def rows_of(result: StackResult, ticker_id: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a ticker's forecasts and models without what may differ between two computations."""
    origins, models = result.origins, result.models
    return [_content(row) for row in origins if row.ticker_id == ticker_id], [
        _content(row) for row in models if row.ticker_id == ticker_id
    ]


def ticker_rows(home: Home, ticker: str) -> list[tuple[Any, ...]]:
    """Return a ticker's models, forecasts and scores without instants and run ids."""
    with reading(home.database) as connection:
        forecasts = read_view(connection, "forecast_history", [ticker])
        scores = read_view(connection, "scored_forecast", [ticker])
        lineage = read_view(connection, "model_lineage", [ticker])
    return [
        tuple(v for name, v in zip(found.columns, row, strict=True) if name not in ("made_at", "known_at", "run_id", "seconds"))
        for found in (forecasts, scores, lineage)
        for row in found.rows
    ]


def scrambled_after(bars: Bars, origin: date, rng: np.random.Generator) -> Bars:
    """Return bars with every value after the origin replaced, splits and dividends too."""
    later = bars.session > np.datetime64(origin)
    noise = np.exp(rng.normal(0, 0.5, len(bars)))
    prices = {name: np.where(later, getattr(bars, name) * noise, getattr(bars, name)) for name in ("open", "close")}
    prices["high"] = np.where(later, np.maximum(prices["open"], prices["close"]) * 1.2, bars.high)
    prices["low"] = np.where(later, np.minimum(prices["open"], prices["close"]) * 0.8, bars.low)
    return replace(
        bars,
        **prices,
        volume=np.where(later, rng.integers(0, 10**9, len(bars)), bars.volume),
        split=np.where(later, rng.choice([1.0, 2.0, 0.1], len(bars)), bars.split),
        dividend=np.where(later, rng.uniform(0, 3, len(bars)), bars.dividend),
    )


def _content(row: OriginRow | ModelRow) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name not in ("ticker_id", "seconds")}
