"""Forecasts of the past: cutoffs in a frame, and what came of each forecast. No row after a cutoff changes its forecasts.

Not here: how forecasts compare with other models (evaluation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tickercast._frames import distribution_frame, probabilities, with_prices
from tickercast._panel import Forecasts, Positions
from tickercast._series import Series, TickerLeftOut
from tickercast._work import Frames, horizon, whole_number, work_of
from tickercast.forecaster import Forecaster
from tickercast.jobs.terminal.text import counted


def cross_validation(
    df: Any,
    h: int | None = None,
    *,
    n_windows: int = 1,
    step_size: int = 1,
    level: Sequence[float] | None = None,
    quantiles: Sequence[float] | None = None,
    forecaster: Forecaster | None = None,
    volatility_index: Any = None,
    company_events: Any = None,
) -> pd.DataFrame:
    """Return forecasts from the newest cutoffs of each ticker beside the prices that came.

    df, level, quantiles, volatility_index, company_events: as in Forecaster. h: sessions ahead of each cutoff, None = all
    horizons. n_windows: cutoffs of each ticker; the last one has h rows after it. step_size: rows from one cutoff to the next.
    forecaster: whose parameters count, None = Forecaster(). It is not fitted.

    Columns: unique_id, ds, cutoff, y and the forecast as in Forecaster.predict. y is the price at ds in shares of the cutoff,
    NaN where the frame has no row of ds. Networks start and learn as a record's do, so a forecast has the numbers of a record's
    backfill. Raises ArgumentError as Forecaster.fit does; a ticker with too few rows for all windows is left out with a warning.
    """
    columns = probabilities(level, quantiles)
    parameters = (Forecaster() if forecaster is None else forecaster).get_params(deep=False)
    work = work_of(parameters, may_end_in_doubt=True)
    ahead = horizon(h, work.config.horizons)
    windows = Windows(ahead, whole_number("n_windows", n_windows), whole_number("step_size", step_size))
    fewest = work.config.fewest_sessions
    done = work.done(Frames(df, volatility_index, company_events), lambda series: windows.cutoffs(series, fewest))
    distribution = distribution_frame(done.forecasts, done.unit)
    outcome = np.concatenate([outcomes(each) for each in done.forecasts])
    table = pd.concat([distribution[["unique_id", "ds", "cutoff"]].assign(y=outcome), with_prices(distribution, columns)], axis=1)
    return table[distribution["horizon"] <= ahead].reset_index(drop=True)


@dataclass(frozen=True, slots=True)
class Windows:
    """The newest cutoffs of a ticker: ahead rows after the last one, step_size rows from one to the next."""

    ahead: int
    n_windows: int
    step_size: int

    def cutoffs(self, series: Series, fewest: int) -> Positions:
        """Return the positions of the cutoffs, oldest first. Raises TickerLeftOut where the first has fewer bars than needed."""
        needed = fewest + self.step_size * (self.n_windows - 1) + self.ahead
        if len(series.bars) < needed:
            raise TickerLeftOut(
                f"{counted(len(series.bars), 'usable row')}, {counted(self.n_windows, 'window')} of {self.ahead} rows ahead need "
                f"{needed}"
            )
        last = len(series.bars) - 1 - self.ahead
        return last - self.step_size * np.arange(self.n_windows)[::-1]


def outcomes(forecasts: Forecasts) -> NDArray[np.float64]:
    """Return (rows of a ticker,): the price at each target in shares of its origin, NaN where there is no bar."""
    bars = forecasts.series.bars
    shares = np.cumprod(bars.split)
    prices = []
    for row in forecasts.rows:
        targets = np.array(row.targets, "datetime64[D]")
        at = np.minimum(np.searchsorted(bars.session, targets), len(bars) - 1)
        origin = np.searchsorted(bars.session, np.datetime64(row.origin))
        price = getattr(bars, row.field)[at] * shares[at] / shares[origin]
        prices.append(np.where(bars.session[at] == targets, price, np.nan))
    return np.concatenate(prices)
