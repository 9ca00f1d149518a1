"""Delete the checkpoints that nothing continues from."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.schema import (
    Checkpoint,
    Model,
)


def prune_checkpoints(connection: Connection, chains: Sequence[str]) -> None:
    """Delete checkpoints of some chains; keep those of the cold start and of the newest two models.

    chains: the ids of their cold starts. Models of other roles keep their checkpoints.
    """
    newest_first = sa.func.row_number().over(partition_by=Model.cold_ancestor_id, order_by=Model.depth.desc())
    ranked = (
        sa.select(Model.id, Model.start, newest_first.label("place"))
        .where(Model.cold_ancestor_id.in_(chains), Model.role == "chain")
        .subquery()
    )
    old = sa.select(ranked.c.id).where(ranked.c.start == "warm", ranked.c.place > 2)
    connection.execute(sa.delete(Checkpoint).where(Checkpoint.model_id.in_(old)))
