"""Explain: how the newest forecast came from the one before, by recomputing with one thing changed at a time.

The steps add up exactly: yesterday's forecast as stored, then with the bars as they are known now, then with the newest bar,
then with the params that serve now, which is today's forecast. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection
from threadpoolctl import threadpool_limits

from jobs.errors import UsageError
from jobs.exchanges.symbols import parse_symbol
from jobs.forecasting.inputs import Market, MarketReader, ModelInput, history_of, visible_history
from jobs.forecasting.model import Prediction, state_of_bytes
from jobs.forecasting.presets import model_for
from jobs.prices.tickers import stored_ticker
from jobs.workspace.config import Config
from jobs.workspace.home import Home
from storage import queries
from storage.bar_files import read_bars
from storage.bars import as_known
from storage.database import reading

COLUMNS = ("horizon", "what", "before", "restated_bars", "new_bar", "new_weights", "now")


@dataclass(frozen=True, slots=True)
class Explanation:
    """A row for the scale and one for the location of each horizon, in log returns, and why the model was trained."""

    rows: list[tuple[Any, ...]]
    told: str


def explain(home: Home, symbol: str) -> Explanation:
    """Return what changed a ticker's forecast at its newest origin. Raises UsageError where there is nothing to compare."""
    symbol, config = parse_symbol(symbol), home.settings.config()
    with reading(home.database) as connection:
        ticker = stored_ticker(connection, symbol)
        origins = sorted(queries.committed_origins(connection, ticker.id, config.id))[-2:]
        file = queries.current_file(connection, ticker.id)
        if len(origins) < 2 or file is None:
            raise UsageError(f"{symbol}: two origins under the active config are needed, {len(origins)} there are")
        before, now = (queries.serving_model(connection, ticker.id, config.id, day) for day in origins)
        instants = queries.known_at(connection, ticker.id, config.id, origins[0])
        market = _market(home, connection, config)
    assert before is not None
    assert now is not None
    if before.content is None or now.content is None:
        raise UsageError(f"{symbol}: the params that served {origins[0]} are no longer kept; they are for the newest origins")
    history = read_bars(home.prices, file.path, file.sha256)
    stages = (
        (before.content, origins[0], instants),
        (before.content, origins[0], None),
        (before.content, origins[1], None),
        (now.content, origins[1], None),
    )

    def prediction_at(content: bytes, origin: date, known_at: datetime | None) -> Prediction:
        bars = as_known(history, known_at=known_at, through=origin)
        visible = visible_history(history_of(bars, config.field), len(bars), config)
        known_market = MarketReader(market, ticker.exchange, config.history_sessions).up_to(origin)
        return model_for(config, [ModelInput(visible, known_market)]).predict(state_of_bytes(content))

    with threadpool_limits(1):
        predictions = [prediction_at(*stage) for stage in stages]
    told = f"{symbol}: {origins[0]} to {origins[1]}; trained at {origins[1]}: {now.reason}"
    if now.model_id == before.model_id:
        told = f"{symbol}: {origins[0]} to {origins[1]}; not trained since: {now.reason}"
    return Explanation([row for h in range(config.horizons) for row in _rows(predictions, h)], told)


def _market(home: Home, connection: Connection, config: Config) -> Market | None:
    ticker = queries.ticker_by_symbol(connection, parse_symbol(config.market_ticker)) if config.market_ticker else None
    file = queries.current_file(connection, ticker.id) if ticker else None
    if ticker is None or file is None:
        return None
    return Market(as_known(read_bars(home.prices, file.path, file.sha256)), ticker.exchange)


def _rows(predictions: list[Prediction], h: int) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for what in ("scale", "location"):
        values = [float(getattr(stage.forecast, what)[0, h]) for stage in predictions]
        rows.append((h + 1, what, values[0], *np.diff(values).tolist(), values[-1]))
    return rows
