"""Builders that several tests share. A record here is made by hand: the real schema, a few rows, no training."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from tickercast.storage import digests, schema, writes
from tickercast.storage.bar_files import WrittenFile, read_bars, write_bars
from tickercast.storage.bars import BarHistory, Listing, as_known, make_bars
from tickercast.storage.database import Connection, open_reader, open_writer, upgrade_database
from tickercast.storage.files import sha256_of
from tickercast.storage.rows import (
    FORECAST_NUMBERS,
    TWIN,
    BaselineForecastRow,
    LossRow,
    ModelRow,
    OriginRow,
    PriorMemberRow,
    PriorRow,
    RecalibrationRow,
)

IBM, MSFT = 1, 2
CONFIG = "c0ffee"
SESSIONS = tuple(date(2024, 3, day) for day in (4, 5, 6, 7, 8, 11, 12))
BARS = 5  # the stored bars: Monday to Friday
COLD_ORIGIN, WARM_ORIGIN = SESSIONS[2], SESSIONS[3]  # the last two of the record
ORIGIN_IDS = {COLD_ORIGIN: 1, WARM_ORIGIN: 2}  # of their rows
FORECAST = {
    "location": 0.0, "scale": 0.01, "dof": 5.0, "q05": 98.0, "q10": 98.5, "q25": 99.0, "q50": 100.0, "q75": 101.0, "q90": 101.5,
    "q95": 102.0, "baseline_location": 0.0, "baseline_scale": 0.012, "baseline_dof": None,
}  # fmt: skip
ORIGIN = {
    "ticker_id": IBM, "config_id": CONFIG, "field": "close", "last_price": 100.0, "price_basis": "as_traded",
    "input_sha256": "1a", "context": "recorded",
}  # fmt: skip
SCORE = {
    "realised_price": 101.0, "crps": 0.003, "baseline_crps": 0.004, "pit": 0.84, "inside_50": 0, "inside_80": 1, "inside_90": 1,
}  # fmt: skip
MODEL = {
    "ticker_id": IBM, "config_id": CONFIG, "role": "chain", "start": "cold", "reason": "first origin", "parent_id": None,
    "prior_id": None, "depth": 0, "epochs": 2, "updates": 8, "seed": 7, "input_sha256": "1a", "features": "return",
    "seconds": 0.5,
}  # fmt: skip
# Of one date: 18 figures of two numbers each, of which the first counts the scores in multiples of 2**-26.
ONE_SCORE = (1 << 26).to_bytes(8, "little") + bytes(18 * 16 - 8)


@dataclass(frozen=True, slots=True)
class Record:
    """A database and the prices folder that belongs to it."""

    database: Path
    prices: Path

    def copy_to(self, folder: Path) -> Record:
        """Return a copy of the record in another folder."""
        copy = Record(folder / self.database.name, folder / self.prices.name)
        shutil.copy(self.database, copy.database)
        shutil.copytree(self.prices, copy.prices)
        return copy

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection of a reader."""
        engine = open_reader(self.database)
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection of the writer, in a transaction that is committed at the end."""
        engine = open_writer(self.database)
        with engine.begin() as connection:
            yield connection
        engine.dispose()

    def force(self, *statements: str, values: tuple[Any, ...] = ()) -> None:
        """Run statements that the schema forbids: without triggers, checks and foreign keys. values: those of each one."""
        with closing(sqlite3.connect(self.database)) as connection:
            triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                connection.execute(statement, values)
            for _, trigger in triggers:
                connection.execute(trigger)
            connection.commit()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchall()


def empty_record(folder: Path) -> Record:
    """Return a record with the newest schema and no rows."""
    upgrade_database(folder / "tickercast.db")
    (folder / "prices").mkdir()
    return Record(folder / "tickercast.db", folder / "prices")


def small_record(folder: Path) -> Record:
    """Return a record of two tickers: a prior, a cold start, a warm start and a twin; two origins; one scored forecast."""
    record = empty_record(folder)
    with record.writing() as connection:
        fill_small_record(connection, record.prices)
    return record


def fill_small_record(connection: Connection, prices: Path) -> None:
    """Insert the rows of the small record into an empty one, and write its price files."""
    for table, rows in (*_market_rows(), *_config_rows()):
        connection.execute(sa.insert(table), rows)
    _add_models(connection)
    _add_forecasts(connection)
    for table, rows in _other_rows():
        connection.execute(sa.insert(table), rows)
    for ticker_id, symbol in ((IBM, "IBM"), (MSFT, "MSFT")):
        file = bar_file(prices, symbol)
        connection.execute(sa.insert(schema.PriceFile), price_file_row(ticker_id, file))
        writes.copy_bars(connection, ticker_id, as_known(read_bars(prices, file.path, file.sha256)))
    for kind in (digests.SCHEMA, *digests.DIGESTED):
        digests.recount(connection, kind)


def at_close(day: date) -> datetime:
    """Return the close of a session in New York, which is 21:00 UTC in winter."""
    return datetime(day.year, day.month, day.day, 21, tzinfo=UTC)


def at_night(day: date) -> datetime:
    """Return an instant after the close, when bars are recorded and forecasts are made."""
    return datetime(day.year, day.month, day.day, 23, tzinfo=UTC)


def bar_file(prices: Path, symbol: str, bars: int = BARS) -> WrittenFile:
    """Write a price file of the first sessions, with closes 100, 101, 102 ..., and return it."""
    close = 100.0 + np.arange(bars)
    values = {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": np.full(bars, 9)}
    made = make_bars(np.array(SESSIONS[:bars], dtype="datetime64[D]"), values)
    listing = Listing(symbol, "USD", "XNYS", "America/New_York", "as_traded")
    return write_bars(prices, BarHistory(listing, made.recorded(at_night(SESSIONS[bars - 1]), "folder")))


def price_file_row(ticker_id: int, file: WrittenFile) -> dict[str, Any]:
    """Return the row of a current price file."""
    return {
        "ticker_id": ticker_id, "path": file.path, "rows": file.rows, "first_session": file.first_session,
        "last_session": file.last_session, "price_basis": "as_traded", "sha256": file.sha256,
        "recorded_at": at_night(file.last_session), "superseded_at": None,
    }  # fmt: skip


def model_row(model_id: str, origin: date, **changes: Any) -> ModelRow:
    """Return the row of a model; a cold start of IBM's chain unless changed."""
    own = {
        "id": model_id, "origin": origin, "cold_ancestor_id": model_id, "checkpoint_sha256": sha256_of(params(model_id)),
    }  # fmt: skip
    return ModelRow(**(MODEL | own | changes))


