"""The table of an evaluation: the means of each method by horizon, context and period, and whether they differ by chance.

Every row of one part is of the same origins. Tickers move together, so both tests are of the mean loss of each date.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.analysis.compare import OURS, MethodScores
from tickercast.jobs.analysis.confidence_set import confidence_p_values
from tickercast.jobs.analysis.periods import ALL, Days, Mask, Period, periods_of
from tickercast.jobs.scoring.significance import diebold_mariano
from tickercast.jobs.scoring.skill import ALPHA

CONTEXTS = ("recorded", "assumed", "none")  # what a forecast knew of its company's reports

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """One method over a horizon, a context and a period, on origins that all methods share.

    context: `all`, or what our forecasts knew of company events. crps: in percent, the mean over n scores. ours_over_it: our mean
    divided by the method's. ours_better_on: the share of tickers where our mean is lower, None for ours. dm_statistic, p_value:
    Diebold and Mariano's for ours against the method, negative where ours is lower. mcs_p_value: that of the model confidence
    set; in_mcs: whether it is above 0.05. Both tests are of means by date, and None with too few dates. coverage: None for a
    method without the quantiles of the interval. mae: the mean absolute error of the median, in percent, None without a median.
    """

    horizon: int
    context: str
    period: str
    first_origin: str
    last_origin: str
    method: str
    n: int
    crps: float
    ours_over_it: float
    dm_statistic: float | None
    p_value: float | None
    mcs_p_value: float | None
    in_mcs: bool | None
    coverage_50: float | None
    coverage_80: float | None
    coverage_90: float | None
    tickers: int
    dates: int
    ours_better_on: float | None
    mae: float | None


COLUMNS = tuple(field.name for field in fields(EvaluationRow))


@dataclass(frozen=True, slots=True)
class Panel:
    """The scores of M methods, the first of them ours, at N origins of all tickers and one horizon.

    ticker, origin, context: (N,); a ticker is its number. crps, abs_error: (N, M), in percent. inside: (N, M, 3), NaN where
    not known.
    """

    horizon: int
    methods: tuple[str, ...]
    ticker: NDArray[np.intp]
    origin: Days
    context: NDArray[np.str_]
    crps: Floats
    abs_error: Floats
    inside: Floats

    def select(self, which: Mask) -> Panel:
        """Return the origins of a mask (N,)."""
        kept = {name: getattr(self, name)[which] for name in ("ticker", "origin", "context", "crps", "abs_error", "inside")}
        return replace(self, **kept)


def evaluation_rows(scores: Sequence[MethodScores], named: Sequence[Period] = ()) -> list[EvaluationRow]:
    """Return the rows by horizon, context, period and method. named: periods beside all origins and each calendar year."""
    rows: list[EvaluationRow] = []
    for horizon in sorted({s.horizon for s in scores}):
        panel = _panel([s for s in scores if s.horizon == horizon])
        of_all = list(_rows_by_period(panel, ALL, named))
        rows += of_all
        present = [context for context in CONTEXTS if (panel.context == context).any()]
        for context in present:
            if len(present) == 1:
                rows += [replace(row, context=context) for row in of_all]
            else:
                rows += _rows_by_period(panel.select(panel.context == context), context, named)
    return rows


def _panel(scores: Sequence[MethodScores]) -> Panel:
    """Return the scores of one horizon as a panel. Each ticker has every method at the same origins."""
    methods = tuple(dict.fromkeys([OURS, *(s.method for s in scores)]))
    by_method = {name: [s for s in scores if s.method == name] for name in methods}
    ours = by_method[OURS]
    return Panel(
        horizon=ours[0].horizon,
        methods=methods,
        ticker=np.concatenate([np.full(len(s), number) for number, s in enumerate(ours)]),
        origin=np.concatenate([s.origin for s in ours]),
        context=np.concatenate([s.context for s in ours]),
        crps=np.stack([np.concatenate([s.crps for s in by_method[name]]) for name in methods], axis=1),
        abs_error=np.stack([np.concatenate([s.abs_error for s in by_method[name]]) for name in methods], axis=1),
        inside=np.stack([np.concatenate([s.inside for s in by_method[name]]) for name in methods], axis=1),
    )


def _rows_by_period(panel: Panel, context: str, named: Sequence[Period]) -> Iterator[EvaluationRow]:
    for period in periods_of(panel.origin, named):
        yield from _rows(panel.select(period.holds(panel.origin)), context, period.name)


def _rows(panel: Panel, context: str, period: str) -> Iterator[EvaluationRow]:
    """Yield a row for each method of a panel."""
    crps, mae, coverage = (values.mean(axis=0) for values in (panel.crps, panel.abs_error, panel.inside))
    by_ticker, by_date = _means_by(panel.ticker, panel.crps), _means_by(panel.origin, panel.crps)
    set_p_values = confidence_p_values(by_date)
    for i, method in enumerate(panel.methods):
        statistic, p_value = _difference(by_date[:, 0], by_date[:, i], panel.horizon)
        set_p_value = None if set_p_values is None else float(set_p_values[i])
        yield EvaluationRow(
            horizon=panel.horizon,
            context=context,
            period=period,
            first_origin=str(panel.origin.min()),
            last_origin=str(panel.origin.max()),
            method=method,
            n=len(panel.origin),
            crps=float(crps[i]),
            ours_over_it=float(crps[0] / crps[i]),
            dm_statistic=statistic,
            p_value=p_value,
            mcs_p_value=set_p_value,
            in_mcs=None if set_p_value is None else set_p_value > ALPHA,
            coverage_50=_known(coverage[i, 0]),
            coverage_80=_known(coverage[i, 1]),
            coverage_90=_known(coverage[i, 2]),
            tickers=len(by_ticker),
            dates=len(by_date),
            ours_better_on=None if i == 0 else float((by_ticker[:, 0] < by_ticker[:, i]).mean()),
            mae=_known(mae[i]),
        )


def _means_by(keys: NDArray[np.generic], values: Floats) -> Floats:
    """Return (groups, M): the means of values (N, M) over equal keys (N,), in the order of the keys."""
    _, which, counts = np.unique(keys, return_inverse=True, return_counts=True)
    means: Floats = np.stack([np.bincount(which, column) for column in values.T], axis=1) / counts[:, None]
    return means


def _difference(ours: Floats, theirs: Floats, horizon: int) -> tuple[float | None, float | None]:
    """Return the Diebold-Mariano statistic and p-value of two losses by date (n,); None, None with too few, or equal ones."""
    if len(ours) <= horizon + 1:
        return None, None
    statistic, p_value = diebold_mariano(ours, theirs, horizon)
    return _known(statistic), _known(p_value)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
