"""The models behind forecasts, with their checkpoints."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.errors import Corrupt
from tickercast.storage.files import sha256_of
from tickercast.storage.schema import Checkpoint, Event, Model, Origin, Prior, PriorMember


@dataclass(frozen=True, slots=True)
class ServingModel:
    """The model behind a ticker's forecasts at one origin. content: its checkpoint, None when that was pruned."""

    model_id: str
    depth: int
    cold_ancestor_id: str
    input_sha256: str
    reason: str
    prior_id: str | None
    content: bytes | None


@dataclass(frozen=True, slots=True)
class StoredPrior:
    """A fitted prior and the session from which it serves. content: its checkpoint, None when its fit diverged."""

    model_id: str
    cutoff: date
    content: bytes | None


@dataclass(frozen=True, slots=True)
class PriorSize:
    """A fitted prior with its number of members and the size of its checkpoint, 0 where its fit diverged."""

    model_id: str
    kind: str
    family: str
    cutoff: date
    members: int
    bytes: int
    fingerprint: str


def whole_checkpoint(model_id: str, sha256: str | None, content: bytes | None) -> bytes | None:
    """Return the bytes of a checkpoint that are what was written, None for a pruned one. Raises Corrupt for other ones."""
    if content is not None and (not isinstance(content, bytes) or sha256_of(content) != sha256):
        raise Corrupt(f"checkpoint of model {model_id}: its bytes are not what was written; restore the database from a backup")
    return content


def serving_model(connection: Connection, ticker_id: int, config_id: str, origin: date) -> ServingModel | None:
    """Return the model that made a ticker's forecasts at an origin, None without forecasts. Raises Corrupt."""
    found = serving_models(connection, [ticker_id], config_id, origin).get(ticker_id)
    if isinstance(found, Corrupt):
        raise found
    return found


def serving_models(
    connection: Connection, tickers: Collection[int], config_id: str, origin: date
) -> dict[int, ServingModel | Corrupt]:
    """Return the models that made the forecasts of some tickers at an origin, by ticker id, or that a checkpoint is damaged."""
    ancestor, prior = sa.orm.aliased(Model), sa.orm.aliased(Model)
    rows = connection.execute(
        sa.select(
            Origin.ticker_id, Model.id, Model.depth, ancestor.id, Origin.input_sha256, Model.reason, prior.id,
            Checkpoint.sha256, Checkpoint.content,
        )
        .join(Model, Model.number == Origin.model_number)
        .join(ancestor, ancestor.number == Model.cold_ancestor_number)
        .outerjoin(prior, prior.number == Model.prior_number)
        .outerjoin(Checkpoint, Checkpoint.model_id == Model.id)
        .where(Origin.ticker_id.in_(tickers), Origin.config_id == config_id, Origin.origin == origin)
    )  # fmt: skip
    found: dict[int, ServingModel | Corrupt] = {}
    for row in rows:
        try:
            found[row[0]] = ServingModel(*row[1:-2], whole_checkpoint(row[1], *row[-2:]))
        except Corrupt as error:
            found[row[0]] = error
    return found


def checkpoint_content(connection: Connection, model_id: str) -> bytes | None:
    """Return the checkpoint of a model, None when it was pruned."""
    row = connection.execute(sa.select(Checkpoint.sha256, Checkpoint.content).where(Checkpoint.model_id == model_id)).first()
    return whole_checkpoint(model_id, *row) if row else None


def universe_priors(connection: Connection, config_id: str, exchange: str) -> list[StoredPrior]:
    """Return the priors of a config's universe that were fitted for an exchange, oldest first."""
    rows = connection.execute(
        sa.select(Prior.model_id, Prior.cutoff, Checkpoint.sha256, Checkpoint.content)
        .join(Model, Model.id == Prior.model_id)
        .outerjoin(Checkpoint, Checkpoint.model_id == Prior.model_id)
        .where(Model.config_id == config_id, Prior.kind == "universe", Prior.family == exchange)
        .order_by(Prior.cutoff, Model.run_id, Prior.model_id)
    )
    return [StoredPrior(*row[:-2], whole_checkpoint(row[0], *row[-2:])) for row in rows]


def counted_members(connection: Connection, model_id: str) -> int:
    """Return the number of a prior's members."""
    query = sa.select(sa.func.count()).where(PriorMember.model_id == model_id)
    return int(connection.execute(query).scalar_one())


def summarised_priors(connection: Connection, config_id: str) -> list[PriorSize]:
    """Return the priors that were fitted under a config, oldest first; bundled ones are no part of it."""
    members = sa.select(sa.func.count()).where(PriorMember.model_id == Prior.model_id).scalar_subquery()
    rows = connection.execute(
        sa.select(
            Prior.model_id, Prior.kind, Prior.family, Prior.cutoff, members,
            sa.func.coalesce(sa.func.length(Checkpoint.content), 0), Prior.fingerprint,
        )
        .join(Model, Model.id == Prior.model_id)
        .outerjoin(Checkpoint, Checkpoint.model_id == Prior.model_id)
        .where(Model.config_id == config_id, Prior.kind != "bundled")
        .order_by(Prior.cutoff, Prior.family)
    )  # fmt: skip
    return [PriorSize(*row) for row in rows]


def is_first_without_priors_of_runs(connection: Connection) -> bool:
    """Return whether earlier versions stored priors of a run's tickers, and no run has said since that they end."""
    stored = sa.select(Prior.model_id).where(Prior.kind == "run").limit(1)
    told = sa.select(Event.id).where(Event.kind == "upgrade").limit(1)
    return connection.execute(stored).first() is not None and connection.execute(told).first() is None
