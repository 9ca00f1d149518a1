"""When runs started, how the newest one ended, and when the sessions end that a next one waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.reader import Rows
from tickercast.storage.schema import Event, ExchangeSession, Forecast, GateVerdict, Origin, PriceFile, Run, RunTicker, Ticker


@dataclass(frozen=True, slots=True)
class RunRow:
    """How a run ended."""

    id: int
    status: str
    tickers_ok: int
    tickers_failed: int
    forecasts: int
    message: str | None


def last_run_started(connection: Connection) -> datetime | None:
    """Return when the newest run started, None before the first."""
    return connection.scalars(sa.select(Run.started_at).order_by(Run.started_at.desc()).limit(1)).first()


def newest_instant(connection: Connection) -> tuple[str, datetime | None]:
    """Return the newest instant at which a run or an event began or a price was recorded, after its name; None without one.

    Forecasts and models have the instant of their run.
    """
    newest: list[tuple[str, datetime | None]] = [
        (name, connection.scalars(sa.select(sa.func.max(column, type_=column.type))).first())
        for name, column in (
            ("a run of", Run.started_at),
            ("a price file of", PriceFile.recorded_at),
            ("a finding of", GateVerdict.recorded_at),
            ("an event of", Event.at),
        )
    ]
    return max(newest, key=lambda found: found[1].timestamp() if found[1] else float("-inf"))


def last_repairs(connection: Connection) -> dict[int, datetime]:
    """Return when the price file of a ticker was last repaired, by ticker id."""
    at = sa.func.max(Event.at, type_=Event.at.type)
    query = sa.select(Event.ticker_id, at).where(Event.kind == "repair", Event.ticker_id.is_not(None)).group_by(Event.ticker_id)
    return {ticker_id: repaired for ticker_id, repaired in connection.execute(query) if ticker_id is not None}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A daily run that ended: when it started, and the status of each ticker that has one, by ticker id."""

    started_at: datetime
    outcomes: dict[int, str]


def attempts_since(connection: Connection, instant: datetime) -> list[Attempt]:
    """Return the daily runs since an instant, oldest first. One that was stopped or killed is no attempt: it resumes at once."""
    ended = Run.status.not_in(("running", "interrupted"))
    query = sa.select(Run.id, Run.started_at).where(Run.started_at >= instant, Run.kind.in_(("run", "daemon")), ended)
    attempts = {row.id: Attempt(row.started_at, {}) for row in connection.execute(query.order_by(Run.started_at, Run.id))}
    outcomes = sa.select(RunTicker.run_id, RunTicker.ticker_id, RunTicker.status).where(RunTicker.run_id.in_(attempts))
    for run_id, ticker_id, status in connection.execute(outcomes):
        attempts[run_id].outcomes[ticker_id] = status
    return list(attempts.values())


def newest_run_between(connection: Connection, kind: str, first: datetime, last: datetime) -> RunRow | None:
    """Return the newest run of a kind that started between two instants, both included, None when there is none."""
    columns = (Run.id, Run.status, Run.tickers_ok, Run.tickers_failed, Run.forecasts, Run.message)
    query = sa.select(*columns).where(Run.kind == kind, Run.started_at.between(first, last)).order_by(Run.id.desc()).limit(1)
    row = connection.execute(query).first()
    return RunRow(**row._mapping) if row else None


def session_ends(connection: Connection, after: datetime, until: datetime) -> list[datetime]:
    """Return when the sessions of the tracked tickers' exchanges close, after an instant up to another, earliest first."""
    tracked = sa.select(Ticker.exchange).where(Ticker.tracked == 1)
    ends = ExchangeSession.close_at
    query = sa.select(ends).where(ExchangeSession.exchange.in_(tracked), ends > after, ends <= until).distinct().order_by(ends)
    return list(connection.scalars(query))


def closed_sessions(connection: Connection, exchange: str, now: datetime) -> list[tuple[date, int, datetime, datetime]]:
    """Return (session, number, open_at, close_at) of the stored sessions of an exchange that have closed, oldest first."""
    table = ExchangeSession
    query = sa.select(table.session, table.number, table.open_at, table.close_at)
    query = query.where(table.exchange == exchange, table.close_at <= now).order_by(table.session)
    return [(row.session, row.number, row.open_at, row.close_at) for row in connection.execute(query)]


def has_event(connection: Connection, kind: str, message: str) -> bool:
    """Return whether an event with a message is recorded."""
    query = sa.select(Event.id).where(Event.kind == kind, Event.message == message).limit(1)
    return connection.scalars(query).first() is not None


def newest_event(connection: Connection, kind: str) -> tuple[datetime, str] | None:
    """Return the instant and the message of the newest event of a kind, None without one."""
    query = sa.select(Event.at, Event.message).where(Event.kind == kind).order_by(Event.at.desc(), Event.id.desc()).limit(1)
    row = connection.execute(query).first()
    return (row.at, row.message) if row else None


def newest_run_at(connection: Connection, instant: datetime) -> int | None:
    """Return the id of the newest run that started at an instant, None when there is none."""
    return connection.scalars(sa.select(Run.id).where(Run.started_at == instant).order_by(Run.id.desc()).limit(1)).first()


def run_outcome(connection: Connection, run_id: int) -> Rows:
    """Return what a run came to for each tracked ticker: status, its origins, number of forecasts, and why it failed."""
    columns = ("ticker", "status", "first_origin", "last_origin", "forecasts", "message")
    made = (
        sa.select(
            Origin.ticker_id,
            sa.func.min(Origin.origin, type_=Origin.origin.type).label("first"),
            sa.func.max(Origin.origin, type_=Origin.origin.type).label("last"),
            sa.func.count().label("count"),
        )
        .join(Forecast, Forecast.origin_id == Origin.id)
        .where(Origin.run_id == run_id)
        .group_by(Origin.ticker_id)
        .subquery()
    )
    outcome = sa.select(RunTicker).where(RunTicker.run_id == run_id).subquery()
    count, status = sa.func.coalesce(made.c.count, 0), sa.func.coalesce(outcome.c.status, Ticker.status)
    query = sa.select(Ticker.symbol, status, made.c.first, made.c.last, count, outcome.c.message)
    query = query.outerjoin(made, made.c.ticker_id == Ticker.id).outerjoin(outcome, outcome.c.ticker_id == Ticker.id)
    rows = connection.execute(query.where(Ticker.tracked == 1).order_by(Ticker.symbol))
    return Rows(columns, [(row[0], row[1], row[2] and str(row[2]), row[3] and str(row[3]), *row[4:]) for row in rows])


def newest_numbers(connection: Connection) -> tuple[int | None, ...]:
    """Return numbers that grow with each unit of work of a run: of the newest price file, model and origin."""
    query = "SELECT (SELECT max(id) FROM price_files), (SELECT max(number) FROM models), (SELECT max(id) FROM origins)"
    return tuple(connection.execute(sa.text(query)).one())
