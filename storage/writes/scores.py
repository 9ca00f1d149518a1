"""Write what is computed from scores: the CRPS of cold twins, and skill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.rows import (
    BaselineForecastRow,
    SkillRow,
)
from storage.schema import (
    BaselineForecast,
    SkillTest,
)


def score_twins(connection: Connection, twins: Sequence[BaselineForecastRow]) -> None:
    """Store the CRPS of cold twins that are in the database without one."""
    if not twins:
        return
    key = ("ticker_id", "config_id", "origin", "horizon", "name")
    matches = (getattr(BaselineForecast, name) == sa.bindparam(f"key_{name}") for name in key)
    statement = sa.update(BaselineForecast).where(*matches).values(crps=sa.bindparam("score"))
    connection.execute(
        statement.execution_options(synchronize_session=False),
        [{f"key_{name}": getattr(twin, name) for name in key} | {"score": twin.crps} for twin in twins],
    )


def replace_skill(connection: Connection, config_id: str, rows: Sequence[SkillRow], *, computed_at: datetime) -> None:
    """Replace the stored skill of a config."""
    connection.execute(sa.delete(SkillTest).where(SkillTest.config_id == config_id))
    if rows:
        common = {"config_id": config_id, "computed_at": computed_at}
        connection.execute(sa.insert(SkillTest), [{**asdict(row), **common} for row in rows])
