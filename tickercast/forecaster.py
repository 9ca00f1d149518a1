"""The forecaster: a scikit-learn estimator with the product's networks. Frames of prices in, frames of forecasts out.

Not here: how a frame is read (_long_format, _series), how networks are trained (_panel), forecasts of the past (windows).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from tickercast._frames import distribution_frame, probabilities, with_prices
from tickercast._long_format import with_prices_of
from tickercast._panel import Positions
from tickercast._series import Series, refused_table
from tickercast._work import Frames, horizon, work_of
from tickercast.jobs.workspace.choices import Cell, Learns, Optimizer, Preset, PriceField, PriorKind, ReferenceKind, Schedule


class Forecaster(BaseEstimator):  # type: ignore[misc]
    """Forecasts the next sessions of tickers, each as a distribution, with the networks and the bundled priors of Tickercast.

    The parameters are the settings of a home by their names; None means the default of the preset. docs/commands.md explains
    each. They are checked by `fit`, which raises ArgumentError, a ValueError.

    calendar: of all tickers: the code of an exchange such as XNYS, B for weekdays, D for every day. None = by a column
    `exchange`, else by the symbol, as in the product: MSFT is on XNYS, BTC-USD trades every day, and an id that is no symbol
    counts as a stock on XNYS.
    check_prices: whether the gates judge prices. False takes every price as it is.
    n_jobs: processes, None = 1. A script that uses more than one needs `if __name__ == "__main__":`, as multiprocessing does.

    After `fit`: `config_` (all settings), `config_id_` (of a home's record with the same settings), `tickers_` (ids that have
    forecasts), `left_out_` (the reason for each id that has none), `refused_rows_` (a frame of rows that were not used).
    """

    def __init__(
        self,
        *,
        preset: Preset = "density",
        horizons: int | None = None,
        field: PriceField | None = None,
        prior: PriorKind | None = None,
        learns: Learns | None = None,
        reference: ReferenceKind | None = None,
        events: bool | None = None,
        assumed_sessions: int = 5,
        cell: Cell | None = None,
        layers: int | None = None,
        hidden: int | None = None,
        history_sessions: int | None = None,
        learned_sessions: int | None = None,
        cold_every: int | None = None,
        cold_epochs: int | None = None,
        warm_epochs: int | None = None,
        tune_epochs: int | None = None,
        optimizer: Optimizer | None = None,
        schedule: Schedule | None = None,
        learning_rate: float | None = None,
        patience: int | None = None,
        window: int | None = None,
        truncation: int | None = None,
        calendar: str | None = None,
        check_prices: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.preset, self.horizons, self.field = preset, horizons, field
        self.prior, self.learns, self.reference = prior, learns, reference
        self.events, self.assumed_sessions = events, assumed_sessions
        self.cell, self.layers, self.hidden = cell, layers, hidden
        self.history_sessions, self.learned_sessions = history_sessions, learned_sessions
        self.cold_every, self.cold_epochs, self.warm_epochs, self.tune_epochs = cold_every, cold_epochs, warm_epochs, tune_epochs
        self.optimizer, self.schedule, self.learning_rate, self.patience = optimizer, schedule, learning_rate, patience
        self.window, self.truncation = window, truncation
        self.calendar, self.check_prices, self.n_jobs = calendar, check_prices, n_jobs

    def fit(self, df: Any, y: Any = None, *, volatility_index: Any = None, company_events: Any = None) -> Self:
        """Train on a long frame and return the forecaster.

        df: a row for each ticker and session, in any order, with `unique_id`, `ds` (a date, a timestamp or ISO text) and `y`
        (the price that is forecast). Optional: `open`, `high`, `low`, `close`, `volume`; `dividend` (per share) and `split`
        (1.0 = none) of prices as traded; `kind` (stock, fund, index, crypto, currency) and `exchange`. Other columns are
        ignored. Rows of ^VIX beside those of others are its volatility index.
        y: the prices of the rows, where the frame has no column `y`.
        volatility_index: a frame of `ds` and `y`, the level of ^VIX, which forecasts of New York's tickers read.
        company_events: a frame of `unique_id` and `ds`, the dates of companies' reports, and optionally `recorded_at`, when each
        became known. Without it a report counts as known assumed_sessions before.

        Raises ArgumentError for a parameter or a frame that cannot be used, and where no ticker of it can. Warns of tickers and
        of rows that are left out (DataWarning).
        """
        work = work_of(self.get_params(deep=False), may_end_in_doubt=False)
        done = work.done(Frames(with_prices_of(df, y), volatility_index, company_events), _newest)
        self.config_, self.config_id_ = asdict(work.config), work.config.id
        self.tickers_ = [each.series.unique_id for each in done.forecasts]
        self.left_out_ = done.left_out
        self.refused_rows_ = refused_table(done.refused, done.unit)
        self.distribution_ = distribution_frame(done.forecasts, done.unit)
        return self

    def predict(
        self, h: int | None = None, *, level: Sequence[float] | None = None, quantiles: Sequence[float] | None = None
    ) -> pd.DataFrame:
        """Return a row for each ticker and each of its next h sessions: unique_id, ds and Tickercast, the median price.

        h: 1 to the horizons of the forecaster, None = all. level: percentages of central intervals; 80 gives Tickercast-lo-80
        and Tickercast-hi-80. quantiles: probabilities; 0.05 gives Tickercast-q0.05. Raises ArgumentError for others.
        """
        distribution = self.predict_distribution(h)
        prices = with_prices(distribution, probabilities(level, quantiles))
        return pd.concat([distribution[["unique_id", "ds"]], prices], axis=1)

    def predict_distribution(self, h: int | None = None) -> pd.DataFrame:
        """Return the Student-t distribution of the log return from the last price to each of the next h sessions.

        Columns: unique_id, ds, cutoff (the session of the last price), horizon, last_price, location, scale, dof; a dof of NaN
        means a normal distribution.
        """
        check_is_fitted(self)
        kept = self.distribution_["horizon"] <= horizon(h, self.config_["horizons"])
        return self.distribution_[kept].reset_index(drop=True)

    def cross_validation(
        self,
        df: Any,
        h: int | None = None,
        *,
        n_windows: int = 1,
        step_size: int = 1,
        level: Sequence[float] | None = None,
        quantiles: Sequence[float] | None = None,
        volatility_index: Any = None,
        company_events: Any = None,
    ) -> pd.DataFrame:
        """Return forecasts of the past with these parameters. See tickercast.cross_validation."""
        from tickercast.windows import cross_validation

        return cross_validation(
            df, h, n_windows=n_windows, step_size=step_size, level=level, quantiles=quantiles, forecaster=self,
            volatility_index=volatility_index, company_events=company_events,
        )  # fmt: skip

    def __sklearn_tags__(self) -> Tags:
        """Return scikit-learn's tags: the input is a long frame, not an array (n_samples, n_features)."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


def _newest(series: Series) -> Positions:
    """Return the position of a ticker's newest bar."""
    return np.array([len(series.bars) - 1])