def checkpoint_row(model_id: str) -> dict[str, Any]:
    """Return the row of a model's checkpoint."""
    return {"model_id": model_id, "sha256": sha256_of(params(model_id)), "content": params(model_id)}


def origin_row(origin: date, model_id: str, horizons: int = 2, **changes: Any) -> OriginRow:
    """Return the row of one of IBM's origins, with equal forecasts for one session ahead, two and so on. changes: of both."""
    first = SESSIONS.index(origin) + 1 if origin in SESSIONS else 0
    targets = SESSIONS[first : first + horizons] if first else tuple(origin + timedelta(days=h + 1) for h in range(horizons))
    figures = FORECAST | {name: value for name, value in changes.items() if name in FORECAST}
    own = {"origin": origin, "known_at": at_night(origin), "model_id": model_id, "targets": targets}
    numbers = [[figures[name] for name in FORECAST_NUMBERS]] * horizons
    rest = {name: value for name, value in changes.items() if name not in FORECAST}
    return OriginRow(**(ORIGIN | own | {"numbers": numbers} | rest))


def add_origins(connection: Connection, *rows: OriginRow, run_id: int = 1) -> int:
    """Insert origins with forecasts that were backfilled after the last session."""
    modes = dict.fromkeys((row.origin for row in rows), "backfill")
    return writes.insert_origins(connection, rows, modes=modes, made_at=at_night(SESSIONS[-1]), run_id=run_id)


