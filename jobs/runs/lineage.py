"""Reads what a run continues from the record: the model that served an origin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from tickercast.jobs.forecasting.recalibration import PastForecast
from tickercast.jobs.forecasting.tasks import Parent
from tickercast.jobs.workspace.config import Config
from tickercast.storage import queries
from tickercast.storage.database import Connection


def parent_at(connection: Connection, config: Config, ticker_id: int, session: date) -> Parent | None:
    """Return the model that served a ticker at a session; None where its params are no longer kept."""
    found = queries.serving_model(connection, ticker_id, config.id, session)
    if found is None or found.content is None:
        return None
    past = queries.past_publications(connection, ticker_id, config.id, session) if config.recalibrate else []
    return Parent(
        found.model_id, session, found.depth, found.cold_ancestor_id, found.input_sha256, found.content,
        _past_forecasts(past, config.horizons), found.prior_id,
    )  # fmt: skip


def _past_forecasts(rows: Sequence[tuple[Any, ...]], horizons: int) -> tuple[PastForecast, ...]:
    """Return the newest published forecasts from rows (origin, horizon, location, scale, dof, factor), in that order."""
    by_origin: dict[date, list[tuple[Any, ...]]] = {}
    for origin, _horizon, *figures in rows:
        by_origin.setdefault(origin, []).append(tuple(figures))
    newest = sorted(by_origin)[-horizons:]
    columns = {day: np.array(by_origin[day], np.float64).T for day in newest}
    return tuple(PastForecast(day, location, scale, dof, factor) for day, (location, scale, dof, factor) in columns.items())
