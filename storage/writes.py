"""Write rows to the database. Every function takes the writer's open transaction; the caller commits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from storage.bar_files import WrittenFile
from storage.bars import ChangedValue, Listing
from storage.rows import (
    BaselineForecastRow,
    CheckpointRow,
    ForecastRow,
    InsertableRow,
    LossRow,
    ModelRow,
    PriorMemberRow,
    RecalibrationRow,
    ScoreRow,
    SkillRow,
)
from storage.schema import (
    Base,
    BaselineForecast,
    Checkpoint,
    Config,
    Event,
    ExchangeSession,
    Forecast,
    GateVerdict,
    Loss,
    Model,
    PriceFile,
    PriorMember,
    Recalibration,
    Restatement,
    Run,
    RunTicker,
    Score,
    SkillTest,
    Symbol,
    Ticker,
)

Row = Mapping[str, Any]


TABLES: dict[type[InsertableRow], type[Base]] = {
    ModelRow: Model,
    LossRow: Loss,
    CheckpointRow: Checkpoint,
    PriorMemberRow: PriorMember,
    ForecastRow: Forecast,
    BaselineForecastRow: BaselineForecast,
    RecalibrationRow: Recalibration,
    ScoreRow: Score,
}


def insert_rows(connection: Connection, rows: Sequence[InsertableRow], **common: Any) -> int:
    """Insert rows of one kind except those whose key is already stored. Returns how many were added.

    common: columns that all of them get and that only the writer knows, such as run_id. Raises ValueError for a number that
    is not finite.
    """
    if not rows:
        return 0
    names = [field.name for field in fields(rows[0])]
    values = attrgetter(*names)
    return insert_mappings(
        connection, TABLES[type(rows[0])], ({**dict(zip(names, values(row), strict=True)), **common} for row in rows)
    )


def insert_forecasts(
    connection: Connection, rows: Sequence[ForecastRow], *, modes: Mapping[date, str], made_at: datetime, run_id: int
) -> int:
    """Insert forecasts with the mode of each origin, and when and by which run they were made. Returns how many were added."""
    added = 0
    for mode in sorted({modes[row.origin] for row in rows}):
        of_mode = [row for row in rows if modes[row.origin] == mode]
        added += insert_rows(connection, of_mode, mode=mode, made_at=made_at, run_id=run_id)
    return added


def insert_mappings(connection: Connection, table: type[Base], rows: Iterable[Row]) -> int:
    """Insert rows except those whose key is already stored. Returns how many were added, counted on SQLite only.

    NumPy scalars are converted to Python's, because SQLite would store them as bytes. Raises ValueError for a number that
    is not finite, because SQLite would store NaN as NULL.
    """
    plain = [{name: _plain(value, name) for name, value in row.items()} for row in rows]
    if not plain:
        return 0
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    before = _total_changes(connection)
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), plain)
    return _total_changes(connection) - before


def add_ticker(connection: Connection, symbol: str, listing: Listing, *, source: str, tracked: bool, at: datetime) -> int:
    """Add a ticker with its first symbol and return its id."""
    row = {
        "symbol": symbol,
        "first_symbol": symbol,
        "exchange": listing.exchange,
        "currency": listing.currency,
        "time_zone": listing.time_zone,
        "source": source,
        "price_basis": listing.price_basis or None,
        "tracked": int(tracked),
        "status": "active",
        "last_error": None,
        "added_at": at,
    }
    key = connection.execute(sa.insert(Ticker).values(**row)).inserted_primary_key
    assert key is not None
    connection.execute(sa.insert(Symbol).values(ticker_id=key[0], symbol=symbol, valid_from=date(1, 1, 1), valid_to=None))
    return int(key[0])


def update_ticker(connection: Connection, ticker_id: int, **values: Any) -> None:
    """Change columns of a ticker."""
    connection.execute(sa.update(Ticker).where(Ticker.id == ticker_id).values(**values))


def rename_ticker(connection: Connection, ticker_id: int, symbol: str, *, on: date) -> None:
    """Give a ticker another symbol from a day on; `symbols` keeps the old one with its dates."""
    open_span = (Symbol.ticker_id == ticker_id) & (Symbol.valid_to.is_(None))
    connection.execute(sa.delete(Symbol).where(open_span & (Symbol.valid_from == on)))
    connection.execute(sa.update(Symbol).where(open_span).values(valid_to=on))
    connection.execute(sa.insert(Symbol).values(ticker_id=ticker_id, symbol=symbol, valid_from=on, valid_to=None))
    update_ticker(connection, ticker_id, symbol=symbol)


def ensure_config(connection: Connection, row: Row, *, active_id: str) -> None:
    """Add a config when it is new, and make the config `active_id` the only active one."""
    insert_mappings(connection, Config, [{**row, "active": 0}])
    connection.execute(sa.update(Config).where(Config.active == 1, Config.id != active_id).values(active=0))
    connection.execute(sa.update(Config).where(Config.id == active_id).values(active=1))


def start_run(connection: Connection, *, kind: str, at: datetime, config_id: str, fingerprint: str) -> int:
    """Add a run and return its id. Needs the writer lock: runs still `running` were killed and are marked interrupted."""
    connection.execute(
        sa.update(Run).where(Run.status == "running").values(status="interrupted", message="killed; what it committed stays")
    )
    values = {"kind": kind, "status": "running", "started_at": at, "config_id": config_id, "fingerprint": fingerprint}
    key = connection.execute(sa.insert(Run).values(**values, tickers_ok=0, tickers_failed=0, forecasts=0))
    assert key.inserted_primary_key is not None
    return int(key.inserted_primary_key[0])


def update_run(connection: Connection, run_id: int, **values: Any) -> None:
    """Change columns of a run."""
    connection.execute(sa.update(Run).where(Run.id == run_id).values(**values))


def record_run_tickers(connection: Connection, rows: Iterable[Row]) -> None:
    """Add the outcome of a run for each ticker."""
    insert_mappings(connection, RunTicker, rows)


def record_price_file(
    connection: Connection,
    ticker_id: int,
    file: WrittenFile,
    restated: Sequence[ChangedValue],
    *,
    price_basis: str,
    at: datetime,
) -> None:
    """Record a written file as a ticker's current one, and the stored values that it changed."""
    current = (PriceFile.ticker_id == ticker_id) & PriceFile.superseded_at.is_(None)
    connection.execute(sa.update(PriceFile).where(current).values(superseded_at=at))
    connection.execute(
        sa.insert(PriceFile).values(
            ticker_id=ticker_id,
            path=file.path,
            rows=file.rows,
            first_session=file.first_session,
            last_session=file.last_session,
            price_basis=price_basis,
            sha256=file.sha256,
            recorded_at=at,
            superseded_at=None,
        )
    )
    insert_mappings(
        connection,
        Restatement,
        [
            {
                "ticker_id": ticker_id,
                "session": r.session,
                "field": r.field,
                "old_value": r.old,
                "new_value": r.new,
                "recorded_at": at,
            }
            for r in restated
        ],
    )


