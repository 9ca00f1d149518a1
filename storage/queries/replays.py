"""What a replay starts from: stored origins with the instants at which they were made, their models, and their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.queries.models import whole_checkpoint
from tickercast.storage.rows import FORECAST_NUMBERS
from tickercast.storage.schema import Checkpoint, Config, Forecast, Model, Origin, Prior, Run


@dataclass(frozen=True, slots=True)
class OriginKey:
    """A ticker's origin under a config."""

    ticker_id: int
    config_id: str
    origin: date


@dataclass(frozen=True, slots=True)
class StoredOrigin:
    """An origin with the instant at which it was made, its model, and the run that made it.

    reason: why the model was trained; None where an earlier model serves. has_checkpoint: whether the model's is kept.
    """

    id: int
    origin: date
    made_at: datetime
    model_id: str
    reason: str | None
    has_checkpoint: bool
    run_id: int


@dataclass(frozen=True, slots=True)
class BundledPriorOfRecord:
    """A bundled prior that some models of a config began from."""

    model_id: str
    family: str
    cutoff: date
    content: bytes


def all_origins(connection: Connection) -> list[OriginKey]:
    """Return every origin with forecasts, by ticker, config and session."""
    columns = (Origin.ticker_id, Origin.config_id, Origin.origin)
    return [OriginKey(*row) for row in connection.execute(sa.select(*columns).order_by(*columns))]


def origins_of_model(connection: Connection, beginning: str) -> list[OriginKey]:
    """Return the origins that models serve whose id begins with some digits, oldest first."""
    query = (
        sa.select(Origin.ticker_id, Origin.config_id, Origin.origin)
        .join(Model, Model.number == Origin.model_number)
        .where(Model.id.startswith(beginning, autoescape=True))
        .order_by(Origin.origin)
    )
    return [OriginKey(*row) for row in connection.execute(query)]


def origins_until(connection: Connection, key: OriginKey) -> Iterator[StoredOrigin]:
    """Yield the origins of a ticker and config up to one of them, newest first."""
    is_new = sa.case((Model.origin == Origin.origin, Model.reason))
    query = (
        sa.select(Origin.id, Origin.origin, Origin.made_at, Model.id, is_new, Checkpoint.model_id.is_not(None), Origin.run_id)
        .join(Model, Model.number == Origin.model_number)
        .outerjoin(Checkpoint, Checkpoint.model_id == Model.id)
        .where(Origin.ticker_id == key.ticker_id, Origin.config_id == key.config_id, Origin.origin <= key.origin)
        .order_by(Origin.origin.desc())
    )
    for row in connection.execute(query):
        yield StoredOrigin(*row)


def stored_numbers(connection: Connection, origin_id: int) -> list[tuple[float | None, ...]]:
    """Return the numbers of an origin's forecasts, named by FORECAST_NUMBERS, nearest target first."""
    columns = [getattr(Forecast, name) for name in FORECAST_NUMBERS]
    query = sa.select(*columns).where(Forecast.origin_id == origin_id).order_by(Forecast.horizon)
    return [tuple(row) for row in connection.execute(query)]


def config_settings(connection: Connection, config_id: str) -> str:
    """Return the settings of a config, JSON."""
    return str(connection.execute(sa.select(Config.settings).where(Config.id == config_id)).scalar_one())


def bundled_priors_of(connection: Connection, config_id: str) -> list[BundledPriorOfRecord]:
    """Return the bundled priors that models of a config began from, oldest first."""
    query = (
        sa.select(Prior.model_id, Prior.family, Prior.cutoff, Checkpoint.sha256, Checkpoint.content)
        .join(Model, Model.id == Prior.model_id)
        .join(Checkpoint, Checkpoint.model_id == Prior.model_id)
        .where(Model.config_id == config_id, Prior.kind == "bundled")
        .order_by(Prior.cutoff)
    )
    return [BundledPriorOfRecord(*row[:-2], whole_checkpoint(row[0], *row[-2:]) or b"") for row in connection.execute(query)]


def fingerprint_of(connection: Connection, run_id: int) -> str:
    """Return what the bytes of a run's forecasts depend on."""
    return str(connection.execute(sa.select(Run.fingerprint).where(Run.id == run_id)).scalar_one())
