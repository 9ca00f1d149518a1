"""Write models and their losses, and delete the checkpoints that nothing continues from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.rows import LossRow, ModelRow
from tickercast.storage.schema import Checkpoint, FeatureSet, Loss, Model
from tickercast.storage.writes.inserts import Values, insert_mappings, insert_new_values, insert_values

IDS_AT_ONCE = 10_000  # SQLite takes 32,766 values in a statement


def insert_models(connection: Connection, rows: Sequence[ModelRow], *, run_id: int) -> int:
    """Insert models except those that are stored, parents before their children. Returns how many were added."""
    named = {id_ for row in rows for id_ in (row.id, row.parent_id, row.prior_id, row.cold_ancestor_id) if id_}
    numbers = numbers_of_models(connection, named)
    features = _feature_sets(connection, {row.features for row in rows})
    first = int(connection.exec_driver_sql("SELECT coalesce(max(number), 0) + 1 FROM models").scalar_one())
    values: list[Values] = []
    for row in rows:
        if row.id in numbers:
            continue
        number = numbers[row.id] = first + len(values)
        values.append((
            number, row.id, row.ticker_id, row.config_id, row.origin.isoformat(), row.role, row.start, row.reason,
            numbers[row.parent_id] if row.parent_id else None, numbers[row.prior_id] if row.prior_id else None, row.depth,
            numbers[row.cold_ancestor_id], row.epochs, row.updates, row.seed, bytes.fromhex(row.input_sha256),
            features[row.features], row.seconds, bytes.fromhex(row.checkpoint_sha256), run_id,
        ))  # fmt: skip
    return insert_new_values(connection, Model, values)


def insert_losses(connection: Connection, rows: Sequence[LossRow]) -> int:
    """Insert losses of stored models except those that are stored. Returns how many were added."""
    numbers = numbers_of_models(connection, {row.model_id for row in rows})
    return insert_values(
        connection,
        Loss,
        [
            (numbers[row.model_id], row.epoch, row.train_loss, row.validation_loss, row.gradient_norm, row.learning_rate)
            for row in rows
        ],
    )


def numbers_of_models(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """Return the numbers of those models that are stored, by id."""
    ordered, numbers = sorted(ids), {}
    for begin in range(0, len(ordered), IDS_AT_ONCE):
        part = tuple(ordered[begin : begin + IDS_AT_ONCE])
        query = f"SELECT id, number FROM models WHERE id IN ({', '.join('?' * len(part))})"
        numbers.update({row[0]: row[1] for row in connection.exec_driver_sql(query, part)})
    return numbers


def prune_checkpoints(connection: Connection, chains: Collection[str] | None, kept: int) -> int:
    """Delete checkpoints of some chains and return how many; keep those of the cold start and of the newest models.

    chains: the ids of their cold starts, None = all chains. kept: how many models. Models of other roles keep their checkpoints.
    """
    of_chains = [] if chains is None else [Model.cold_ancestor_number.in_(numbers_of_models(connection, chains).values())]
    newest_first = sa.func.row_number().over(partition_by=Model.cold_ancestor_number, order_by=Model.depth.desc())
    ranked = (
        sa.select(Model.id, Model.start, newest_first.label("place"))
        .join(Checkpoint, Checkpoint.model_id == Model.id)
        .where(Model.role == "chain", *of_chains)
        .subquery()
    )
    old = sa.select(ranked.c.id).where(ranked.c.start == "warm", ranked.c.place > kept)
    return connection.execute(sa.delete(Checkpoint).where(Checkpoint.model_id.in_(old))).rowcount


def _feature_sets(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the ids of some sets of features, which are entered where they are new."""
    stored = {row[1]: row[0] for row in connection.execute(sa.select(FeatureSet.id, FeatureSet.names))}
    new = sorted(set(names) - stored.keys())
    first = max(stored.values(), default=0) + 1
    insert_mappings(connection, FeatureSet, [{"id": id_, "names": text} for id_, text in enumerate(new, first)])
    return stored | {text: id_ for id_, text in enumerate(new, first)}