def score_row(origin: date, horizon: int, **changes: Any) -> dict[str, Any]:
    """Return the row of the score of one of IBM's forecasts."""
    return SCORE | {"origin_id": ORIGIN_IDS[origin], "horizon": horizon, "revision": 0, "realised_return": 0.01} | changes


def other_row(origin: date, horizon: int, name: str, crps: float | None, **changes: Any) -> BaselineForecastRow:
    """Return another model's forecast beside one of IBM's."""
    figures = {"location": 0.0, "scale": 0.011, "dof": 6.0} | changes
    return BaselineForecastRow(IBM, CONFIG, origin, horizon, name, crps=crps, **figures)


def params(model_id: str) -> bytes:
    """Return the bytes that stand for a model's checkpoint."""
    return f"params of {model_id}".encode()


def _market_rows() -> Iterator[tuple[type[schema.Base], list[dict[str, Any]]]]:
    listing = {"exchange": "XNYS", "currency": "USD", "time_zone": "America/New_York", "source": "folder"}
    ticker = listing | {"price_basis": "as_traded", "tracked": 1, "status": "active", "added_at": at_night(SESSIONS[0])}
    names = ((IBM, "IBM"), (MSFT, "MSFT"))
    yield schema.Ticker, [ticker | {"id": key, "symbol": symbol, "key": symbol} for key, symbol in names]
    yield schema.Symbol, [{"ticker_id": key, "symbol": symbol, "valid_from": date(1, 1, 1)} for key, symbol in names]
    hours = [(day, datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC), at_close(day)) for day in SESSIONS]
    yield (
        schema.ExchangeSession,
        [
            {"exchange": "XNYS", "session": day, "number": number, "open_at": open_at, "close_at": close_at}
            for number, (day, open_at, close_at) in enumerate(hours)
        ],
    )


def _config_rows() -> Iterator[tuple[type[schema.Base], list[dict[str, Any]]]]:
    yield schema.Config, [
        {"id": CONFIG, "preset": "density", "field": "close", "settings": "{}", "active": 1, "created_at": at_night(SESSIONS[0])}
    ]  # fmt: skip
    yield schema.Run, [
        {"id": 1, "kind": "backfill", "status": "done", "started_at": at_night(SESSIONS[-1]), "config_id": CONFIG,
         "tickers_ok": 1, "tickers_failed": 0, "forecasts": 4, "fingerprint": "cpu"}
    ]  # fmt: skip


def _add_models(connection: Connection) -> None:
    models = [
        model_row("prior", COLD_ORIGIN, role="prior", ticker_id=None, reason="refit"),
        model_row("cold", COLD_ORIGIN, prior_id="prior"),
        model_row("warm", WARM_ORIGIN, start="warm", reason="warm", parent_id="cold", depth=1, cold_ancestor_id="cold"),
        model_row("twin", WARM_ORIGIN, role="twin", reason="twin", seconds=2.0),
    ]
    writes.insert_models(connection, models, run_id=1)
    writes.insert_losses(connection, [LossRow("cold", epoch, 1.5, 1.6, 0.4, 0.01) for epoch in (0, 1)])
    prior = PriorRow("prior", "universe", "XNYS", COLD_ORIGIN, 0, "2b", "{}", "cpu")
    writes.insert_rows(connection, [prior])
    writes.insert_rows(connection, [PriorMemberRow("prior", "MSFT", 2, SESSIONS[1], "2b")])
    checkpoints = [checkpoint_row(model_id) for model_id in ("prior", "cold", "warm")]
    writes.insert_mappings(connection, schema.Checkpoint, checkpoints)


