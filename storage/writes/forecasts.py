"""Write origins with their forecasts, and what belongs to a forecast: other models' forecasts and recalibrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.instants import instant_text
from tickercast.storage.rows import BaselineForecastRow, OriginRow, RecalibrationRow
from tickercast.storage.schema import BaselineForecast, Forecast, Origin, Recalibration
from tickercast.storage.writes.inserts import Values, insert_new_values, insert_values
from tickercast.storage.writes.models import numbers_of_models

OriginKey = tuple[int, str, str]  # the ticker's id, the config's, and the session as text


def insert_origins(
    connection: Connection, rows: Sequence[OriginRow], *, modes: Mapping[date, str], made_at: datetime, run_id: int
) -> int:
    """Insert origins with their forecasts, except origins that are stored, and return the number of forecasts added.

    modes: of each session. made_at, run_id: when and by which run they were made. Raises ValueError for a number that is not
    finite.
    """
    stored = ids_of_origins(connection, rows)
    new = list({_key(row): row for row in reversed(rows) if _key(row) not in stored}.values())[::-1]
    if not new:
        return 0
    numbers = numbers_of_models(connection, {row.model_id for row in new})
    first = int(connection.exec_driver_sql("SELECT coalesce(max(id), 0) + 1 FROM origins").scalar_one())
    made = instant_text(made_at)
    origins: list[Values] = []
    forecasts: list[Values] = []
    for id_, row in enumerate(new, first):
        origins.append((
            id_, *_key(row), row.field, row.last_price, row.price_basis, modes[row.origin], made, _instant(row.known_at),
            bytes.fromhex(row.input_sha256), numbers[row.model_id], run_id, row.context,
        ))  # fmt: skip
        horizons = range(1, len(row.targets) + 1)
        forecasts += [
            (id_, horizon, _text(target), *figures)
            for horizon, target, figures in zip(horizons, row.targets, row.numbers, strict=True)
        ]
    insert_new_values(connection, Origin, origins)
    return insert_new_values(connection, Forecast, forecasts)


def insert_recalibrations(connection: Connection, rows: Sequence[RecalibrationRow]) -> int:
    """Insert the recalibrations of stored forecasts except those that are stored. Returns how many were added."""
    ids = ids_of_origins(connection, rows)
    values = [(ids[_key(row)], row.horizon, row.scale_factor, row.raw_scale) for row in rows]
    return insert_values(connection, Recalibration, values)


def insert_baseline_forecasts(connection: Connection, rows: Sequence[BaselineForecastRow]) -> int:
    """Insert other models' forecasts at stored origins except those that are stored. Returns how many were added."""
    ids = ids_of_origins(connection, rows)
    return insert_values(
        connection,
        BaselineForecast,
        [(ids[_key(row)], row.horizon, row.name, row.location, row.scale, row.dof, row.crps) for row in rows],
    )


def ids_of_origins(
    connection: Connection, rows: Sequence[OriginRow] | Sequence[RecalibrationRow] | Sequence[BaselineForecastRow]
) -> dict[OriginKey, int]:
    """Return the ids of stored origins, at least of those that some rows name."""
    found: dict[OriginKey, int] = {}
    for config_id in sorted({row.config_id for row in rows}):
        of_config = [row for row in rows if row.config_id == config_id]
        tickers, sessions = {row.ticker_id for row in of_config}, [row.origin for row in of_config]
        query = sa.select(Origin.id, Origin.ticker_id, sa.cast(Origin.origin, sa.Text)).where(
            Origin.config_id == config_id, Origin.ticker_id.in_(tickers), Origin.origin.between(min(sessions), max(sessions))
        )
        found |= {(ticker_id, config_id, origin): id_ for id_, ticker_id, origin in connection.execute(query)}
    return found


def _key(row: OriginRow | RecalibrationRow | BaselineForecastRow) -> OriginKey:
    """Return what identifies the origin of a row."""
    return row.ticker_id, row.config_id, _text(row.origin)


@cache  # of the few thousand sessions that there are
def _text(session: date) -> str:
    return session.isoformat()


@cache
def _instant(instant: datetime) -> str:
    return instant_text(instant)
