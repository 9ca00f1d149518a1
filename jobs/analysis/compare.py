"""Score our forecasts and those of other models on the same origins.

One estimator scores all of them: twice the mean pinball loss over the levels 0.05 to 0.95, or those of them that another tool's
forecasts have, of returns adjusted for splits and dividends. Other models read all of a ticker's bars up to the origin. Our
networks read what their config lets them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.analysis.baselines import GRID_LEVELS, Floats, Method, Origins, pinball_score
from tickercast.jobs.analysis.other_forecasts import (
    ALL_LEVELS,
    NO_FORECASTS,
    OtherForecasts,
    OtherModel,
    refuse_other_basis,
    shared_levels,
)
from tickercast.jobs.forecasting.inputs import ModelInput, history_of, stacked_measures
from tickercast.jobs.runs.workers import worker_pool
from tickercast.jobs.scoring.distributions import student_t_quantiles
from tickercast.jobs.terminal.progress import each_with_progress
from tickercast.jobs.workspace.config import Config
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries
from tickercast.storage.bar_files import read_bars
from tickercast.storage.bars import Bars, as_known
from tickercast.storage.database import Connection
from tickercast.storage.price_store import read_ahead

OURS = "tickercast"
# Bars before an origin that every method needs, so that all are scored on the same origins.
FEWEST_BEFORE = 550
INTERVALS = ((4, 14), (1, 17), (0, 18))  # positions in GRID_LEVELS of the ends of the central 50, 80 and 90 %
LOW_80, HIGH_80 = INTERVALS[1]
NORMAL_WIDTH_80 = 2.5631  # the width of a normal's central 80 %, in standard deviations

Days = NDArray[np.datetime64]
Mask = NDArray[np.bool_]
Words = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Densities:
    """Our forecasts of one ticker and horizon, as arrays (n,): Student-t distributions of log returns. dof NaN = normal.

    context: what each knew of its company's reports.
    """

    origin: Days
    location: Floats
    scale: Floats
    dof: Floats
    context: Words

    def select(self, which: Mask) -> Densities:
        """Return the forecasts of a mask (n,)."""
        return Densities(*(getattr(self, f.name)[which] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class ComparisonTask:
    """One ticker and horizon to score: its bars, our forecasts, and by name the methods and forecasts to compare with.

    levels: (levels,), those of GRID_LEVELS that are scored.
    """

    ticker: str
    bars: Bars
    field: str
    horizon: int
    forecasts: Densities
    methods: Mapping[str, Method]
    others: Mapping[str, OtherForecasts]
    levels: Mask


@dataclass(frozen=True, slots=True)
class MethodScores:
    """The scores of one method for one ticker and horizon, arrays (n,) by origin; inside is (n, 3), for 50, 80 and 90 %.

    crps and abs_error, that of the median, are in percent. inside is 1, 0, or NaN where the method has no such interval. location
    and scale are log returns: the median, and the standard deviation of a normal as wide. context is that of our forecast.
    """

    ticker: str
    horizon: int
    method: str
    origin: Days
    crps: Floats
    abs_error: Floats
    inside: Floats
    location: Floats
    scale: Floats
    context: Words

    def __len__(self) -> int:
        return len(self.origin)

    def between(self, first: date | None, last: date | None) -> MethodScores:
        """Return the scores whose origins lie between two sessions, inclusive. None = no limit."""
        keep = np.ones(len(self), dtype=np.bool_)
        if first is not None:
            keep &= self.origin >= np.datetime64(first)
        if last is not None:
            keep &= self.origin <= np.datetime64(last)
        arrays = ("origin", "crps", "abs_error", "inside", "location", "scale", "context")
        return replace(self, **{name: getattr(self, name)[keep] for name in arrays})


def stored_prices(connection: Connection, home: Home) -> list[tuple[queries.TickerRow, Bars]]:
    """Return the tickers that have bars, by symbol, with their bars as known now."""
    found = ((ticker, queries.current_file(connection, ticker.id)) for ticker in queries.list_tickers(connection))
    files = read_ahead(home.prices, [(ticker, file) for ticker, file in found if file], lambda one: one[1].path)
    return [(ticker, as_known(read_bars(home.prices, file.path, file.sha256))) for ticker, file in files]


def comparison_tasks(
    connection: Connection,
    config: Config,
    prices: Iterable[tuple[queries.TickerRow, Bars]],
    horizons: Sequence[int],
    methods: Mapping[str, Method],
    *,
    others: Sequence[OtherModel] = (),
) -> list[ComparisonTask]:
    """Return a task for each ticker and horizon that has forecasts. Targets after the last bar given are not scored.

    others: models that other tools computed. One without any forecast at a horizon is not compared there.
    """
    levels = shared_levels(others) if others else ALL_LEVELS
    tasks = []
    for ticker, bars in prices:
        of_ticker = {model.name: model.tickers.get(ticker.symbol, NO_FORECASTS) for model in others}
        for horizon in horizons:
            forecasts = _densities(connection, ticker.id, config, horizon)
            if len(forecasts.origin):
                tasks.append(ComparisonTask(ticker.symbol, bars, config.field, horizon, forecasts, methods, of_ticker, levels))
    return without_absent_models(tasks)


def score_tasks(tasks: Sequence[ComparisonTask], workers: int | None) -> list[MethodScores]:
    """Return the scores of all tasks, in their order, computed by some processes (None = one per core)."""
    # All horizons of a ticker in one process: they share the fits of a method.
    by_ticker = [list(group) for _, group in groupby(tasks, lambda task: task.ticker)]
    with worker_pool(workers or os.cpu_count() or 1) as submit:
        futures = [submit(_score_ticker, group) for group in by_ticker]
        return [scores for future in each_with_progress("comparing methods", futures) for scores in future.result()]


def score_task(task: ComparisonTask) -> list[MethodScores]:
    """Return the scores of each method, ours first. Empty when no origin has enough bars before it and a bar at its target."""
    positions, forecasts = _usable(task)
    if not len(positions):
        return []
    measures = stacked_measures([ModelInput(history_of(task.bars, task.field))])
    returns = np.nan_to_num(measures.log_return[0])
    realised = _sums(returns, task.horizon, positions)
    quantiles = {
        OURS: student_t_quantiles(forecasts.location, forecasts.scale, forecasts.dof, GRID_LEVELS.tolist()),
        **{name: method(returns, measures.range_variance[0], task.horizon, positions) for name, method in task.methods.items()},
        **{name: log_prices + _of_dividends(task, positions, realised) for name, log_prices in other_log_prices(task).items()},
    }
    sound = _sound_everywhere(quantiles.values(), task.levels)
    if not sound.any():
        return []
    kept = forecasts.select(sound)
    return [_method_scores(task, name, kept, values[sound], realised[sound]) for name, values in quantiles.items()]


def other_log_prices(task: ComparisonTask) -> dict[str, Floats]:
    """Return the other tools' forecasts by name: (origins, levels), logs of price over the origin's price, NaN where none."""
    positions, forecasts = _usable(task)
    target = task.bars.session[positions + task.horizon]
    price = getattr(task.bars, task.field)[positions, None]
    return {name: np.log(other.at(forecasts.origin, target) / price) for name, other in task.others.items()}


def without_absent_models(tasks: Sequence[ComparisonTask]) -> list[ComparisonTask]:
    """Return the tasks without the other tools' models that have no forecast at a horizon. Raises UsageError for odd prices."""
    present: set[tuple[int, str]] = set()
    for task in tasks:
        for name, log_prices in other_log_prices(task).items():
            known = np.isfinite(log_prices).any(axis=1)
            if known.any():
                present.add((task.horizon, name))
                refuse_other_basis(name, task.ticker, log_prices[known])
    return [
        replace(task, others={name: other for name, other in task.others.items() if (task.horizon, name) in present})
        for task in tasks
    ]


