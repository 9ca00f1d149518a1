"""What a monitor needs of the database: tickers, the daemon and runs. sqlite3 alone, so that reading starts quickly.

Not here: what is late or wrong (jobs.monitoring).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tickercast.storage.connection import Cursor, Reader
from tickercast.storage.instants import instant_text
from tickercast.storage.views.runs import LAST_BAR, LAST_ORIGIN

DAILY = "r.kind IN ('run', 'daemon') AND r.status NOT IN ('running', 'interrupted')"
# Sessions after the ticker's last origin, or for one without forecasts after it was tracked, that had closed at an instant. The
# first two conditions on a session are bounds of an index; no close is further from its session's date than two days.
MISSED = """FROM sessions s WHERE s.exchange = o.exchange
    AND s.session > coalesce(o.last_origin, date(o.added_at, '-2 days')) AND s.session <= date(:closed_by, '+1 day')
    AND s.close_at <= :closed_by AND (o.last_origin IS NOT NULL OR s.close_at > o.added_at)"""
# Materialised: else the last origin is looked up again for every session that is counted.
TICKERS = f"""
WITH o AS MATERIALIZED (SELECT t.*, {LAST_BAR} AS last_bar, {LAST_ORIGIN} AS last_origin FROM tickers t)
SELECT o.id, o.symbol, o.tracked, o.status, o.source, o.exchange, o.added_at, o.last_bar, o.last_origin, o.last_error,
    (SELECT count(*) {MISSED}) AS missed, (SELECT min(s.close_at) {MISSED}) AS missed_since,
    EXISTS (SELECT 1 FROM sessions s WHERE s.exchange = o.exchange) AS has_sessions,
    (SELECT count(*) FROM gate_verdicts g WHERE g.ticker_id = o.id AND g.state = 'held') AS held_bars,
    (SELECT min(g.recorded_at) FROM gate_verdicts g WHERE g.ticker_id = o.id AND g.state = 'held') AS held_since,
    (SELECT 'the bar of ' || g.session || ' was refused: ' || g.message FROM gate_verdicts g WHERE g.ticker_id = o.id
        AND g.state = 'refused' AND g.session > coalesce(o.last_bar, '') ORDER BY g.session DESC, g.code LIMIT 1) AS refusal
FROM o ORDER BY o.symbol
"""
FAILED_IN_NEWEST_RUN = f"""
SELECT t.ticker_id FROM run_tickers t WHERE t.status = 'failed'
    AND t.run_id = (SELECT r.id FROM runs r WHERE {DAILY} ORDER BY r.id DESC LIMIT 1)
"""
FAILURES_IN_A_ROW = f"""
SELECT count(*) AS failures, min(r.started_at) AS failing_since
FROM runs r JOIN run_tickers t ON t.run_id = r.id AND t.ticker_id = :ticker
WHERE {DAILY} AND t.status = 'failed' AND r.id > coalesce((
    SELECT r.id FROM runs r JOIN run_tickers t ON t.run_id = r.id AND t.ticker_id = :ticker
    WHERE {DAILY} AND t.status = 'ok' ORDER BY r.id DESC LIMIT 1), 0)
"""
FAILURE_MESSAGE = f"""
SELECT t.message FROM run_tickers t WHERE t.ticker_id = :ticker AND t.run_id = (
    SELECT r.id FROM runs r WHERE {DAILY} ORDER BY r.id DESC LIMIT 1)
