"""Stored forecasts of a ticker under a config."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.queries.shared import same_forecast
from tickercast.storage.schema import Forecast, Origin, Recalibration, Ticker


def committed_origins(connection: Connection, ticker_id: int, config_id: str) -> set[date]:
    """Return the origins for which a ticker has forecasts under a config."""
    return set(connection.scalars(sa.select(Origin.origin).where(*_of(ticker_id, config_id))))


def last_origins(connection: Connection, config_id: str) -> dict[int, date]:
    """Return each ticker's newest origin under a config, by ticker id."""
    # One look into the index for each ticker: a GROUP BY would read all origins.
    newest = sa.select(sa.func.max(Origin.origin, type_=Origin.origin.type))
    of_ticker = newest.where(Origin.ticker_id == Ticker.id, Origin.config_id == config_id).scalar_subquery()
    rows = connection.execute(sa.select(Ticker.id, of_ticker))
    return {row[0]: row[1] for row in rows if row[1] is not None}


def known_at(connection: Connection, ticker_id: int, config_id: str, origin: date) -> datetime | None:
    """Return when the newest bar was recorded that the forecasts of a ticker at an origin used, None without forecasts."""
    query = sa.select(Origin.known_at).where(*_of(ticker_id, config_id), Origin.origin == origin)
    return connection.scalars(query).first()


def past_publications(connection: Connection, ticker_id: int, config_id: str, last: date) -> list[tuple[Any, ...]]:
    """Return (origin, horizon, location, scale, dof, scale_factor) of recalibrated forecasts, by origin and horizon.

    They are those of the newest origins up to `last`, inclusive: as many origins as there are horizons.
    """
    known = (*_of(ticker_id, config_id), Origin.origin <= last)
    horizons = sa.select(sa.func.max(Forecast.horizon)).join(Origin, Origin.id == Forecast.origin_id).where(*known)
    origins = sa.select(Origin.id).where(*known).order_by(Origin.origin.desc()).limit(horizons.scalar_subquery())
    query = (
        sa.select(
            Origin.origin,
            Forecast.horizon,
            Forecast.location,
            Forecast.scale,
            Forecast.dof,
            Recalibration.scale_factor,
        )
        .join(Recalibration, same_forecast(Recalibration, Forecast))
        .join(Origin, Origin.id == Forecast.origin_id)
        .where(Forecast.origin_id.in_(origins))
        .order_by(Origin.origin, Forecast.horizon)
    )
    return [tuple(row) for row in connection.execute(query)]


def forecast_densities(connection: Connection, ticker_id: int, config_id: str, horizon: int) -> list[tuple[Any, ...]]:
    """Return (origin, location, scale, dof, context) of a ticker's forecasts at one horizon, by origin.

    Rows of earlier versions have no context: they knew of no company event.
    """
    context = sa.func.coalesce(Origin.context, "none")
    columns = (Origin.origin, Forecast.location, Forecast.scale, Forecast.dof, context)
    query = sa.select(*columns).join(Origin, Origin.id == Forecast.origin_id)
    query = query.where(*_of(ticker_id, config_id), Forecast.horizon == horizon).order_by(Origin.origin)
    return [tuple(row) for row in connection.execute(query)]


def _of(ticker_id: int, config_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (Origin.ticker_id == ticker_id, Origin.config_id == config_id)
