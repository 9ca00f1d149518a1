"""Compare forecasts of the past with other models, on the rows of a frame: the arithmetic of the command `evaluate`.

Not here: the cutoffs of a frame (windows), the scores and their tests (tickercast.jobs.analysis).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import pandas as pd

from tickercast._frames import DOF, LOCATION, MODEL, SCALE
from tickercast._long_format import DAY, ID, as_pandas, days_of
from tickercast._panel import Forecasts, Positions
from tickercast._series import Series, TickerLeftOut, key_of
from tickercast._work import Choice, Frames, whole_number, work_of
from tickercast.errors import ArgumentError, DataWarning, public_errors
from tickercast.forecaster import Forecaster
from tickercast.jobs.analysis.baselines import BASELINE_METHODS, Method
from tickercast.jobs.analysis.compare import (
    FEWEST_BEFORE,
    ComparisonTask,
    Densities,
    score_tasks,
    without_absent_models,
)
from tickercast.jobs.analysis.evaluation_table import COLUMNS, evaluation_rows
from tickercast.jobs.analysis.garch import garch_methods
from tickercast.jobs.analysis.other_files import models_of_tables
from tickercast.jobs.analysis.other_forecasts import (
    ALL_LEVELS,
    NO_FORECASTS,
    OtherModel,
    not_compared,
    refuse_unknown_tickers,
    shared_levels,
)
from tickercast.windows import Windows

CUTOFF = "cutoff"
USUAL_WINDOWS = 252  # about a year


def evaluate(
    df: Any,
    cv: Any = None,
    *,
    n_windows: int | None = None,
    step_size: int = 1,
    garch: bool = False,
    forecaster: Forecaster | None = None,
    volatility_index: Any = None,
    company_events: Any = None,
) -> pd.DataFrame:
    """Return how our forecasts of the past compare with a random walk and other models, and whether by chance.

    df, volatility_index, company_events: as in Forecaster.fit. Each ticker needs 550 rows before its first cutoff.
    cv: a frame of cross_validation, or several: of another tool (neuralforecast, statsforecast) with columns of levels, whose
    models are compared with ours on its cutoffs, or of ours. None = the newest n_windows cutoffs, step_size rows apart. n_windows
    is 252, or as many as a ticker's rows allow, where it is not given.
    garch: whether to compare with GARCH models too (extra garch). forecaster: whose parameters count, None = Forecaster().

    A row is a method over a horizon (1 and the longest), a context and a period (all, and each calendar year), ours first, on
    origins that all methods share. crps and mae are in percent of return; ours_over_it below 1: ours is better; dm_statistic
    and p_value are those of Diebold and Mariano, mcs_p_value that of the model confidence set. docs/experiments.md explains all.
    Raises ArgumentError for what cannot be compared. Warns of a model that has no forecast at a horizon (DataWarning).
    """
    work = work_of((Forecaster() if forecaster is None else forecaster).get_params(deep=False), may_end_in_doubt=True)
    horizons = sorted({1, work.config.horizons})
    frames = _frames_of(cv)
    with public_errors():
        methods = BASELINE_METHODS | (garch_methods() if garch else {})
        others = _other_models(frames, list(methods))
        choose = _cutoffs_of(frames) if frames else _windows(horizons[-1], n_windows, step_size)
        done = work.done(Frames(df, volatility_index, company_events), choose)
        refuse_unknown_tickers(others, [each.series.key for each in done.forecasts])
        tasks = [task for each in done.forecasts for task in _tasks(each, horizons, methods, others)]
        scores = score_tasks(without_absent_models(tasks), work.workers)
    if not scores:
        raise ArgumentError(f"no cutoff has {FEWEST_BEFORE} rows before it and rows at its targets that every model forecasts")
    rows = evaluation_rows(scores)
    for line in not_compared(others, ((row.method, row.horizon) for row in rows)):
        warnings.warn(line, DataWarning, stacklevel=2)
    return pd.DataFrame([astuple(row) for row in rows], columns=list(COLUMNS))


def _tasks(
    forecasts: Forecasts, horizons: Sequence[int], methods: dict[str, Method], others: Sequence[OtherModel]
) -> Iterator[ComparisonTask]:
    """Yield the comparison of a ticker's forecasts at each horizon."""
    series, rows = forecasts.series, forecasts.rows
    levels = shared_levels(others) if others else ALL_LEVELS
    of_ticker = {model.name: model.tickers.get(series.key, NO_FORECASTS) for model in others}
    origin = np.array([row.origin for row in rows], "datetime64[D]")
    context = np.array([row.context for row in rows], dtype=np.str_)
    numbers = np.array([row.numbers for row in rows], np.float64)  # NumPy reads None as NaN
    for horizon in horizons:
        location, scale, dof = (numbers[:, horizon - 1, column] for column in (LOCATION, SCALE, DOF))
        densities = Densities(origin, location, scale, dof, context)
        yield ComparisonTask(series.key, series.bars, rows[0].field, horizon, densities, methods, of_ticker, levels)


def _windows(ahead: int, n_windows: int | None, step_size: int) -> Choice:
    """Return how to choose the newest cutoffs of a ticker; so many, or as many as its rows allow (None), at most 252."""
    step = whole_number("step_size", step_size)
    asked = None if n_windows is None else whole_number("n_windows", n_windows)

    def choose(series: Series) -> Positions:
        possible = (len(series.bars) - FEWEST_BEFORE - 1 - ahead) // step + 1
        windows = Windows(ahead, max(1, min(USUAL_WINDOWS, possible)) if asked is None else asked, step)
        return windows.cutoffs(series, FEWEST_BEFORE + 1)

    return choose


def _cutoffs_of(frames: Sequence[pd.DataFrame]) -> Choice:
    """Return how to choose the cutoffs that frames of cross_validation have for a ticker."""
    keys = np.concatenate([frame[ID].map(key_of).to_numpy() for frame in frames])
    days = np.concatenate([days_of(frame[CUTOFF], CUTOFF)[0].to_numpy("datetime64[D]") for frame in frames])

    def choose(series: Series) -> Positions:
        own = np.unique(days[keys == series.key])
        positions = np.flatnonzero(np.isin(series.bars.session, own))
        usable = positions[positions >= FEWEST_BEFORE]
        if not len(usable):
            raise TickerLeftOut(f"no row of it at a cutoff of cv has {FEWEST_BEFORE} rows before it")
        return usable

    return choose


def _frames_of(cv: Any) -> list[pd.DataFrame]:
    """Return the frames of cross_validation as a list. Raises ArgumentError for a frame without cutoffs."""
    frames = [as_pandas(each) for each in (cv if isinstance(cv, (list, tuple)) else [] if cv is None else [cv])]
    for frame in frames:
        missing = [name for name in (ID, CUTOFF, DAY) if name not in frame]
        if missing:
            raise ArgumentError(f"cv: no column {', '.join(missing)}; give a frame of cross_validation")
    return frames


def _other_models(frames: Sequence[pd.DataFrame], methods: list[str]) -> list[OtherModel]:
    """Return the models of frames but ours, which are forecast anew on the same cutoffs."""
    import pyarrow as pa

    tables = []
    for frame in frames:
        kept = frame[[name for name in frame if name != MODEL and not str(name).startswith(f"{MODEL}-")]]
        if set(kept) - {ID, DAY, CUTOFF, "y"}:
            tables.append(("cv", pa.Table.from_pandas(kept, preserve_index=False)))
    return models_of_tables(tables, methods)
