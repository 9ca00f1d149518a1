"""Another tool's quantile forecasts, from the long format of cross_validation in neuralforecast and statsforecast.

A row is one forecast: `unique_id` (the ticker), `cutoff` (the origin), `ds` (the target), and a column for each quantile of each
model, in prices. docs/experiments.md lists the names of columns. Files are read by jobs.analysis.other_files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.analysis.baselines import GRID_LEVELS, Floats
from tickercast.jobs.errors import UsageError
from tickercast.jobs.terminal.text import counted, first_names

Days = NDArray[np.datetime64]
Mask = NDArray[np.bool_]
ALL_LEVELS: Mask = np.ones(len(GRID_LEVELS), dtype=np.bool_)
MEDIAN = len(GRID_LEVELS) // 2
MOST_DISTANCE = 0.05  # of most medians from the price they start at; a split or years of dividends are farther


@dataclass(frozen=True, slots=True)
class OtherForecasts:
    """A model's forecasts for one ticker: origin and target (n,), and prices (n, levels), NaN where there is no quantile."""

    origin: Days
    target: Days
    prices: Floats

    def at(self, origin: Days, target: Days) -> Floats:
        """Return (m, levels): the prices of the forecasts from origins (m,) of targets (m,), NaN where there is none."""
        rows = {pair: row for row, pair in enumerate(zip(self.origin.tolist(), self.target.tolist(), strict=True))}
        wanted = [rows.get(pair, -1) for pair in zip(origin.tolist(), target.tolist(), strict=True)]
        none = np.full((1, len(GRID_LEVELS)), np.nan)
        prices: Floats = np.concatenate([self.prices, none])[wanted]
        return prices


NO_DAYS: Days = np.empty(0, "datetime64[D]")
NO_FORECASTS = OtherForecasts(NO_DAYS, NO_DAYS, np.empty((0, len(GRID_LEVELS))))


@dataclass(frozen=True, slots=True)
class OtherModel:
    """A model of another tool: its name, which levels of the grid its quantiles have, and its forecasts by ticker."""

    name: str
    levels: Mask
    tickers: Mapping[str, OtherForecasts]


def shared_levels(models: Sequence[OtherModel]) -> Mask:
    """Return which levels of the grid all models have. Every method is scored on them, so that no quantile is made up.

    Raises UsageError when they are no distribution: without one below and one above the median.
    """
    shared: Mask = np.all([ALL_LEVELS, *(model.levels for model in models)], axis=0)
    if not shared[:MEDIAN].any() or not shared[MEDIAN + 1 :].any():
        names = " and ".join(model.name for model in models)
        raise UsageError(
            f"{names}: no quantiles on both sides of the median among the levels 0.05, 0.10 .. 0.95"
            f"{' that all of them have' if len(models) > 1 else ''}; forecast with level=[80, 90]"
        )
    return shared


def refuse_unknown_tickers(models: Sequence[OtherModel], tickers: Sequence[str]) -> None:
    """Raise UsageError for a model without a forecast for any of the tickers."""
    for model in models:
        if not set(model.tickers) & set(tickers):
            has = first_names(list(model.tickers)) or "no ticker"
            raise UsageError(f"{model.name}: no unique_id is one of the tickers {first_names(tickers)}; it has {has}")


def not_compared(models: Sequence[OtherModel], scored: Iterable[tuple[str, int]]) -> list[str]:
    """Return a line for each model and horizon without a score. scored: the method and the horizon of each score."""
    present = set(scored)
    horizons = sorted({horizon for _, horizon in present})
    return [
        f"{model.name} has no forecast {counted(horizon, 'session')} ahead, and is not compared there; "
        f"its ds must be a session, so many after its cutoff"
        for model in models
        for horizon in horizons
        if (model.name, horizon) not in present
    ]


def refuse_other_basis(name: str, ticker: str, log_prices: Floats) -> None:
    """Raise UsageError where most forecasts are far from the price at their origin. log_prices: (n, levels), relative to it.

    Prices that are adjusted in another way are off by the splits and dividends since, and the scores would not tell.
    """
    middle = np.nanmedian(log_prices, axis=1)
    distance = float(np.nanmedian(middle)) if len(middle) else 0.0
    if abs(distance) > MOST_DISTANCE:
        raise UsageError(
            f"{name}: {ticker}: its medians are {np.exp(distance):.2f} times the price at the cutoff; "
            f"forecast the prices that `tickercast bars {ticker}` shows"
        )
