"""Forecasts as frames: distributions, and the columns that Nixtla's libraries name by model, level and quantile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tickercast._panel import Forecasts
from tickercast.errors import ArgumentError
from tickercast.jobs.scoring.distributions import student_t_quantiles
from tickercast.storage.rows import FORECAST_NUMBERS

MODEL = "Tickercast"
LOCATION, SCALE, DOF = (FORECAST_NUMBERS.index(name) for name in ("location", "scale", "dof"))
DISTRIBUTION_COLUMNS = ("unique_id", "ds", "cutoff", "horizon", "last_price", "location", "scale", "dof")


def distribution_frame(forecasts: Iterable[Forecasts], unit: str) -> pd.DataFrame:
    """Return a row for each ticker, origin and horizon, with the Student-t distribution of the log return.

    ds: the target. cutoff: the origin. last_price: at the origin. dof NaN = normal. unit: of the days, such as us.
    """
    rows = [
        (each.series.unique_id, target, row.origin, number, row.last_price, numbers[LOCATION], numbers[SCALE], numbers[DOF])
        for each in forecasts
        for row in each.rows
        for number, (target, numbers) in enumerate(zip(row.targets, row.numbers, strict=True), start=1)
    ]
    frame = pd.DataFrame(rows, columns=list(DISTRIBUTION_COLUMNS))
    days = dict.fromkeys(("ds", "cutoff"), f"datetime64[{unit}]")
    return frame.astype(days | dict.fromkeys(DISTRIBUTION_COLUMNS[4:], "float64"))


def probabilities(level: Sequence[float] | None, quantiles: Sequence[float] | None) -> dict[str, float]:
    """Return the probability of each column beside the median: of a level's two ends, and of quantiles.

    Raises ArgumentError for a level outside of 1 to 100, or a quantile outside of 0 to 1.
    """
    levels, shares = _numbers("level", level), _numbers("quantiles", quantiles)
    for each in levels:
        if not 0 < each < 100:
            raise ArgumentError(f"level has {each:g}: a level is a percentage between 0 and 100, such as 80")
        if each < 1:  # a share, such as 0.8, would be an interval of nearly no width
            raise ArgumentError(f"level has {each:g}: a level is a percentage; for {100 * each:g} %, write {100 * each:g}")
    for each in shares:
        if not 0 < each < 1:
            raise ArgumentError(f"quantiles has {each:g}: a quantile is a probability between 0 and 1, such as 0.05")
    low = {f"{MODEL}-lo-{each:g}": (100 - each) / 200 for each in reversed(levels)}
    high = {f"{MODEL}-hi-{each:g}": (100 + each) / 200 for each in levels}
    return low | high | {f"{MODEL}-q{each:g}": each for each in shares}


def with_prices(distribution: pd.DataFrame, columns: dict[str, float]) -> pd.DataFrame:
    """Return the median price of each row, and the price at each probability."""
    levels = [0.5, *columns.values()]
    location, scale, dof = (distribution[name].to_numpy() for name in ("location", "scale", "dof"))
    returns = student_t_quantiles(location, scale, dof, levels)
    prices = distribution["last_price"].to_numpy()[:, None] * np.exp(returns)
    return pd.DataFrame(prices, columns=[MODEL, *columns], index=distribution.index)


def _numbers(name: str, values: Any) -> list[float]:
    """Return the distinct numbers of a list in order. Raises ArgumentError for anything else."""
    if values is None:
        return []
    try:
        return sorted({float(value) for value in np.atleast_1d(values).tolist()})
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{name} is {values!r}: give a list of numbers") from error
