"""Write price files, copies of bars, restatements and gate verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.bar_files import WrittenFile
from storage.bars import Bars, ChangedValue, log_returns
from storage.schema import (
    Bar,
    GateVerdict,
    PriceFile,
    Restatement,
)
from storage.writes.inserts import Row, insert_mappings

BAR_VALUES = ("open", "high", "low", "close", "volume", "dividend", "split")
BAR_COLUMNS = ("session", *BAR_VALUES, "adjusted_return", "adjusted_open_return", "recorded_at")


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


def copy_bars(connection: Connection, ticker_id: int, bars: Bars) -> int:
    """Make the table of bars equal to a ticker's bars as known, one a session, and return how many rows were written.

    Only bars that differ are written: a day costs one row, a restatement those it changed.
    """
    returns, open_returns = log_returns(bars, "close"), log_returns(bars, "open")
    columns = [bars.session.tolist(), *(getattr(bars, name).tolist() for name in BAR_VALUES), returns.tolist()]
    columns += [open_returns.tolist(), [instant.replace(tzinfo=UTC) for instant in bars.recorded_at.tolist()]]
    table = Bar.__table__
    stored = {
        tuple(row) for row in connection.execute(sa.select(*(table.c[name] for name in BAR_COLUMNS)).where(_bars_of(ticker_id)))
    }
    known = {tuple(None if value != value else value for value in row) for row in zip(*columns, strict=True)}
    gone = sorted({row[0] for row in stored - known})
    for day in gone:
        connection.execute(sa.delete(Bar).where(_bars_of(ticker_id), Bar.session == day))
    added = [{"ticker_id": ticker_id, **dict(zip(BAR_COLUMNS, row, strict=True))} for row in sorted(known - stored)]
    insert_mappings(connection, Bar, added)
    return len(added)


def _bars_of(ticker_id: int) -> sa.ColumnElement[bool]:
    return Bar.ticker_id == ticker_id


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
