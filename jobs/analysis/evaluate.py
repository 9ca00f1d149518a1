"""Evaluate: a walk-forward in a throw-away home, scored beside other volatility models on the same origins.

All methods are scored by one estimator, twice the mean pinball loss over the levels 0.05 to 0.95, on returns adjusted for splits
and dividends, in percent. The comparisons see each ticker's whole past, the networks what their config lets them see.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from jobs.analysis import garch
from jobs.errors import SomeTickersFailed, UsageError
from jobs.forecasting.inputs import ModelInput, history_of, stacked_measures
from jobs.runs.backfill import BackfillRequest, backfill_span
from jobs.scoring.distributions import student_t_quantiles
from jobs.workspace.config import Config
from jobs.workspace.home import Home
from jobs.workspace.writer import open_for_writing
from rnn.comparisons import LEVELS, METHODS, pinball_score
from storage import queries, writes
from storage.bar_files import read_bars
from storage.bars import Bars, as_known
from storage.database import reading
from storage.schema import BaselineForecast

OURS = "tickercast"
COLUMNS = (
    "horizon", "first_origin", "last_origin", "method", "n", "crps", "ours_over_it", "coverage_50", "coverage_80",
    "coverage_90", "tickers", "ours_better_on",
)  # fmt: skip
# Bars before an origin that every method needs, so that all are scored on the same origins.
FEWEST_BEFORE = 550
NORMAL_80 = 2.5631  # the width of a normal's central 80 %, in standard deviations
COVERAGES = ((4, 14), (1, 17), (0, 18))  # places in LEVELS of the central 50, 80 and 90 %


@dataclass(frozen=True, slots=True)
class Task:
    """One ticker and horizon: its bars, and its forecasts as (origin, location, scale, dof)."""

    ticker: str
    bars: Bars
    horizon: int
    forecasts: list[tuple[Any, ...]]
    field: str
    with_garch: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """One ticker, horizon and method: an array each of (n,) origins, scores in percent and whether an interval held."""

    ticker: str
    horizon: int
    method: str
    origin: NDArray[np.datetime64]
    crps: NDArray[np.float64]
    inside: NDArray[np.bool_]
    location: NDArray[np.float64]
    scale: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The table, one line that says what it is of, and every score behind it."""

    rows: list[tuple[Any, ...]]
    told: str
    scores: list[Scored]


def evaluate(folder: Path | None, request: BackfillRequest, *, with_garch: bool) -> Evaluation:
    """Run a backfill in a home that is thrown away, or kept in `folder`, and score it. Raises UsageError for an empty span."""
    if request.start is None or request.end is None:
        raise UsageError("evaluate needs --start and --end: the first and the last origin")
    if with_garch:
        garch.require_arch()
    with tempfile.TemporaryDirectory(prefix="tickercast-evaluate-") as spare:
        home_folder = folder or Path(spare) / "home"
        with open_for_writing(home_folder, command="evaluate", wait_seconds=0, create="density") as (home, engine):
            try:
                told = backfill_span(home, engine, request)
            except SomeTickersFailed as error:
                told = str(error)
        return evaluation_of(home, told, with_garch=with_garch, workers=request.workers)


def evaluation_of(home: Home, told: str, *, with_garch: bool, workers: int | None = None) -> Evaluation:
    """Return the evaluation of all forecasts of a home. Raises UsageError where no origin has bars enough before it."""
    config = home.settings.config()
    horizons = sorted({1, config.horizons})
    with reading(home.database) as connection:
        files = [(t.symbol, queries.current_file(connection, t.id)) for t in queries.list_tickers(connection)]
        told_of = "".join(f"{symbol} {file.sha256}\n" for symbol, file in files if file)
        tasks = list(_tasks(connection, home, config, horizons, with_garch=with_garch, settled=False))
    scores = _scores(tasks, workers)
    if not scores:
        raise UsageError(f"no origin of the span has {FEWEST_BEFORE} bars before it and a target after it; {told}")
    return Evaluation(
        list(_table(scores)), f"{told}; config {config.id}; data {hashlib.sha256(told_of.encode()).hexdigest()[:16]}", scores
    )


def backfill_with_baselines(home: Home, engine: Engine, request: BackfillRequest) -> str:
    """Backfill, then store the other models' forecasts, also where some tickers failed. Raises what backfill_span does."""
    garch.require_arch()
    try:
        told = backfill_span(home, engine, request)
    except SomeTickersFailed as error:
        raise SomeTickersFailed(f"{error}; {store_baselines(home, engine, request)}") from error
    return f"{told}; {store_baselines(home, engine, request)}"


