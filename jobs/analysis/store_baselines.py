"""Store the forecasts of other models alongside ours, for `backfill --baselines`. The one part of analysis that writes."""

from __future__ import annotations

from collections.abc import Iterator

from tickercast.jobs.analysis.baselines import BASELINE_METHODS
from tickercast.jobs.analysis.compare import MethodScores, comparison_tasks, score_tasks, stored_prices
from tickercast.jobs.analysis.garch import garch_methods
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries, writes
from tickercast.storage.bars import Bars
from tickercast.storage.database import Engine
from tickercast.storage.rows import BaselineForecastRow


def backfill_with_baselines(home: Home, engine: Engine, request: BackfillRequest) -> str:
    """Backfill, then store the other models' forecasts, even if some tickers failed. Returns the closing line.

    Raises what backfill_span raises, and UsageError without the arch package.
    """
    garch_methods()  # a missing package is reported before the backfill, not after it
    try:
        message = backfill_span(home, engine, request)
    except SomeTickersFailed as error:
        raise SomeTickersFailed(f"{error}; {store_baselines(home, engine, request)}") from error
    return f"{message}; {store_baselines(home, engine, request)}"


def store_baselines(home: Home, engine: Engine, request: BackfillRequest) -> str:
    """Store the forecasts of all methods, ours included, with their CRPS in log returns, at the origins of a span.

    Only settled targets count. Rows that are stored already stay. Returns a part of the closing line.
    """
    config = home.settings.config(request.preset)
    methods = BASELINE_METHODS | garch_methods()
    with engine.connect() as connection:
        ids = {ticker.symbol: ticker.id for ticker in queries.list_tickers(connection)}
        prices = [(ticker, _settled(bars)) for ticker, bars in stored_prices(connection, home)]
        tasks = comparison_tasks(connection, config, prices, range(1, config.horizons + 1), methods)
    scores = [s.between(request.start, request.end) for s in score_tasks(tasks, request.workers)]
    rows = [row for s in scores for row in _rows(s, ids[s.ticker], config.id)]
    with engine.begin() as connection:
        added = writes.insert_baseline_forecasts(connection, rows)
    return counted(added, "baseline row")


def _settled(bars: Bars) -> Bars:
    """Return the bars without the newest: a target counts once a later session is stored."""
    return bars.select(slice(0, len(bars) - 1))


def _rows(scores: MethodScores, ticker_id: int, config_id: str) -> Iterator[BaselineForecastRow]:
    for i in range(len(scores)):
        yield BaselineForecastRow(
            ticker_id=ticker_id,
            config_id=config_id,
            origin=scores.origin[i].item(),
            horizon=scores.horizon,
            name=scores.method,
            location=float(scores.location[i]),
            scale=float(scores.scale[i]),
            dof=None,
            crps=float(scores.crps[i]) / 100,
        )
