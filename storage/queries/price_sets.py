"""What is stored of the prices of many tickers, each kind of row by one query for all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.queries.prices import CurrentFile
from tickercast.storage.queries.shared import is_among
from tickercast.storage.schema import Bar, GateVerdict, PriceFile, Symbol, Ticker


def current_files(connection: Connection, tickers: Collection[int]) -> dict[int, CurrentFile]:
    """Return the files that hold the current bars of some tickers, by ticker id. One without bars is left out."""
    file = PriceFile
    query = sa.select(file.ticker_id, file.path, file.sha256, file.last_session).where(
        is_among(file.ticker_id, tickers), file.superseded_at.is_(None)
    )
    return {row[0]: CurrentFile(*row[1:]) for row in connection.execute(query)}


def all_verdicts(connection: Connection, tickers: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the gate verdicts of some tickers, by ticker id, each by session and code. One without verdicts is left out."""
    table = GateVerdict.__table__
    query = sa.select(table).where(is_among(GateVerdict.ticker_id, tickers))
    rows = connection.execute(query.order_by(GateVerdict.ticker_id, GateVerdict.session, GateVerdict.code)).mappings()
    return _grouped((row["ticker_id"], dict(row)) for row in rows)


def all_older_symbols(connection: Connection, tickers: Collection[int]) -> dict[int, list[str]]:
    """Return the symbols that some tickers had before and that no ticker has now, by ticker id, newest first."""
    taken = sa.select(Ticker.symbol)
    query = sa.select(Symbol.ticker_id, Symbol.symbol).where(is_among(Symbol.ticker_id, tickers), Symbol.symbol.not_in(taken))
    found = _grouped((row[0], row[1]) for row in connection.execute(query.order_by(Symbol.valid_from.desc())))
    return {ticker_id: list(dict.fromkeys(symbols)) for ticker_id, symbols in found.items()}


def uncopied(connection: Connection, first_sessions: Mapping[int, date]) -> set[int]:
    """Return which tickers' bars table `bars` does not have. first_sessions: by ticker id; with the first bar it has them all."""
    first = sa.select(sa.func.min(Bar.session, type_=Bar.session.type)).where(Bar.ticker_id == Ticker.id).scalar_subquery()
    query = sa.select(Ticker.id, first).where(is_among(Ticker.id, first_sessions))
    return {ticker_id for ticker_id, session in connection.execute(query) if session != first_sessions[ticker_id]}


def _grouped(pairs: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for ticker_id, value in pairs:
        found.setdefault(ticker_id, []).append(value)
    return found
