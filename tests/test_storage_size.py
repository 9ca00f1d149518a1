"""What a forecast costs in the database: its row, its share of its origin, model and losses, its score, and all indexes."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from tests.builders import CONFIG, IBM, Record, at_night, small_record
from tickercast.storage import writes
from tickercast.storage.rows import LossRow, ModelRow, OriginRow, ScoreRow

ORIGINS, HORIZONS = 400, 5
FIRST = date(2020, 1, 1)
MOST_BYTES = 400


def sha256(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def model_of(n: int) -> ModelRow:
    parent = sha256(str(n - 1))[:32] if n else None
    return ModelRow(
        sha256(str(n))[:32], IBM, CONFIG, FIRST + timedelta(n), "chain", "warm" if n else "cold", "warm", parent, None, n,
        sha256("0")[:32], 1, 1, 2**62 + n, sha256(f"input {n}"), "return,volatility trend,volatility level,range,gap,volume",
        0.001, sha256(f"checkpoint {n}"),
    )  # fmt: skip


def origin_of(n: int, rng: np.random.Generator) -> OriginRow:
    session = FIRST + timedelta(n)
    numbers = rng.uniform(0.5, 1.0, (HORIZONS, 13))
    numbers[:, 3:10].sort(axis=1)
    return OriginRow(
        IBM, CONFIG, session, "close", 100 * rng.uniform(), "as_traded", at_night(session), sha256(f"input {n}"),
        sha256(str(n))[:32], tuple(session + timedelta(h + 1) for h in range(HORIZONS)), numbers.tolist(),
    )  # fmt: skip


def size_of(record: Record) -> int:
    with closing(sqlite3.connect(record.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return record.database.stat().st_size


def test_a_forecast_with_its_score_costs_less_than_400_bytes(tmp_path: Path) -> None:
    record, rng = small_record(tmp_path), np.random.default_rng(0)
    before = size_of(record)
    rows = [origin_of(n, rng) for n in range(ORIGINS)]
    keys = [(origin, horizon, 0) for origin in range(3, 3 + ORIGINS) for horizon in range(1, HORIZONS + 1)]
    with record.writing() as connection:
        writes.insert_models(connection, [model_of(n) for n in range(ORIGINS)], run_id=1)
        writes.insert_losses(connection, [LossRow(model_of(n).id, 0, *rng.uniform(size=4)) for n in range(ORIGINS)])
        modes = {row.origin: "backfill" for row in rows}
        made = writes.insert_origins(connection, rows, modes=modes, made_at=at_night(FIRST), run_id=1)
        scored = writes.insert_scores(connection, [ScoreRow(*key, *rng.uniform(size=5).tolist(), 0, 1, 1) for key in keys])
    assert made == scored == ORIGINS * HORIZONS
    assert (size_of(record) - before) / made < MOST_BYTES
