"""Write price files, restatements and gate verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.bar_files import WrittenFile
from storage.bars import ChangedValue
from storage.schema import (
    GateVerdict,
    PriceFile,
    Restatement,
)
from storage.writes.inserts import Row, insert_mappings


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
