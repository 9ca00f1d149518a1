"""The forecaster: a scikit-learn estimator with the product's networks. Frames of prices in, frames of forecasts out.

Not here: how a frame is read (_long_format), how the networks are trained (_panel), forecasts of the past (windows).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from tickercast._frames import distribution_frame, probabilities, with_prices
from tickercast._long_format import with_prices_of
from tickercast._panel import Context, Wanted, forecast_panel, unserved
from tickercast._series import Reading, refused_table, warnings_of
from tickercast.errors import ArgumentError, DataWarning
from tickercast.jobs.errors import SettingsError
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.choices import Cell, Learns, Optimizer, Preset, PriceField, PriorKind, ReferenceKind, Schedule
from tickercast.jobs.workspace.config import Config
from tickercast.jobs.workspace.settings import config_of_values

NO_SETTINGS = ("calendar", "check_prices", "n_jobs")


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

    def fit(self, df: Any, y: Any = None) -> Self:
        """Train on a long frame and return the forecaster.

        df: a row for each ticker and session, in any order, with `unique_id`, `ds` (a date, a timestamp or ISO text) and `y`
        (the price that is forecast). Optional: `open`, `high`, `low`, `close`, `volume`; `dividend` (per share) and `split`
        (1.0 = none) of prices as traded; `kind` (stock, fund, index, crypto, currency) and `exchange`. Other columns are
        ignored. y: the prices of the rows, where the frame has no column `y`.

        Raises ArgumentError for a parameter or a frame that cannot be used, and where no ticker of it can. Warns of tickers and
        of rows that are left out (DataWarning).
        """
        config, workers = self._config(), self._workers()
        frame = self._reading(config).frame(with_prices_of(df, y))
        self._warn(warnings_of(frame))
        wanted = [Wanted(each, np.array([len(each.bars) - 1])) for each in frame.series]
        self._warn_of_scratch(wanted, config)
        forecasts = forecast_panel(wanted, config, Context(), workers)
        left_out = frame.left_out | {
            each.series.unique_id: f"its networks diverged: {'; '.join(each.notes)}" for each in forecasts if not each.rows
        }
        self.config_, self.config_id_ = asdict(config), config.id
        self.tickers_ = [each.series.unique_id for each in forecasts if each.rows]
        self.left_out_ = left_out
        self.refused_rows_ = refused_table(frame.refused, frame.unit)
        self.distribution_ = distribution_frame(forecasts, frame.unit)
        return self

    def __sklearn_tags__(self) -> Tags:
        """Return scikit-learn's tags: the input is a long frame, not an array (n_samples, n_features)."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags

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
        most = self.config_["horizons"]
        if h is not None and (isinstance(h, bool) or not isinstance(h, Integral) or not 1 <= h <= most):
            shown = repr(h)[:60]
            raise ArgumentError(f"h is {shown}: this forecaster has horizons 1 to {most}; for more, fit Forecaster(horizons=...)")
        kept = self.distribution_["horizon"] <= (h or most)
        return self.distribution_[kept].reset_index(drop=True)

    def _config(self) -> Config:
        """Return the config of the parameters. Raises ArgumentError where one cannot be used."""
        values = {name: _plain(value) for name, value in self.get_params(deep=False).items() if name not in NO_SETTINGS}
        try:
            return config_of_values(values, "the documentation of Forecaster")
        except SettingsError as error:
            raise ArgumentError(str(error)) from error

    def _reading(self, config: Config) -> Reading:
        """Return how frames are read. Raises ArgumentError where a parameter of it cannot be used."""
        if self.calendar is not None and not isinstance(self.calendar, str):
            raise ArgumentError(f"calendar is {self.calendar!r}: give the code of an exchange such as 'XNYS', 'B' or 'D'")
        return Reading(self.calendar, config.field, config.fewest_sessions, bool(self.check_prices))

    def _workers(self) -> int:
        jobs = 1 if self.n_jobs is None else self.n_jobs
        if isinstance(jobs, bool) or not isinstance(jobs, Integral) or jobs < 1:
            raise ArgumentError(f"n_jobs is {self.n_jobs!r}: give a number of processes from 1 on, or None")
        return int(jobs)

    def _warn(self, lines: Any) -> None:
        for line in lines:
            warnings.warn(line, DataWarning, stacklevel=3)

    def _warn_of_scratch(self, wanted: Sequence[Wanted], config: Config) -> None:
        """Warn where networks begin from scratch because no bundled prior serves them."""
        without = unserved(wanted, config)
        if without:
            tickers = f"{counted(len(without), 'ticker')}, the first: {without[0]}"
            self._warn([f"no bundled prior fits the settings and the days of {tickers}; networks begin from scratch"])


def _plain(value: Any) -> Any:
    """Return a value of NumPy as one of Python, and a list as a tuple."""
    return value.item() if isinstance(value, np.generic) else tuple(value) if isinstance(value, list) else value