def _score_ticker(tasks: Sequence[ComparisonTask]) -> list[MethodScores]:
    return [scores for task in tasks for scores in score_task(task)]


def _usable(task: ComparisonTask) -> tuple[Origins, Densities]:
    """Return the positions and our forecasts of the origins that have enough bars before them and a bar at their target."""
    positions = np.searchsorted(task.bars.session, task.forecasts.origin)
    usable = (positions >= FEWEST_BEFORE) & (positions + task.horizon < len(task.bars))
    return positions[usable], task.forecasts.select(usable)


def _densities(connection: Connection, ticker_id: int, config: Config, horizon: int) -> Densities:
    rows = queries.forecast_densities(connection, ticker_id, config.id, horizon)
    location, scale, dof = np.array([row[1:4] for row in rows], np.float64).reshape(len(rows), 3).T
    origin = np.array([row[0] for row in rows], dtype="datetime64[D]")
    return Densities(origin, location, scale, dof, np.array([row[4] for row in rows], dtype=np.str_))


def _sums(values: Floats, horizon: int, positions: Origins) -> Floats:
    """Return (origins,): the sum of values (n,) of the sessions after each origin, up to its target."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums: Floats = total[positions + horizon + 1] - total[positions + 1]
    return sums


def _of_dividends(task: ComparisonTask, positions: Origins, realised: Floats) -> Floats:
    """Return (origins, 1): the part of each realised return that is no change of the price, on the origin's scale.

    A forecast of a price is so compared with the price that came: of dividends it says nothing.
    """
    logs = np.log(getattr(task.bars, task.field))
    change = logs[positions + task.horizon] - logs[positions] + _sums(np.log(task.bars.split), task.horizon, positions)
    rest: Floats = realised - change
    return rest[:, None]


def _sound_everywhere(quantiles: Iterable[Floats], levels: Mask) -> Mask:
    """Return (origins,): where every method's quantiles at the scored levels are finite and have a width.

    A flat or broken series can make a model absurd. Then no method is scored at that origin.
    """
    scored = [values[:, levels] for values in quantiles]
    sound = [np.isfinite(values).all(axis=1) & (values[:, -1] > values[:, 0]) for values in scored]
    everywhere: Mask = np.all(sound, axis=0)
    return everywhere


def _method_scores(task: ComparisonTask, method: str, ours: Densities, quantiles: Floats, realised: Floats) -> MethodScores:
    return MethodScores(
        ticker=task.ticker,
        horizon=task.horizon,
        method=method,
        origin=ours.origin,
        crps=100 * pinball_score(quantiles[:, task.levels], realised, GRID_LEVELS[task.levels]),
        abs_error=100 * np.abs(quantiles[:, len(GRID_LEVELS) // 2] - realised),
        inside=np.stack([_inside(quantiles[:, low], quantiles[:, high], realised) for low, high in INTERVALS], axis=-1),
        location=quantiles[:, len(GRID_LEVELS) // 2],
        scale=(quantiles[:, HIGH_80] - quantiles[:, LOW_80]) / NORMAL_WIDTH_80,
        context=ours.context,
    )


def _inside(low: Floats, high: Floats, realised: Floats) -> Floats:
    """Return (n,): 1 where a value lies between two quantiles, else 0; NaN where one of them is not known."""
    inside: Floats = np.where(np.isfinite(high - low), (realised > low) & (realised < high), np.nan)
    return inside
