"""Write configs, runs and events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.schema import (
    Config,
    DaemonState,
    Event,
    Run,
    RunTicker,
    Ticker,
)
from tickercast.storage.writes.inserts import Row, insert_mappings


def ensure_config(connection: Connection, row: Row, *, active_id: str) -> None:
    """Add a config when it is new, and make the config `active_id` the only active one."""
    insert_mappings(connection, Config, [{**row, "active": 0}])
    connection.execute(sa.update(Config).where(Config.active == 1, Config.id != active_id).values(active=0))
    connection.execute(sa.update(Config).where(Config.id == active_id).values(active=1))


def start_run(connection: Connection, *, kind: str, at: datetime, config_id: str | None, fingerprint: str) -> int:
    """Add a run and return its id. Needs the writer lock: runs still `running` were killed and are marked interrupted."""
    connection.execute(
        sa.update(Run).where(Run.status == "running").values(status="interrupted", message="killed; what it committed stays")
    )
    values = {"kind": kind, "status": "running", "started_at": at, "config_id": config_id, "fingerprint": fingerprint}
    key = connection.execute(sa.insert(Run).values(**values, tickers_ok=0, tickers_failed=0, forecasts=0))
    assert key.inserted_primary_key is not None
    return int(key.inserted_primary_key[0])


def add_failed_run(connection: Connection, *, kind: str, at: datetime, ended: datetime, fingerprint: str, message: str) -> None:
    """Add a run that failed before it could begin, for all tracked tickers, so that status and retries know of it."""
    tracked = list(connection.scalars(sa.select(Ticker.id).where(Ticker.tracked == 1)))
    active = connection.scalars(sa.select(Config.id).where(Config.active == 1)).first()
    run_id = start_run(connection, kind=kind, at=at, config_id=active, fingerprint=fingerprint)
    update_run(connection, run_id, status="failed", finished_at=ended, tickers_failed=len(tracked), message=message)
    rows = [{"run_id": run_id, "ticker_id": id_, "status": "failed", "origins": 0, "message": message} for id_ in tracked]
    record_run_tickers(connection, rows)
    connection.execute(sa.update(Ticker).where(Ticker.tracked == 1).values(last_error=message))


def update_run(connection: Connection, run_id: int, **values: Any) -> None:
    """Change columns of a run."""
    connection.execute(sa.update(Run).where(Run.id == run_id).values(**values))


def record_run_tickers(connection: Connection, rows: Iterable[Row]) -> None:
    """Add the outcome of a run for each ticker."""
    insert_mappings(connection, RunTicker, rows)


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


def beat_in_cycle(connection: Connection, at: datetime) -> None:
    """Note that the daemon was in a cycle at an instant, if it has a row (storage.heartbeat)."""
    connection.execute(sa.update(DaemonState).values(beat_at=at, state="cycle"))