"""
NEWEST_ONE_SHOT_RUN = "SELECT max(started_at) FROM runs WHERE kind = 'run'"
INSTANTS = {"added_at", "missed_since", "held_since", "failing_since", "started_at", "beat_at", "last_look", "next_look"}
DAEMON = "SELECT pid, started_at, beat_at, state, last_look, next_look, message FROM daemon"
NEWEST_COMPLETE_RUN = f"SELECT max(r.finished_at) FROM runs r WHERE {DAILY} AND r.status = 'done'"
RUN_UNDER_WAY = "SELECT message FROM runs WHERE status = 'running' ORDER BY id DESC LIMIT 1"
RUNS_BY_STATUS = "SELECT kind, status, count(*) FROM runs GROUP BY kind, status ORDER BY kind, status"
# Counted by the digests, because counting the rows of a large table takes seconds.
FORECASTS = "SELECT coalesce(sum(rows), 0) FROM digests WHERE table_name = 'forecasts'"
DAILY_FORECASTS = f"SELECT coalesce(sum(r.forecasts), 0), min(r.started_at) FROM runs r WHERE {DAILY} AND r.started_at >= ?"


@dataclass(frozen=True, slots=True)
class TickerFacts:
    """What is stored of one ticker.

    tracked, has_sessions: 0 or 1; the second says whether sessions of its exchange are stored. missed: sessions that had closed
    by the instant asked for and have no forecast; missed_since: the first one's close. failures: failed daily runs in a row.
    refusal: why a gate refused a bar newer than the stored ones, None where none did.
    """

    id: int
    symbol: str
    tracked: int
    status: str
    source: str
    exchange: str
    added_at: datetime
    last_bar: str | None
    last_origin: str | None
    last_error: str | None
    missed: int
    missed_since: datetime | None
    has_sessions: int
    held_bars: int
    held_since: datetime | None
    refusal: str | None = None
    failures: int = 0
    failing_since: datetime | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class DaemonRow:
    """What the newest daemon wrote of itself."""

    pid: int
    started_at: datetime
    beat_at: datetime
    state: str
    last_look: datetime | None
    next_look: datetime | None
    message: str | None


def ticker_facts(connection: Reader, closed_by: datetime) -> list[TickerFacts]:
    """Return the facts of each stored ticker by symbol. closed_by: when a session must have closed to be missed."""
    failing = {row[0]: _failure(connection, row[0]) for row in connection.execute(FAILED_IN_NEWEST_RUN).fetchall()}
    rows = _named_rows(connection.execute(TICKERS, {"closed_by": instant_text(closed_by)}))
    return [TickerFacts(**row, **failing.get(row["id"], {})) for row in rows]


def _failure(connection: Reader, ticker_id: int) -> dict[str, Any]:
    """Return how many daily runs in a row failed for a ticker, since when, and why the newest did."""
    (found,) = _named_rows(connection.execute(FAILURES_IN_A_ROW, {"ticker": ticker_id}))
    (message,) = connection.execute(FAILURE_MESSAGE, {"ticker": ticker_id}).fetchone()
    return {**found, "failure": message}


def daemon_row(connection: Reader) -> DaemonRow | None:
    """Return what the newest daemon of a home wrote of itself, None where none ever ran."""
    rows = _named_rows(connection.execute(DAEMON))
    return DaemonRow(**rows[0]) if rows else None


def newest_one_shot_run(connection: Reader) -> datetime | None:
    """Return when the newest `tickercast run` started, None before the first."""
    return _one_instant(connection, NEWEST_ONE_SHOT_RUN)


def newest_complete_run(connection: Reader) -> datetime | None:
    """Return when the newest daily run ended that failed for no ticker, None before the first."""
    return _one_instant(connection, NEWEST_COMPLETE_RUN)


def run_under_way(connection: Reader) -> str | None:
    """Return how far the run under way is, None without one that has said it. One that was killed looks like it."""
    row = connection.execute(RUN_UNDER_WAY).fetchone()
    return None if row is None else row[0]


def runs_by_status(connection: Reader) -> list[tuple[str, str, int]]:
    """Return each kind and status of runs with the number of such runs."""
    return connection.execute(RUNS_BY_STATUS).fetchall()


def forecast_count(connection: Reader) -> int:
    """Return the number of stored forecasts."""
    return int(connection.execute(FORECASTS).fetchone()[0])


def daily_forecasts(connection: Reader, since: datetime) -> tuple[int, datetime | None]:
    """Return how many forecasts daily runs made since an instant, and when the first of those runs started."""
    count, first = connection.execute(DAILY_FORECASTS, (instant_text(since),)).fetchone()
    return int(count), None if first is None else datetime.fromisoformat(first)


def _one_instant(connection: Reader, query: str) -> datetime | None:
    (text,) = connection.execute(query).fetchone()
    return None if text is None else datetime.fromisoformat(text)


def _named_rows(cursor: Cursor) -> list[dict[str, Any]]:
    """Return rows by column name, with instants as instants."""
    names = [column[0] for column in cursor.description]
    return [{name: _value(name, value) for name, value in zip(names, row, strict=True)} for row in cursor]


def _value(name: str, value: Any) -> Any:
    is_instant = value is not None and name in INSTANTS
    return datetime.fromisoformat(value) if is_instant else value