def store_baselines(home: Home, engine: Engine, request: BackfillRequest) -> str:
    """Write what the other models say at the origins of a span, and ours by the same estimator, as rows of the record.

    Only origins whose targets have settled; crps is twice the mean pinball loss, in log returns. Returns a line for people.
    """
    config, workers = home.settings.config(request.preset), request.workers
    rows: list[dict[str, Any]] = []
    with engine.connect() as connection:
        ids = {ticker.symbol: ticker.id for ticker in queries.list_tickers(connection)}
        tasks = list(_tasks(connection, home, config, range(1, config.horizons + 1), with_garch=True, settled=True))
    for scored in _scores(tasks, workers):
        keep = np.ones(len(scored.origin), dtype=np.bool_)
        if request.start:
            keep &= scored.origin >= np.datetime64(request.start)
        if request.end:
            keep &= scored.origin <= np.datetime64(request.end)
        key = {"ticker_id": ids[scored.ticker], "config_id": config.id, "horizon": scored.horizon, "name": scored.method}
        rows += [
            {**key, "origin": scored.origin[i].item(), "location": float(scored.location[i]), "scale": float(scored.scale[i]),
             "dof": None, "crps": float(scored.crps[i]) / 100}
            for i in np.flatnonzero(keep)
        ]  # fmt: skip
    with engine.begin() as connection:
        added = writes.insert_mappings(connection, BaselineForecast, rows)
    return f"{added} baseline rows"


def _tasks(
    connection: Connection, home: Home, config: Config, horizons: Iterable[int], *, with_garch: bool, settled: bool
) -> Iterator[Task]:
    """Yield a task for each ticker and horizon. settled: a target counts once a later bar than it is known."""
    for ticker in queries.list_tickers(connection):
        file = queries.current_file(connection, ticker.id)
        if file is None:
            continue
        bars = as_known(read_bars(home.prices, file.path, file.sha256))
        if settled:
            bars = bars.select(slice(0, len(bars) - 1))
        for horizon in horizons:
            forecasts = queries.forecast_densities(connection, ticker.id, config.id, horizon)
            if forecasts:
                yield Task(ticker.symbol, bars, horizon, forecasts, config.field, with_garch)


def _scores(tasks: Sequence[Task], workers: int | None) -> list[Scored]:
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        return [scored for part in pool.map(score_task, tasks) for scored in part]


def score_task(task: Task) -> list[Scored]:
    """Return the scores of one ticker and horizon by every method; none where no origin has bars enough."""
    bars, horizon, forecasts = task.bars, task.horizon, task.forecasts
    measures = stacked_measures([ModelInput(history_of(bars, task.field))])
    returns, variance = np.nan_to_num(measures.log_return[0]), measures.range_variance[0]
    days = np.array([row[0] for row in forecasts], dtype="datetime64[D]")
    at = np.searchsorted(bars.session, days)
    usable = (at >= FEWEST_BEFORE) & (at + horizon < len(bars))
    if not usable.any():
        return []
    at, days = at[usable], days[usable]
    location, scale, dof = np.array([row[1:] for row in forecasts], np.float64)[usable].T
    total = np.concatenate([[0.0], np.cumsum(returns)])
    realised = total[at + horizon + 1] - total[at + 1]
    quantiles = {OURS: student_t_quantiles(location, scale, dof, LEVELS.tolist())}
    methods = METHODS | (garch.METHODS if task.with_garch else {})
    quantiles |= {name: method(returns, variance, horizon, at) for name, method in methods.items()}
    # A model that a flat or broken series made absurd says nothing there, and nobody is scored where one says nothing.
    low, high = COVERAGES[1]
    sound = np.all([np.isfinite(q).all(axis=1) & (q[:, high] > q[:, low]) for q in quantiles.values()], axis=0)
    if not sound.any():
        return []
    days, realised = days[sound], realised[sound]
    scores = []
    for name, every in quantiles.items():
        q = every[sound]
        inside = np.stack([(realised > q[:, first]) & (realised < q[:, last]) for first, last in COVERAGES], axis=-1)
        middle, width = q[:, len(LEVELS) // 2], (q[:, high] - q[:, low]) / NORMAL_80
        scores.append(Scored(task.ticker, horizon, name, days, 100 * pinball_score(q, realised), inside, middle, width))
    return scores


def _table(scores: list[Scored]) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each horizon, span (all, and its two halves) and method."""
    days = np.unique(np.concatenate([s.origin for s in scores]))
    middle = days[len(days) // 2]
    for horizon in sorted({s.horizon for s in scores}):
        for first, last in ((days[0], days[-1]), (days[0], days[len(days) // 2 - 1]), (middle, days[-1])):
            ours: dict[str, float] = {}
            for method in dict.fromkeys(s.method for s in scores):
                chosen = [s for s in scores if s.horizon == horizon and s.method == method]
                parts = {s.ticker: (s.origin >= first) & (s.origin <= last) for s in chosen}
                chosen = [s for s in chosen if parts[s.ticker].any()]
                if not chosen:
                    continue
                crps = np.concatenate([s.crps[parts[s.ticker]] for s in chosen])
                inside = np.concatenate([s.inside[parts[s.ticker]] for s in chosen]).mean(axis=0)
                by_ticker = {s.ticker: float(s.crps[parts[s.ticker]].mean()) for s in chosen}
                mean = float(crps.mean())
                if method == OURS:
                    ours, our_mean = by_ticker, mean
                better = float(np.mean([ours[t] < by_ticker[t] for t in by_ticker])) if method != OURS else None
                span: tuple[date, date] = (first.item(), last.item())
                yield (horizon, *map(str, span), method, len(crps), mean, our_mean / mean, *inside.tolist(), len(chosen), better)
