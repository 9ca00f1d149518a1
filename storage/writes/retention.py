"""Remove rows that are kept for a time alone. None of them is part of the record: no digest and no content hash covers them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.schema import Event, Model, Notice, Origin, Run, RunTicker


def remove_run_tickers(connection: Connection, before: datetime) -> int:
    """Remove what runs that started before an instant did for each ticker, and return how many rows that were."""
    old = sa.select(Run.id).where(Run.started_at < before)
    return connection.execute(sa.delete(RunTicker).where(RunTicker.run_id.in_(old))).rowcount


def remove_unused_runs(connection: Connection, before: datetime) -> int:
    """Remove the runs that started before an instant and that no row refers to, and return how many."""
    referring = [sa.select(table.run_id).where(table.run_id.is_not(None)) for table in (RunTicker, Event, Origin, Model)]
    old = Run.id.in_(sa.select(Run.id).where(Run.started_at < before, Run.status != "running"))
    if connection.execute(sa.select(Run.id).where(old, Run.forecasts == 0).limit(1)).first() is None:
        return 0  # without a look through all origins
    unused = [Run.id.not_in(query) for query in referring]
    return connection.execute(sa.delete(Run).where(old, Run.forecasts == 0, *unused)).rowcount


def remove_ended_notices(connection: Connection, before: datetime) -> int:
    """Remove the notices that ended before an instant, and return how many."""
    return connection.execute(sa.delete(Notice).where(Notice.ended_at < before)).rowcount
