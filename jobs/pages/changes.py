"""What changed since yesterday: runs, new forecasts, failures, quarantined and restated bars, and the outcomes that surprised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tickercast.jobs.pages.rows import Row, records
from tickercast.storage.connection import Reader
from tickercast.storage.instants import instant_text

A_DAY = timedelta(days=1)
MOST_SURPRISES = 5
SHARE_OUTSIDE = 0.1  # of outcomes outside of a 90 % range, as forecast
NEWEST_RUN = """SELECT run_id, kind, started_at, finished_at, status, tickers_ok, tickers_failed, forecasts, message
FROM run_summary ORDER BY run_id DESC LIMIT 1"""
NEW_FORECASTS = """SELECT coalesce(sum(forecasts), 0), count(*) FROM run_summary WHERE started_at >= ?"""
# The newest failure of each ticker since then.
FAILED = """SELECT r.ticker, r.message FROM run_ticker r WHERE r.status = 'failed' AND (r.ticker, r.run_id) IN (
    SELECT f.ticker, max(f.run_id) FROM run_ticker f WHERE f.status = 'failed' AND f.run_id >= (
        SELECT min(s.run_id) FROM run_summary s WHERE s.started_at >= ?) GROUP BY f.ticker) ORDER BY r.ticker"""
QUARANTINED = "SELECT ticker, session, message FROM gate WHERE state = 'held' AND recorded_at >= ? ORDER BY ticker, session"
RESTATED = (
    "SELECT ticker, count(DISTINCT session) AS bars FROM restatement WHERE recorded_at >= ? GROUP BY ticker ORDER BY ticker"
)
# The newest session of each ticker that had a forecast before it, and what came. A forecast's own origin is such a session.
NEWEST_OUTCOMES = """SELECT o.ticker, o.target, o.last_price, o.q05, o.q50, o.q95, o.realised_return, o.realised_price,
    o.inside_90 FROM outcome o
WHERE o.horizon = 1 AND o.target = ? AND o.state <> 'pending' AND o.config = (SELECT c.id FROM config c WHERE c.active = 1)"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a forecast one session ahead. move, low, high: against the last price, 0.01 = 1 %. inside: of the 90 % range.

    size: the distance from the median in multiples of that from the median to the end of the range; above 1 is outside.
    """

    ticker: str
    move: float
    low: float
    high: float
    inside: bool
    size: float


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since an instant.

    newest_run: its row of run_summary, None before the first. forecasts, runs: how many since then. failed: ticker and message.
    quarantined: ticker, session and finding. restated: ticker and number of bars. session: the newest one with outcomes;
    outcomes: of all tickers on it, the most surprising first.
    """

    since: datetime
    newest_run: Row | None
    forecasts: int
    runs: int
    failed: list[Row]
    quarantined: list[Row]
    restated: list[Row]
    session: str | None
    outcomes: list[Outcome]

    @property
    def is_of_newest_run(self) -> bool:
        """Return whether the newest run is older than a day, so that this is what changed since it began."""
        return self.newest_run is not None and datetime.fromisoformat(self.newest_run["started_at"]) == self.since

    @property
    def outside(self) -> list[Outcome]:
        """Return the outcomes outside of their 90 % range."""
        return [outcome for outcome in self.outcomes if not outcome.inside]

    @property
    def expected_outside(self) -> float:
        """Return how many are expected outside."""
        return SHARE_OUTSIDE * len(self.outcomes)

    @property
    def surprises(self) -> list[Outcome]:
        """Return the few outcomes that were farthest outside of their range."""
        return self.outside[:MOST_SURPRISES]


def changes_since(connection: Reader, now: datetime, session: str | None, wanted: Sequence[str] | None = None) -> Changes:
    """Return what changed in the last 24 hours; where no run began in them, since the newest run began.

    session: the newest origin of any ticker, None before the first forecast. wanted: what is said of these tickers alone; None =
    of all.
    """
    runs = records(connection, NEWEST_RUN)
    newest = runs[0] if runs else None
    since = now - A_DAY
    if newest is not None:
        since = min(since, datetime.fromisoformat(newest["started_at"]))
    at = (instant_text(since),)
    forecasts, count = connection.execute(NEW_FORECASTS, at).fetchone()
    return Changes(
        since,
        newest,
        forecasts=forecasts,
        runs=count,
        failed=_of(wanted, records(connection, FAILED, *at)),
        quarantined=_of(wanted, records(connection, QUARANTINED, *at)),
        restated=_of(wanted, records(connection, RESTATED, *at)),
        session=session,
        outcomes=_outcomes(connection, session, wanted) if session else [],
    )


def _of(wanted: Sequence[str] | None, rows: list[Row]) -> list[Row]:
    return [row for row in rows if wanted is None or row["ticker"] in wanted]


def _outcomes(connection: Reader, session: str, wanted: Sequence[str] | None) -> list[Outcome]:
    rows = _of(wanted, records(connection, NEWEST_OUTCOMES, session))
    return sorted((_outcome(row) for row in rows), key=lambda outcome: -outcome.size)


def _outcome(row: Row) -> Outcome:
    last = row["last_price"]
    off = math.log(row["realised_price"] / row["q50"])
    reach = math.log(row["q95" if off > 0 else "q05"] / row["q50"])
    return Outcome(
        row["ticker"],
        move=math.expm1(row["realised_return"]),
        low=row["q05"] / last - 1,
        high=row["q95"] / last - 1,
        inside=bool(row["inside_90"]),
        size=off / reach if reach else 0.0,
    )
