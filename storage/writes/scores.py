"""Write scores, and what is computed from them: the CRPS of cold twins, skill and risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from itertools import count, repeat

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage import digests
from tickercast.storage.instants import instant_text
from tickercast.storage.rows import TWIN, RiskRow, ScoreRow, SkillRow
from tickercast.storage.schema import BaselineForecast, RiskTest, Score, SkillTest
from tickercast.storage.writes.inserts import insert_new_values

DAYS = {"first_target", "last_target", "origin", "target"}  # columns of skill and risk
ORIGINS_AT_ONCE = 1_000
# Counts, which are looked up origin by origin; a server might join all forecasts with all scores for NOT EXISTS.
SETTLE = """DELETE FROM unscored WHERE origin_id IN (%s)
AND (SELECT count(*) FROM forecasts f WHERE f.origin_id = unscored.origin_id)
= (SELECT count(DISTINCT s.horizon) FROM scores s WHERE s.origin_id = unscored.origin_id)"""


def insert_scores(connection: Connection, rows: Sequence[ScoreRow]) -> int:
    """Insert scores none of which is stored, and return how many.

    Origins all of whose forecasts have a score now are taken from the list of unscored ones.
    """
    added = insert_new_values(connection, Score, rows)
    origins = sorted({row.origin_id for row in rows})
    for begin in range(0, len(origins), ORIGINS_AT_ONCE):
        part = tuple(origins[begin : begin + ORIGINS_AT_ONCE])
        connection.exec_driver_sql(SETTLE % ", ".join("?" * len(part)), part)
    return added


def score_twins(connection: Connection, crps: Mapping[tuple[int, int], float]) -> None:
    """Store the CRPS of cold twins that are in the database without one, by the id of their origin and their horizon."""
    if not crps:
        return
    key = (BaselineForecast.origin_id == sa.bindparam("id"), BaselineForecast.horizon == sa.bindparam("at"))
    statement = sa.update(BaselineForecast).where(*key, BaselineForecast.name == TWIN).values(crps=sa.bindparam("score"))
    connection.execute(
        statement.execution_options(synchronize_session=False),
        [{"id": origin_id, "at": horizon, "score": value} for (origin_id, horizon), value in crps.items()],
    )


def replace_skill(connection: Connection, config_id: str, rows: Sequence[SkillRow], *, computed_at: datetime) -> None:
    """Replace the stored skill of a config."""
    _replace(connection, SkillTest, config_id, rows, computed_at)


def replace_risk(connection: Connection, config_id: str, rows: Sequence[RiskRow], *, computed_at: datetime) -> None:
    """Replace the stored exceedances of a config, and the risk of its newest forecasts."""
    _replace(connection, RiskTest, config_id, rows, computed_at)


def _replace(
    connection: Connection,
    table: type[SkillTest] | type[RiskTest],
    config_id: str,
    rows: Sequence[SkillRow] | Sequence[RiskRow],
    computed_at: datetime,
) -> None:
    connection.execute(sa.delete(table).where(table.config_id == config_id))
    digests.forget(connection, table.__tablename__, config_id)
    if not rows:
        return
    first = int(connection.exec_driver_sql(f"SELECT coalesce(max(id), 0) + 1 FROM {table.__tablename__}").scalar_one())
    columns = [
        list(map(_text, column)) if name in DAYS else column
        for name, column in zip(rows[0]._fields, zip(*rows, strict=True), strict=True)
    ]
    values = zip(count(first), repeat(config_id), *columns, repeat(instant_text(computed_at)), strict=False)
    insert_new_values(connection, table, list(values))


@cache
def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
