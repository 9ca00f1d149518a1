"""Evaluate: backfill a span in a home of its own, and compare the forecasts with other volatility models.

How forecasts are scored is in jobs.analysis.compare, the table of means in jobs.analysis.evaluation_table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tickercast.jobs.analysis import confidence_set
from tickercast.jobs.analysis.baselines import GRID_LEVELS, Method
from tickercast.jobs.analysis.compare import FEWEST_BEFORE, MethodScores, comparison_tasks, score_tasks, stored_prices
from tickercast.jobs.analysis.evaluation_table import EvaluationRow, evaluation_rows
from tickercast.jobs.analysis.other_forecasts import OtherModel, not_compared, refuse_unknown_tickers, shared_levels
from tickercast.jobs.analysis.periods import Period
from tickercast.jobs.errors import SomeTickersFailed, UsageError
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.terminal.progress import progress_bar
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.temporary import store_variables_ignored, temporary_folder
from tickercast.jobs.workspace.writer import open_for_writing
from tickercast.storage import queries
from tickercast.storage.database import Connection, reading


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to compare with: methods by name, other tools' models, and periods to show apart beside the calendar years."""

    methods: Mapping[str, Method]
    others: Sequence[OtherModel] = ()
    periods: Sequence[Period] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The table, the lines for people after it, and the scores behind the table."""

    rows: list[EvaluationRow]
    lines: list[str]
    scores: list[MethodScores]


def evaluate_temporarily(request: BackfillRequest, comparison: Comparison) -> Evaluation:
    """Return the evaluation of a span, backfilled in a temporary home. Raises what evaluate_kept raises."""
    with temporary_folder("evaluate") as folder, store_variables_ignored():
        return evaluate_kept(folder / "home", request, comparison)


def evaluate_kept(folder: Path, request: BackfillRequest, comparison: Comparison) -> Evaluation:
    """Return the evaluation of a span, backfilled in the home of a folder, which stays.

    Raises UsageError for a request without a start or an end, where no origin can be scored, and for other tools' forecasts
    that cannot be compared.
    """
    if request.start is None or request.end is None:
        raise UsageError("evaluate needs --start and --end, the first and the last session to forecast from")
    if request.symbols:
        refuse_unknown_tickers(comparison.others, request.symbols)
    with open_for_writing(folder, command="evaluate", wait_seconds=0, create="density") as (home, engine):
        try:
            message = backfill_span(home, engine, request)
        except SomeTickersFailed as error:
            message = str(error)
    return evaluation_of(home, message, comparison, request.workers)


def evaluation_of(home: Home, message: str, comparison: Comparison, workers: int | None) -> Evaluation:
    """Return the evaluation of all forecasts of a home at the horizons 1 and the longest. message: of its backfill.

    Raises UsageError where no origin can be scored, and for other tools' forecasts that cannot be compared.
    """
    config = home.settings.config()
    horizons = sorted({1, config.horizons})
    with reading(home.database) as connection:
        data_hash = _data_hash(connection)
        prices = stored_prices(connection, home)
        refuse_unknown_tickers(comparison.others, [ticker.symbol for ticker, _ in prices])
        tasks = comparison_tasks(connection, config, prices, horizons, comparison.methods, others=comparison.others)
    scores = score_tasks(tasks, workers)
    if not scores:
        shared = " that every added model forecasts" if comparison.others else ""
        raise UsageError(
            f"no session of the span has {FEWEST_BEFORE} bars before it and a bar at its target{shared}; "
            f"choose another span; {message}"
        )
    with progress_bar("testing the differences"):
        rows = evaluation_rows(scores, comparison.periods)
    return Evaluation(rows, [*_remarks(rows, comparison), f"{message}; config {config.id}; data {data_hash}"], scores)


def _remarks(rows: Sequence[EvaluationRow], comparison: Comparison) -> list[str]:
    """Return a line for each thing without which the table would be misread."""
    lines = []
    if comparison.others:
        levels = ", ".join(f"{level:.2f}" for level in GRID_LEVELS[shared_levels(comparison.others)])
        lines.append(f"every method is scored on the levels that all of them have: {levels}")
    lines += not_compared(comparison.others, ((row.method, row.horizon) for row in rows))
    shown = {row.period for row in rows}
    lines += [f"no origin lies in {period.name}" for period in comparison.periods if period.name not in shown]
    return lines if confidence_set.is_available() else [*lines, confidence_set.MISSING]


def _data_hash(connection: Connection) -> str:
    """Return the hash of all current price files, so that two evaluations can show that they used the same bars."""
    files = [(t.symbol, queries.current_file(connection, t.id)) for t in queries.list_tickers(connection)]
    text = "".join(f"{symbol} {file.sha256}\n" for symbol, file in files if file)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
