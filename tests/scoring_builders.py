"""A record of unscored forecasts, with the product's tables, triggers and a few rows made by hand, and how tests score it.

Closes are 100, 110, 121, ...: each session returns log 1.1. Each origin has forecasts one and two sessions ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from tickercast.jobs.scoring.updates import revise_scores, score_settled
from tickercast.storage import writes
from tickercast.storage.bars import Bars, make_bars
from tickercast.storage.database import Connection, Engine, open_writer
from tickercast.storage.rows import TWIN, BaselineForecastRow, ModelRow, OriginRow
from tickercast.storage.schema import TRIGGERS, Base, Config, Run, Ticker
from tickercast.storage.writes.tickers import rescore

SESSIONS = [date(2024, 3, day) for day in (4, 5, 6, 7, 8, 11, 12)]
CONFIG, OTHER_CONFIG = EVERY_CONFIG = "c", "other"
RETURN = log(1.1)
MADE_AT = datetime(2024, 3, 4, 23, tzinfo=UTC)
NOW = datetime(2024, 3, 13, 23, tzinfo=UTC)
LATER = datetime(2024, 3, 14, 23, tzinfo=UTC)
OTHERS_OF_ORIGIN = "baseline_forecasts b JOIN origins o ON o.id = b.origin_id"
OF_ORIGIN = "scores s JOIN origins o ON o.id = s.origin_id"
SCORES = f"SELECT o.ticker_id, o.origin, s.horizon, s.revision FROM {OF_ORIGIN} ORDER BY 1, 2, 3, 4"


@contextmanager
def scoring_engine() -> Iterator[Engine]:
    """Yield the writer's engine of a record in memory: two tickers and two configs, with forecasts from five sessions."""
    engine = open_writer(Path(":memory:"))
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        fill(connection)
    yield engine
    engine.dispose()


@contextmanager
def rolled_back(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that is rolled back at the end."""
    with engine.connect() as connection:
        yield connection
        connection.rollback()


def fill(connection: Connection) -> None:
    for trigger in TRIGGERS.values():
        connection.exec_driver_sql(trigger)
    listing = {"exchange": "XNYS", "currency": "USD", "time_zone": "America/New_York", "source": "folder"}
    rest = {"price_basis": "as_traded", "tracked": 1, "status": "active", "added_at": MADE_AT}
    symbols = [{"id": i, "symbol": name, "key": name} for i, name in ((1, "AAA"), (2, "BBB"))]
    connection.execute(sa.insert(Ticker), [symbol | listing | rest for symbol in symbols])
    config = {"preset": "default", "field": "close", "active": 0, "created_at": MADE_AT}
    connection.execute(sa.insert(Config), [config | {"id": name, "settings": name} for name in (CONFIG, OTHER_CONFIG)])
    counts = {"tickers_ok": 2, "tickers_failed": 0, "forecasts": 0, "fingerprint": "cpu"}
    connection.execute(sa.insert(Run), [counts | {"id": 1, "kind": "run", "status": "done", "started_at": MADE_AT}])
    model = ModelRow(
        "m", 1, CONFIG, SESSIONS[0], "chain", "cold", "first origin", None, None, 0, "m", 1, 1, 7, "1a", "return", 0.1, "2b"
    )
    writes.insert_models(connection, [model], run_id=1)
    rows = [origin_row(t, c, i) for t in (1, 2) for c in (CONFIG, OTHER_CONFIG) for i in range(5)]
    modes = dict.fromkeys(SESSIONS, "live")
    writes.insert_origins(connection, rows, modes=modes, made_at=MADE_AT, run_id=1)


def origin_row(ticker_id: int, config_id: str, origin: int) -> OriginRow:
    quantiles = [95.0, 96.0, 98.0, 102.0, 104.0, 106.0, 107.0]
    return OriginRow(
        ticker_id=ticker_id, config_id=config_id, origin=SESSIONS[origin], field="close", last_price=100.0,
        price_basis="as_traded", known_at=MADE_AT, input_sha256="1a", model_id="m",
        targets=tuple(SESSIONS[origin + 1 : origin + 3]), numbers=[[0.02, 0.03, 5.0, *quantiles, 0.0, 0.05, None]] * 2,
    )  # fmt: skip


def bars_of(*close: float) -> Bars:
    """Return bars of the first sessions. Opens are a tenth of the closes."""
    opens = np.array(close) / 10
    days = np.array(SESSIONS[: len(close)], dtype="datetime64[D]")
    return make_bars(days, {"open": opens, "high": close, "low": opens, "close": close})


GROWING = bars_of(*(100 * 1.1**i for i in range(7)))
BOTH = {1: GROWING, 2: GROWING}


def score(connection: Connection, bars: dict[int, Bars], before: int, configs: tuple[str, ...] = (CONFIG,)) -> None:
    """Score what is due before a session, under some configs."""
    kept = ", ".join(f"'{config}'" for config in configs)
    connection.exec_driver_sql(
        f"DELETE FROM unscored WHERE origin_id NOT IN (SELECT id FROM origins WHERE config_id IN ({kept}))"
    )
    score_settled(connection, bars, dict.fromkeys(bars, SESSIONS[before]))


def set_field(connection: Connection, field: str) -> None:
    """Make all forecasts those of a field."""
    connection.exec_driver_sql("DROP TRIGGER origins_refuse_update")
    connection.exec_driver_sql(f"UPDATE origins SET field = '{field}'")


def restate(connection: Connection, session: int, ticker_id: int = 1) -> None:
    """Note that a stored bar changed."""
    rescore(connection, ticker_id, SESSIONS[session])


def revise(connection: Connection, bars: Bars) -> None:
    revise_scores(connection, 1, bars)


def add_twins(connection: Connection, *keys: tuple[int, int, int], name: str = TWIN, config_id: str = CONFIG) -> None:
    """Add unscored twins of forecasts given by ticker, origin and horizon; their location is the number of the origin / 100."""
    rows = [BaselineForecastRow(t, config_id, SESSIONS[o], h, name, o / 100, 0.04, 6.0, None) for t, o, h in keys]
    writes.insert_baseline_forecasts(connection, rows)


def answer(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(query)]