def record_verdicts(connection: Connection, ticker_id: int, rows: Sequence[Row], *, at: datetime) -> int:
    """Add new gate verdicts, and refuse held ones that a row refuses now. Returns how many were added."""
    entered = [{**row, "ticker_id": ticker_id, "recorded_at": at} for row in rows]
    added = insert_mappings(connection, GateVerdict, entered)
    held_keys = sa.select(GateVerdict.session, GateVerdict.code).where(
        GateVerdict.ticker_id == ticker_id, GateVerdict.state == "held"
    )
    held = {tuple(key) for key in connection.execute(held_keys)}
    for row in rows:
        if row["state"] == "refused" and (row["session"], row["code"]) in held:
            decide_verdicts(
                connection, ticker_id, [row["session"]], state="refused", at=at, message=row["message"], code=row["code"]
            )
    return added


def decide_verdicts(
    connection: Connection,
    ticker_id: int,
    sessions: Sequence[date],
    *,
    state: str,
    at: datetime,
    message: str | None = None,
    code: str | None = None,
) -> int:
    """Set the state of the held verdicts of some sessions, of one code if given, and return how many were held."""
    which = (GateVerdict.ticker_id == ticker_id) & GateVerdict.session.in_(sessions) & (GateVerdict.state == "held")
    if code is not None:
        which &= GateVerdict.code == code
    values = {"state": state, "decided_at": at} | ({"message": message} if message else {})
    return int(connection.execute(sa.update(GateVerdict).where(which).values(**values)).rowcount)


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


def upsert_sessions(connection: Connection, rows: Iterable[Row]) -> None:
    """Add the sessions of an exchange that are not stored yet."""
    insert_mappings(connection, ExchangeSession, rows)


def record_event(
    connection: Connection,
    kind: str,
    message: str,
    *,
    at: datetime,
    run_id: int | None = None,
    ticker_id: int | None = None,
    session: date | None = None,
) -> None:
    """Add an event: something that a user may want to know and that no other table holds."""
    values = {"at": at, "run_id": run_id, "ticker_id": ticker_id, "session": session, "kind": kind, "message": message}
    connection.execute(sa.insert(Event).values(**values))


def replace_skill(connection: Connection, config_id: str, rows: Sequence[SkillRow], *, computed_at: datetime) -> None:
    """Replace the stored skill of a config."""
    connection.execute(sa.delete(SkillTest).where(SkillTest.config_id == config_id))
    if rows:
        common = {"config_id": config_id, "computed_at": computed_at}
        connection.execute(sa.insert(SkillTest), [{**asdict(row), **common} for row in rows])


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


def _plain(value: Any, name: str) -> Any:
    kind = type(value)
    if kind is int or kind is str or value is None:  # most values take this way out
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}: only finite numbers are stored")
    return value


def _total_changes(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        return int(connection.exec_driver_sql("SELECT total_changes()").scalar_one())
    return 0
