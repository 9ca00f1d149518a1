"""Score our forecasts and those of other models on the same origins.

One estimator scores all of them: twice the mean pinball loss over the levels 0.05 to 0.95, of returns adjusted for splits and
dividends. Other models read all of a ticker's bars up to the origin. Our networks read what their config lets them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from jobs.analysis.baselines import GRID_LEVELS, Floats, Method, Origins, pinball_score
from jobs.forecasting.inputs import ModelInput, history_of, stacked_measures
from jobs.runs.workers import worker_pool
from jobs.scoring.distributions import student_t_quantiles
from jobs.workspace.config import Config
from jobs.workspace.home import Home
from storage import queries
from storage.bar_files import read_bars
from storage.bars import Bars, as_known
from storage.database import Connection

OURS = "tickercast"
# Bars before an origin that every method needs, so that all are scored on the same origins.
FEWEST_BEFORE = 550
INTERVALS = ((4, 14), (1, 17), (0, 18))  # positions in GRID_LEVELS of the ends of the central 50, 80 and 90 %
LOW_80, HIGH_80 = INTERVALS[1]
NORMAL_WIDTH_80 = 2.5631  # the width of a normal's central 80 %, in standard deviations

Days = NDArray[np.datetime64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Densities:
    """Our forecasts of one ticker and horizon, as arrays (n,): Student-t distributions of log returns. dof NaN = normal."""

    origin: Days
    location: Floats
    scale: Floats
    dof: Floats

    def select(self, which: Mask) -> Densities:
        """Return the forecasts of a mask (n,)."""
        return Densities(self.origin[which], self.location[which], self.scale[which], self.dof[which])


@dataclass(frozen=True, slots=True)
class ComparisonTask:
    """One ticker and horizon to score: its bars, our forecasts and the methods to compare with, by name."""

    ticker: str
    bars: Bars
    field: str
    horizon: int
    forecasts: Densities
    methods: Mapping[str, Method]


@dataclass(frozen=True, slots=True)
class MethodScores:
    """The scores of one method for one ticker and horizon, arrays (n,) by origin; inside is (n, 3), for 50, 80 and 90 %.

    crps is in percent. location and scale are log returns: the median, and the standard deviation of a normal as wide.
    """

    ticker: str
    horizon: int
    method: str
    origin: Days
    crps: Floats
    inside: Mask
    location: Floats
    scale: Floats

    def __len__(self) -> int:
        return len(self.origin)

    def between(self, first: date | None, last: date | None) -> MethodScores:
        """Return the scores whose origins lie between two sessions, inclusive. None = no limit."""
        keep = np.ones(len(self), dtype=np.bool_)
        if first is not None:
            keep &= self.origin >= np.datetime64(first)
        if last is not None:
            keep &= self.origin <= np.datetime64(last)
        return replace(
            self,
            origin=self.origin[keep],
            crps=self.crps[keep],
            inside=self.inside[keep],
            location=self.location[keep],
            scale=self.scale[keep],
        )


def stored_prices(connection: Connection, home: Home) -> list[tuple[queries.TickerRow, Bars]]:
    """Return the tickers that have bars, by symbol, with their bars as known now."""
    files = ((ticker, queries.current_file(connection, ticker.id)) for ticker in queries.list_tickers(connection))
    return [(ticker, as_known(read_bars(home.prices, file.path, file.sha256))) for ticker, file in files if file is not None]


def comparison_tasks(
    connection: Connection,
    config: Config,
    prices: Iterable[tuple[queries.TickerRow, Bars]],
    horizons: Sequence[int],
    methods: Mapping[str, Method],
) -> list[ComparisonTask]:
    """Return a task for each ticker and horizon that has forecasts. Targets after the last bar given are not scored."""
    tasks = []
    for ticker, bars in prices:
        for horizon in horizons:
            forecasts = _densities(connection, ticker.id, config, horizon)
            if len(forecasts.origin):
                tasks.append(ComparisonTask(ticker.symbol, bars, config.field, horizon, forecasts, methods))
    return tasks


def score_tasks(tasks: Sequence[ComparisonTask], workers: int | None) -> list[MethodScores]:
    """Return the scores of all tasks, in their order, computed by some processes (None = one per core)."""
    with worker_pool(workers or os.cpu_count() or 1) as submit:
        futures = [submit(score_task, task) for task in tasks]
        return [scores for future in futures for scores in future.result()]


def score_task(task: ComparisonTask) -> list[MethodScores]:
    """Return the scores of each method, ours first. Empty when no origin has enough bars before it and a bar at its target."""
    positions = np.searchsorted(task.bars.session, task.forecasts.origin)
    usable = (positions >= FEWEST_BEFORE) & (positions + task.horizon < len(task.bars))
    if not usable.any():
        return []
    positions, forecasts = positions[usable], task.forecasts.select(usable)
    measures = stacked_measures([ModelInput(history_of(task.bars, task.field))])
    returns = np.nan_to_num(measures.log_return[0])
    quantiles = {
        OURS: student_t_quantiles(forecasts.location, forecasts.scale, forecasts.dof, GRID_LEVELS.tolist()),
        **{name: method(returns, measures.range_variance[0], task.horizon, positions) for name, method in task.methods.items()},
    }
    realised = _realised(returns, task.horizon, positions)
    sound = _sound_everywhere(quantiles.values())
    if not sound.any():
        return []
    return [
        _method_scores(task, name, forecasts.origin[sound], values[sound], realised[sound]) for name, values in quantiles.items()
    ]


def _densities(connection: Connection, ticker_id: int, config: Config, horizon: int) -> Densities:
    rows = queries.forecast_densities(connection, ticker_id, config.id, horizon)
    columns = np.array([row[1:] for row in rows], np.float64).reshape(len(rows), 3)
    return Densities(np.array([row[0] for row in rows], dtype="datetime64[D]"), *columns.T)


def _realised(returns: Floats, horizon: int, positions: Origins) -> Floats:
    """Return (origins,): the log return from each origin to its target."""
    total = np.concatenate([[0.0], np.cumsum(returns)])
    sums: Floats = total[positions + horizon + 1] - total[positions + 1]
    return sums


def _sound_everywhere(quantiles: Iterable[Floats]) -> Mask:
    """Return (origins,): where every method's quantiles are finite and have a width.

    A flat or broken series can make a model absurd. Then no method is scored at that origin.
    """
    sound = [np.isfinite(values).all(axis=1) & (values[:, HIGH_80] > values[:, LOW_80]) for values in quantiles]
    everywhere: Mask = np.all(sound, axis=0)
    return everywhere


def _method_scores(task: ComparisonTask, method: str, origin: Days, quantiles: Floats, realised: Floats) -> MethodScores:
    inside = [(realised > quantiles[:, low]) & (realised < quantiles[:, high]) for low, high in INTERVALS]
    return MethodScores(
        ticker=task.ticker,
        horizon=task.horizon,
        method=method,
        origin=origin,
        crps=100 * pinball_score(quantiles, realised),
        inside=np.stack(inside, axis=-1),
        location=quantiles[:, len(GRID_LEVELS) // 2],
        scale=(quantiles[:, HIGH_80] - quantiles[:, LOW_80]) / NORMAL_WIDTH_80,
    )
