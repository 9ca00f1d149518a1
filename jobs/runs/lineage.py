"""Reads what a run continues from the record: the model that served an origin."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import date
from typing import Any

import numpy as np

from tickercast.jobs.forecasting.recalibration import PastForecast
from tickercast.jobs.forecasting.tasks import Parent
from tickercast.jobs.runs.backlog import TickerBacklog
from tickercast.jobs.workspace.config import Config
from tickercast.storage import queries
from tickercast.storage.bars import Bars
from tickercast.storage.database import Connection, Engine
from tickercast.storage.errors import Corrupt


def parent_at(connection: Connection, config: Config, ticker_id: int, session: date) -> Parent | None:
    """Return the model that served a ticker at a session; None where its params are no longer kept. Raises Corrupt."""
    found = parents_at(connection, config, [ticker_id], session)[ticker_id]
    if isinstance(found, Corrupt):
        raise found
    return found


def parents_at(
    connection: Connection, config: Config, tickers: Collection[int], session: date
) -> dict[int, Parent | Corrupt | None]:
    """Return the models that served some tickers at a session, by ticker id; None as for parent_at, or the damage of one."""
    served = queries.serving_models(connection, tickers, config.id, session)
    return {ticker_id: _parent(connection, config, ticker_id, session, served.get(ticker_id)) for ticker_id in tickers}


def _parent(
    connection: Connection, config: Config, ticker_id: int, session: date, found: queries.ServingModel | Corrupt | None
) -> Parent | Corrupt | None:
    if isinstance(found, Corrupt):
        return found
    if found is None or found.content is None:
        return None
    past = queries.past_publications(connection, ticker_id, config.id, session) if config.recalibrate else []
    return Parent(
        found.model_id, session, found.depth, found.cold_ancestor_id, found.input_sha256, found.content,
        _past_forecasts(past, config.horizons), found.prior_id,
    )  # fmt: skip


def parents_before(
    engine: Engine,
    config: Config,
    tickers: Sequence[TickerBacklog],
    due: Mapping[int, Set[date]],
    carried: Mapping[int, Parent],
) -> dict[int, Parent | Corrupt | None]:
    """Return, for tickers with due sessions, the model that served the bar before the first of them, as parents_at does.

    carried: the models of the last block, by ticker id; the others are in the record.
    """
    found: dict[int, Parent | Corrupt | None] = {}
    stored: dict[date, list[int]] = {}
    for ticker in tickers:
        before = _bar_before(ticker.bars, min(due[ticker.ticker_id])) if due[ticker.ticker_id] else None
        last = carried.get(ticker.ticker_id)
        if before is not None and last is not None and last.session == before:
            found[ticker.ticker_id] = last
        elif before is not None and before in ticker.committed:
            stored.setdefault(before, []).append(ticker.ticker_id)
    if stored:
        with engine.connect() as connection:
            for session, ids in stored.items():
                found |= parents_at(connection, config, ids, session)
    return found


def _bar_before(bars: Bars, day: date) -> date | None:
    """Return the session of the last bar before a day, None without any."""
    position = int(np.searchsorted(bars.session, np.datetime64(day)))
    before: date | None = bars.session[position - 1].item() if position else None
    return before


def _past_forecasts(rows: Sequence[tuple[Any, ...]], horizons: int) -> tuple[PastForecast, ...]:
    """Return the newest published forecasts from rows (origin, horizon, location, scale, dof, factor), in that order."""
    by_origin: dict[date, list[tuple[Any, ...]]] = {}
    for origin, _horizon, *figures in rows:
        by_origin.setdefault(origin, []).append(tuple(figures))
    newest = sorted(by_origin)[-horizons:]
    columns = {day: np.array(by_origin[day], np.float64).T for day in newest}
    return tuple(PastForecast(day, location, scale, dof, factor) for day, (location, scale, dof, factor) in columns.items())
