"""Price files, the gates' verdicts and restatements of a ticker's bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.queries.shared import as_dicts
from tickercast.storage.schema import Bar, GateVerdict, PriceFile, Restatement, Ticker


@dataclass(frozen=True, slots=True)
class CurrentFile:
    """A file with a ticker's bars. path is below the prices folder."""

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


def last_bars(connection: Connection) -> dict[int, date]:
    """Return the session of each ticker's newest stored bar, by ticker id."""
    query = sa.select(PriceFile.ticker_id, PriceFile.last_session).where(PriceFile.superseded_at.is_(None))
    return {row[0]: row[1] for row in connection.execute(query)}


def current_paths(connection: Connection) -> list[str]:
    """Return the paths of all current files, in order."""
    return list(connection.scalars(sa.select(PriceFile.path).where(PriceFile.superseded_at.is_(None)).order_by(PriceFile.path)))


def needed_files(connection: Connection, superseded: int) -> set[str]:
    """Return the paths of each ticker's current file and of its newest `superseded` files before that."""
    newest_first = (PriceFile.superseded_at.is_(None).desc(), PriceFile.id.desc())
    place = sa.func.row_number().over(partition_by=PriceFile.ticker_id, order_by=newest_first)
    ranked = sa.select(PriceFile.path, place.label("place")).subquery()
    return set(connection.scalars(sa.select(ranked.c.path).where(ranked.c.place <= 1 + superseded)))


def superseded_files(connection: Connection, ticker_id: int) -> list[CurrentFile]:
    """Return the files that held a ticker's bars before the current one, newest first."""
    columns = sa.select(PriceFile.path, PriceFile.sha256, PriceFile.last_session)
    query = columns.where(PriceFile.ticker_id == ticker_id, PriceFile.superseded_at.is_not(None))
    return [CurrentFile(*row) for row in connection.execute(query.order_by(PriceFile.id.desc()))]


def copied_bars(connection: Connection, ticker_id: int) -> list[dict[str, Any]]:
    """Return the rows of table `bars` of a ticker: the newest record of each bar, by session."""
    return as_dicts(connection, sa.select(Bar.__table__).where(Bar.ticker_id == ticker_id).order_by(Bar.session))


def verdicts(connection: Connection, ticker_id: int, state: str) -> list[dict[str, Any]]:
    """Return a ticker's gate verdicts of one state, by session and code."""
    query = sa.select(GateVerdict.__table__).where(GateVerdict.ticker_id == ticker_id, GateVerdict.state == state)
    return as_dicts(connection, query.order_by(GateVerdict.session, GateVerdict.code))


def bars_left_out(connection: Connection, symbols: Sequence[str], since: datetime) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of quarantined bars, and of bars refused since an instant, of those of some tickers that have any."""
    decided = sa.func.coalesce(GateVerdict.decided_at, GateVerdict.recorded_at, type_=GateVerdict.recorded_at.type)
    bars = sa.select(Ticker.symbol, sa.func.count(sa.distinct(GateVerdict.session)))
    bars = bars.join(GateVerdict, Ticker.id == GateVerdict.ticker_id).where(Ticker.symbol.in_(symbols))
    bars = bars.group_by(Ticker.symbol).order_by(Ticker.symbol)
    quarantined = bars.where(GateVerdict.state == "held")
    refused = bars.where(GateVerdict.state == "refused", decided >= since)
    return {row[0]: row[1] for row in connection.execute(quarantined)}, {row[0]: row[1] for row in connection.execute(refused)}


def restated_bars(connection: Connection, symbols: Sequence[str], since: datetime) -> dict[str, int]:
    """Return the number of stored bars whose values changed since an instant, of those of some tickers that have any."""
    bars = sa.select(Ticker.symbol, sa.func.count(sa.distinct(Restatement.session)))
    bars = bars.join(Restatement, Ticker.id == Restatement.ticker_id)
    bars = bars.where(Ticker.symbol.in_(symbols), Restatement.recorded_at >= since)
    return {row[0]: row[1] for row in connection.execute(bars.group_by(Ticker.symbol).order_by(Ticker.symbol))}
