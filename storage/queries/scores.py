"""Forecasts without a score, forecasts with their scores, and the scores of cold twins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from storage.queries.keys import SCORING_COLUMNS, Query, mappings, same_forecast
from storage.rows import TWIN
from storage.schema import BaselineForecast, Forecast, Score

ROWS_AT_ONCE = 50_000


def unscored_forecasts(
    connection: Connection, ticker_ids: Sequence[int], config_id: str, *, before: date, from_origin: date | None
) -> list[dict[str, Any]]:
    """Return the forecasts with a target before a session and no score. from_origin: the first origin to search."""
    query = sa.select(*SCORING_COLUMNS).where(
        Forecast.ticker_id.in_(ticker_ids),
        Forecast.config_id == config_id,
        Forecast.target < before,
        ~sa.exists().where(same_forecast(Score, Forecast)),
    )
    if from_origin is not None:
        query = query.where(Forecast.origin >= from_origin)
    return mappings(connection, query)


def unscored_twins(connection: Connection, config_id: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return the cold twins without a score whose origins lie between two sessions, inclusive."""
    query = sa.select(BaselineForecast.__table__).where(
        BaselineForecast.config_id == config_id,
        BaselineForecast.origin.between(first, last),
        BaselineForecast.crps.is_(None),
        BaselineForecast.name == TWIN,
    )
    return mappings(connection, query)


def newest_scores(connection: Connection, ticker_id: int, config_id: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return a ticker's forecasts with their newest scores, where origin to target overlaps the sessions first to last."""
    newest = (
        sa.select(Score.origin, Score.horizon, sa.func.max(Score.revision).label("revision"))
        .where(Score.ticker_id == ticker_id, Score.config_id == config_id)
        .group_by(Score.origin, Score.horizon)
        .subquery()
    )
    is_newest = (newest.c.origin == Score.origin) & (newest.c.horizon == Score.horizon) & (newest.c.revision == Score.revision)
    query = (
        sa.select(*SCORING_COLUMNS, Score.revision, Score.realised_return)
        .join(Score, same_forecast(Score, Forecast))
        .join(newest, is_newest)
        .where(Forecast.ticker_id == ticker_id, Forecast.config_id == config_id)
        .where(Forecast.origin <= last, Forecast.target >= first)
    )
    return mappings(connection, query)


def crps_against_twins(connection: Connection, config_id: str) -> tuple[float, float] | None:
    """Return the mean CRPS one session ahead of the forecasts that have a scored cold twin, and that of the twins."""
    row = connection.execute(
        sa.select(sa.func.avg(Score.crps), sa.func.avg(BaselineForecast.crps))
        .join(Score, same_forecast(Score, BaselineForecast) & (Score.revision == 0))
        .where(BaselineForecast.config_id == config_id, BaselineForecast.horizon == 1, BaselineForecast.name == TWIN)
    ).one()
    return (row[0], row[1]) if row[0] is not None else None


def scored_forecasts(connection: Connection, config_id: str) -> dict[str, NDArray[Any]]:
    """Return the columns that skill is computed from, each (n,): all scores of revision 0 under a config."""
    columns = (
        Score.ticker_id,
        Score.horizon,
        Forecast.mode,
        Forecast.target,
        Forecast.location,
        Score.realised_return,
        Score.abs_error,
        Score.baseline_abs_error,
        Score.crps,
        Score.baseline_crps,
        Score.inside_50,
        Score.inside_80,
        Score.inside_90,
    )
    query = (
        sa.select(*columns)
        .join(Forecast, same_forecast(Forecast, Score))
        .where(Score.config_id == config_id, Score.revision == 0)
    )
    return _as_arrays(connection, query, {c.key: _array_type(c) for c in columns})


def _array_type(column: sa.orm.InstrumentedAttribute[Any]) -> np.dtype[Any]:
    if column.key == "mode":
        return np.dtype("U8")
    if column.key == "target":
        return np.dtype("datetime64[D]")
    return np.dtype(np.float64 if isinstance(column.type, sa.Double) else np.int32)


def _as_arrays(connection: Connection, query: Query, types: dict[str, np.dtype[Any]]) -> dict[str, NDArray[Any]]:
    """Return a query's columns as arrays (n,). Reads in parts: all rows as Python objects would take gigabytes."""
    parts: dict[str, list[NDArray[Any]]] = {name: [np.empty(0, kind)] for name, kind in types.items()}
    answer = connection.execution_options(stream_results=True).execute(query)
    for rows in answer.partitions(ROWS_AT_ONCE):
        for (name, kind), values in zip(types.items(), zip(*rows, strict=True), strict=True):
            parts[name].append(np.array(values, kind))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}
