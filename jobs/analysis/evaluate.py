"""Evaluate: backfill a span in a home of its own, and compare the forecasts with other volatility models.

How forecasts are scored is in jobs.analysis.compare. Here is what is scored, and the table of means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

import numpy as np

from jobs.analysis.baselines import Method
from jobs.analysis.compare import FEWEST_BEFORE, OURS, MethodScores, comparison_tasks, score_tasks, stored_prices
from jobs.errors import SomeTickersFailed, UsageError
from jobs.runs.backfill import BackfillRequest, backfill_span
from jobs.workspace.home import Home
from jobs.workspace.temporary import temporary_folder
from jobs.workspace.writer import open_for_writing
from storage import queries
from storage.database import Connection, reading


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """The means of one method over a horizon and a span of origins.

    crps is in percent; ours_over_it is our mean divided by the method's. ours_better_on is the share of tickers where our mean is
    lower, None for ours.
    """

    horizon: int
    first_origin: str
    last_origin: str
    method: str
    n: int
    crps: float
    ours_over_it: float
    coverage_50: float
    coverage_80: float
    coverage_90: float
    tickers: int
    ours_better_on: float | None


COLUMNS = tuple(field.name for field in fields(EvaluationRow))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The table, a closing line for people, and the scores behind the table."""

    rows: list[EvaluationRow]
    message: str
    scores: list[MethodScores]


def evaluate_temporarily(request: BackfillRequest, methods: Mapping[str, Method]) -> Evaluation:
    """Return the evaluation of a span, backfilled in a temporary home. Raises what evaluate_kept raises."""
    with temporary_folder("evaluate") as folder:
        return evaluate_kept(folder / "home", request, methods)


def evaluate_kept(folder: Path, request: BackfillRequest, methods: Mapping[str, Method]) -> Evaluation:
    """Return the evaluation of a span, backfilled in the home of a folder, which stays.

    Raises UsageError for a request without a start or an end, and where no origin can be scored.
    """
    if request.start is None or request.end is None:
        raise UsageError("evaluate needs --start and --end, the first and the last session to forecast from")
    with open_for_writing(folder, command="evaluate", wait_seconds=0, create="density") as (home, engine):
        try:
            message = backfill_span(home, engine, request)
        except SomeTickersFailed as error:
            message = str(error)
    return evaluation_of(home, message, methods, request.workers)


def evaluation_of(home: Home, message: str, methods: Mapping[str, Method], workers: int | None) -> Evaluation:
    """Return the evaluation of all forecasts of a home at the horizons 1 and the longest. message: of its backfill.

    Raises UsageError where no origin has enough bars before it.
    """
    config = home.settings.config()
    horizons = sorted({1, config.horizons})
    with reading(home.database) as connection:
        data_hash = _data_hash(connection)
        tasks = comparison_tasks(connection, config, stored_prices(connection, home), horizons, methods)
    scores = score_tasks(tasks, workers)
    if not scores:
        raise UsageError(
            f"no session of the span has {FEWEST_BEFORE} bars before it and a bar at its target; choose another span; {message}"
        )
    return Evaluation(evaluation_rows(scores), f"{message}; config {config.id}; data {data_hash}", scores)


def evaluation_rows(scores: Sequence[MethodScores]) -> list[EvaluationRow]:
    """Return the table: for each horizon a row per span (all origins, then each half) and method, in the scores' order."""
    spans = _spans(scores)
    rows: list[EvaluationRow] = []
    for horizon in sorted({s.horizon for s in scores}):
        of_horizon = [s for s in scores if s.horizon == horizon]
        for first, last in spans:
            rows += _span_rows([part for s in of_horizon if len(part := s.between(first, last))], first, last)
    return rows


def _spans(scores: Sequence[MethodScores]) -> list[tuple[date, date]]:
    """Return the first and the last origin of all, of the earlier half and of the later half of the origins."""
    days: list[date] = np.unique(np.concatenate([s.origin for s in scores])).tolist()
    middle = len(days) // 2
    return [(days[0], days[-1]), (days[0], days[middle - 1]), (days[middle], days[-1])]


def _span_rows(scores: Sequence[MethodScores], first: date, last: date) -> Iterator[EvaluationRow]:
    """Yield a row for each method of one horizon, from its scores in the span first to last."""
    ours = [s for s in scores if s.method == OURS]
    for method in dict.fromkeys(s.method for s in scores):
        yield _row([s for s in scores if s.method == method], ours, first, last)


def _row(theirs: Sequence[MethodScores], ours: Sequence[MethodScores], first: date, last: date) -> EvaluationRow:
    """Return the row of one method, compared with ours on the same tickers and origins."""
    crps = np.concatenate([s.crps for s in theirs])
    coverage = np.concatenate([s.inside for s in theirs]).mean(axis=0)
    our_mean = float(np.concatenate([s.crps for s in ours]).mean())
    return EvaluationRow(
        horizon=theirs[0].horizon,
        first_origin=str(first),
        last_origin=str(last),
        method=theirs[0].method,
        n=len(crps),
        crps=float(crps.mean()),
        ours_over_it=our_mean / float(crps.mean()),
        coverage_50=float(coverage[0]),
        coverage_80=float(coverage[1]),
        coverage_90=float(coverage[2]),
        tickers=len(theirs),
        ours_better_on=None if theirs[0].method == OURS else _share_better(ours, theirs),
    )


def _share_better(ours: Sequence[MethodScores], theirs: Sequence[MethodScores]) -> float:
    our_means = {s.ticker: s.crps.mean() for s in ours}
    return float(np.mean([our_means[s.ticker] < s.crps.mean() for s in theirs]))


def _data_hash(connection: Connection) -> str:
    """Return the hash of all current price files, so that two evaluations can show that they used the same bars."""
    files = [(t.symbol, queries.current_file(connection, t.id)) for t in queries.list_tickers(connection)]
    text = "".join(f"{symbol} {file.sha256}\n" for symbol, file in files if file)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
