"""Forecasts without a score, forecasts with their scores, and the scores of cold twins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from storage.queries.shared import Query, same_forecast
from storage.rows import TWIN, BaselineForecastRow
from storage.schema import BaselineForecast, Forecast, Score, Unscored

ROWS_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class ScorableForecast:
    """The columns of a forecast that its score is computed from. dof is None for a normal."""

    ticker_id: int
    config_id: str
    origin: date
    horizon: int
    target: date
    field: str
    location: float
    scale: float
    dof: float | None
    last_price: float
    baseline_location: float
    baseline_scale: float
    baseline_dof: float | None


@dataclass(frozen=True, slots=True)
class NewestScore:
    """A forecast with the revision and the realised return of its newest score."""

    forecast: ScorableForecast
    revision: int
    realised_return: float


@dataclass(frozen=True, slots=True)
class ScoreColumns:
    """Scores of n forecasts by column, each (n,). target is datetime64[D], mode text; errors are natural-log returns."""

    ticker_id: NDArray[np.int32]
    horizon: NDArray[np.int32]
    mode: NDArray[np.str_]
    target: NDArray[np.datetime64]
    location: NDArray[np.float64]
    realised_return: NDArray[np.float64]
    abs_error: NDArray[np.float64]
    baseline_abs_error: NDArray[np.float64]
    crps: NDArray[np.float64]
    baseline_crps: NDArray[np.float64]
    inside_50: NDArray[np.int32]
    inside_80: NDArray[np.int32]
    inside_90: NDArray[np.int32]

    def select(self, which: NDArray[np.intp]) -> ScoreColumns:
        """Return the scores at some positions, in their order."""
        return ScoreColumns(*(getattr(self, field.name)[which] for field in fields(self)))


SCORABLE = tuple(getattr(Forecast, field.name) for field in fields(ScorableForecast))
TWIN_COLUMNS = tuple(getattr(BaselineForecast, field.name) for field in fields(BaselineForecastRow))


def unscored_forecasts(connection: Connection, before: Mapping[int, date]) -> list[ScorableForecast]:
    """Return the forecasts without a score, under any config, whose target is before a session. before: by ticker id."""
    query = sa.select(*SCORABLE).join(Unscored, same_forecast(Unscored, Forecast)).where(Unscored.ticker_id.in_(before))
    found = (ScorableForecast(*row) for row in connection.execute(query))
    return [forecast for forecast in found if forecast.target < before[forecast.ticker_id]]


def unscored_twins(connection: Connection, config_id: str, first: date, last: date) -> list[BaselineForecastRow]:
    """Return the cold twins without a score whose origins lie between two sessions, inclusive."""
    query = sa.select(*TWIN_COLUMNS).where(
        BaselineForecast.config_id == config_id,
        BaselineForecast.origin.between(first, last),
        BaselineForecast.crps.is_(None),
        BaselineForecast.name == TWIN,
    )
    return [BaselineForecastRow(*row) for row in connection.execute(query)]


def newest_scores(connection: Connection, ticker_id: int, first: date) -> list[NewestScore]:
    """Return a ticker's forecasts, under any config, with their newest scores, whose target is a session or a later one."""
    newest = (
        sa.select(Score.config_id, Score.origin, Score.horizon, sa.func.max(Score.revision).label("revision"))
        .where(Score.ticker_id == ticker_id)
        .group_by(Score.config_id, Score.origin, Score.horizon)
        .subquery()
    )
    is_newest = sa.and_(*(newest.c[name] == getattr(Score, name) for name in ("config_id", "origin", "horizon", "revision")))
    query = (
        sa.select(*SCORABLE, Score.revision, Score.realised_return)
        .join(Score, same_forecast(Score, Forecast))
        .join(newest, is_newest)
        .where(Forecast.ticker_id == ticker_id, Forecast.target >= first)
    )
    return [NewestScore(ScorableForecast(*row[:-2]), *row[-2:]) for row in connection.execute(query)]


def crps_against_twins(connection: Connection, config_id: str) -> tuple[float, float] | None:
    """Return the mean CRPS one session ahead of the forecasts that have a scored cold twin, and that of the twins."""
    row = connection.execute(
        sa.select(sa.func.avg(Score.crps), sa.func.avg(BaselineForecast.crps))
        .join(Score, same_forecast(Score, BaselineForecast) & (Score.revision == 0))
        .where(BaselineForecast.config_id == config_id, BaselineForecast.horizon == 1, BaselineForecast.name == TWIN)
    ).one()
    return (row[0], row[1]) if row[0] is not None else None


def scored_forecasts(connection: Connection, config_id: str) -> ScoreColumns:
    """Return all scores of revision 0 under a config: what skill is computed from."""
    of_forecast = ("mode", "target", "location")
    columns = [getattr(Forecast if field.name in of_forecast else Score, field.name) for field in fields(ScoreColumns)]
    query = (
        sa.select(*columns)
        .join(Forecast, same_forecast(Forecast, Score))
        .where(Score.config_id == config_id, Score.revision == 0)
    )
    return ScoreColumns(**_as_arrays(connection, query, {c.key: _array_type(c) for c in columns}))


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