def _add_forecasts(connection: Connection) -> None:
    add_origins(connection, origin_row(COLD_ORIGIN, "cold"), origin_row(WARM_ORIGIN, "warm"))
    writes.insert_mappings(connection, schema.Score, [score_row(COLD_ORIGIN, 1)])
    others = [other_row(COLD_ORIGIN, 1, name, crps) for name, crps in ((TWIN, 0.005), ("tickercast", 0.003), ("garch", 0.004))]
    writes.insert_baseline_forecasts(connection, others)
    writes.insert_recalibrations(connection, [RecalibrationRow(IBM, CONFIG, COLD_ORIGIN, 1, scale_factor=1.25, raw_scale=0.008)])


def _other_rows() -> Iterator[tuple[type[schema.Base], list[dict[str, Any]]]]:
    night = at_night(SESSIONS[-1])
    yield schema.RunTicker, [{"run_id": 1, "ticker_id": IBM, "status": "ok", "origins": 2}]
    yield schema.Event, [{"at": night, "run_id": 1, "ticker_id": IBM, "session": SESSIONS[0], "kind": "gap", "message": "a gap"}]
    yield schema.CompanyEvent, [
        {"ticker_id": IBM, "kind": "earnings", "date": SESSIONS[-1], "recorded_at": at_night(SESSIONS[0]), "source": "yahoo"}
    ]  # fmt: skip
    yield schema.ContextRequest, [
        {"subject": "IBM", "kind": "calendar", "asked_at": night, "failing_since": None, "message": None}
    ]  # fmt: skip
    yield schema.DaemonState, [{"id": 1, "pid": 7, "started_at": night, "beat_at": night, "state": "idle"}]
    yield schema.Notice, [{"kind": "late", "subject": "IBM", "began_at": night, "message": "IBM is 3 hours late"}]
    yield schema.Restatement, [
        {"ticker_id": IBM, "session": WARM_ORIGIN, "field": "close", "old_value": 102.0, "new_value": 103.0,
         "recorded_at": at_night(date(2024, 3, 13))}
    ]  # fmt: skip
    yield schema.GateVerdict, [
        {"ticker_id": IBM, "session": SESSIONS[0], "code": "jump", "state": "held", "message": "a jump", "close": 150.0,
         "volume": 9, "recorded_at": at_night(SESSIONS[0])}
    ]  # fmt: skip
    shares = {"mae": 0.01, "baseline_mae": 0.01, "crps": 0.003, "baseline_crps": 0.004, "crps_skill": 0.25}
    coverage = {"coverage_50": 0.0, "coverage_80": 1.0, "coverage_90": 1.0}
    of_sums = {"config_id": CONFIG, "horizon": 1, "mode": "backfill"}
    yield schema.ScoreSum, [of_sums | {"ticker_id": IBM, "n": 1, "sums": b"\x01"}]
    yield schema.DateSum, [of_sums | {"target": WARM_ORIGIN, "sums": ONE_SCORE}]
    yield schema.Unsummed, [{"config_id": CONFIG, "ticker_id": MSFT}]
    yield schema.SkillTest, [
        {"config_id": CONFIG, "ticker_id": IBM, "horizon": 1, "mode": "backfill", "n": 1, "first_target": WARM_ORIGIN,
         "last_target": WARM_ORIGIN, "verdict": "not distinguishable", "computed_at": night, **shares, **coverage}
    ]  # fmt: skip
    yield schema.RiskTest, [
        {"config_id": CONFIG, "ticker_id": IBM, "horizon": 1, "mode": "backfill", "level": level, "n": 1, "exceedances": 0,
         "first_target": WARM_ORIGIN, "last_target": WARM_ORIGIN, "verdict": "not distinguishable", "origin": WARM_ORIGIN,
         "target": SESSIONS[4], "var_return": var_return, "es_return": -0.04, "es_percent": -3.9, "computed_at": night}
        for level, var_return in ((0.01, -0.03), (0.05, -0.02))
    ]  # fmt: skip
