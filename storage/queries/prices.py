"""Price files, the gates' verdicts and restatements of a ticker's bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.queries.shared import as_dicts
from storage.schema import GateVerdict, PriceFile, Restatement, Ticker


@dataclass(frozen=True, slots=True)
class CurrentFile:
    """The file that holds a ticker's current bars. path is below the prices folder."""

    path: str
    sha256: str
    last_session: date


def current_file(connection: Connection, ticker_id: int) -> CurrentFile | None:
    """Return the file that holds a ticker's current bars, None before the first."""
    row = connection.execute(
        sa.select(PriceFile.path, PriceFile.sha256, PriceFile.last_session).where(
            PriceFile.ticker_id == ticker_id, PriceFile.superseded_at.is_(None)
        )
    ).first()
    return CurrentFile(*row) if row else None


def kept_files(connection: Connection, ticker_id: int, superseded: int) -> set[str]:
    """Return the paths of a ticker's current file and of the newest `superseded` files before it."""
    query = (
        sa.select(PriceFile.path)
        .where(PriceFile.ticker_id == ticker_id)
        .order_by(PriceFile.superseded_at.is_(None).desc(), PriceFile.id.desc())
        .limit(1 + superseded)
    )
    return set(connection.scalars(query))


def verdicts(connection: Connection, ticker_id: int, state: str) -> list[dict[str, Any]]:
    """Return a ticker's gate verdicts of one state, by session and code."""
    query = sa.select(GateVerdict.__table__).where(GateVerdict.ticker_id == ticker_id, GateVerdict.state == state)
    return as_dicts(connection, query.order_by(GateVerdict.session, GateVerdict.code))


def bars_left_out(connection: Connection, symbols: Sequence[str], at: datetime) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of quarantined bars, and of bars refused at an instant, of those of some tickers that have any."""
    decided = sa.func.coalesce(GateVerdict.decided_at, GateVerdict.recorded_at, type_=GateVerdict.recorded_at.type)
    bars = sa.select(Ticker.symbol, sa.func.count(sa.distinct(GateVerdict.session)))
    bars = bars.join(GateVerdict, Ticker.id == GateVerdict.ticker_id).where(Ticker.symbol.in_(symbols))
    bars = bars.group_by(Ticker.symbol).order_by(Ticker.symbol)
    quarantined = bars.where(GateVerdict.state == "held")
    refused = bars.where(GateVerdict.state == "refused", decided == at)
    return {row[0]: row[1] for row in connection.execute(quarantined)}, {row[0]: row[1] for row in connection.execute(refused)}


def judged_sessions(connection: Connection, ticker_id: int) -> set[date]:
    """Return a ticker's sessions that have a gate verdict."""
    return set(connection.scalars(sa.select(GateVerdict.session).where(GateVerdict.ticker_id == ticker_id)))


def unscored_restatements(connection: Connection, ticker_id: int) -> tuple[date, date] | None:
    """Return the first and the last restated session whose scores have no revision yet, None without any."""
    session = Restatement.session
    query = sa.select(sa.func.min(session, type_=session.type), sa.func.max(session, type_=session.type))
    row = connection.execute(query.where(Restatement.ticker_id == ticker_id, Restatement.scored == 0)).one()
    return (row[0], row[1]) if row[0] is not None else None
