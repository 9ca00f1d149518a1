"""The models behind forecasts, with their checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.schema import Checkpoint, Forecast, Model


@dataclass(frozen=True, slots=True)
class ServingModel:
    """The model behind a ticker's forecasts at one origin. content: its checkpoint, None when that was pruned."""

    model_id: str
    depth: int
    cold_ancestor_id: str
    input_sha256: str
    reason: str
    content: bytes | None


def serving_model(connection: Connection, ticker_id: int, config_id: str, origin: date) -> ServingModel | None:
    """Return the model that made a ticker's forecasts at an origin, None without forecasts."""
    row = connection.execute(
        sa.select(Model.id, Model.depth, Model.cold_ancestor_id, Forecast.input_sha256, Model.reason, Checkpoint.content)
        .join(Model, Model.id == Forecast.model_id)
        .outerjoin(Checkpoint, Checkpoint.model_id == Model.id)
        .where(
            Forecast.ticker_id == ticker_id,
            Forecast.config_id == config_id,
            Forecast.origin == origin,
            Forecast.horizon == 1,
        )
    ).first()
    return ServingModel(*row) if row else None


def prior_model(connection: Connection, config_id: str, origin: date, reason: str) -> tuple[str, bytes] | None:
    """Return the id and the checkpoint of the first prior fitted for a session, None without one."""
    row = connection.execute(
        sa.select(Model.id, Checkpoint.content)
        .join(Checkpoint, Checkpoint.model_id == Model.id)
        .where(Model.config_id == config_id, Model.origin == origin, Model.role == "prior", Model.reason == reason)
        .order_by(Model.run_id, Model.id)
    ).first()
    return (row[0], row[1]) if row else None
