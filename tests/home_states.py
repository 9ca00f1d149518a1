"""States of a home for what judges and shows them, made by hand: tickers in each condition, a daemon, a disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tickercast.jobs.monitoring.state import Disk, HomeState
from tickercast.jobs.workspace.limits import Limits
from tickercast.storage.monitoring import DaemonRow, TickerFacts

NOW = datetime(2026, 11, 26, 23, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=9)
FRESH = TickerFacts(
    id=1, symbol="AAPL", tracked=1, status="active", source="yahoo", exchange="XNYS", added_at=EARLIER, last_bar="2026-11-26",
    last_origin="2026-11-26", last_error=None, missed=0, missed_since=None, has_sessions=1, held_bars=0, held_since=None,
)  # fmt: skip
LATE = replace(FRESH, symbol="LATE", missed=2, missed_since=EARLIER)
FAILING = replace(FRESH, symbol="FAIL", failures=3, failing_since=EARLIER)
HELD = replace(FRESH, symbol="HELD", status="held", held_bars=2, held_since=EARLIER, missed=5, missed_since=EARLIER)
SUSPENDED = replace(FRESH, symbol="GONE", status="suspended", failures=1, missed=12, missed_since=EARLIER)
SHORT = replace(FRESH, symbol="SHORT", status="too_short", last_origin=None, missed=3, missed_since=EARLIER)
UNTRACKED = replace(LATE, symbol="OLD", tracked=0)
BEATING = DaemonRow(7, EARLIER, NOW - timedelta(seconds=30), "idle", EARLIER, NOW + timedelta(hours=1), None)
PLENTY = Disk(free=50 * 10**9, total=10**11, database=10**6, prices=10**5)


def state(*tickers: TickerFacts, **changes: object) -> HomeState:
    """Return the state of a home where no daemon ever ran, with changes."""
    usual = HomeState(NOW, Limits(), tickers, None, False, False, None, PLENTY, (), 0)
    return replace(usual, **changes)  # type: ignore[arg-type]
