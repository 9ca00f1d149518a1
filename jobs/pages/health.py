"""The page Health: whether the daemon lives, what needs attention, what ran, failed and was told, how the store grows."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tickercast.jobs.monitoring.check import check, condition_counts, daemon_line
from tickercast.jobs.monitoring.conditions import ticker_conditions
from tickercast.jobs.monitoring.state import HomeState, condition_of, since_of
from tickercast.jobs.pages.charts import Chart, Numbers, columns
from tickercast.jobs.pages.rendering import render, whole
from tickercast.jobs.pages.rows import Row, records
from tickercast.jobs.pages.site import Site
from tickercast.jobs.terminal.figures import bytes_text
from tickercast.storage.connection import Reader
from tickercast.storage.instants import instant_text
from tickercast.storage.monitoring import TickerFacts

NEWEST = 30  # rows of a table
RECENT = timedelta(days=30)
FINE = ("fresh", "ended", "new", "not tracked")
RUNS = f"""SELECT run_id, kind, started_at, finished_at, status, tickers_ok, tickers_failed, forecasts, seconds, message
FROM run_summary ORDER BY run_id DESC LIMIT {NEWEST}"""
FAILURES = f"""SELECT f.ticker, n.times, n.newest, f.message FROM run_ticker f JOIN (
    SELECT t.ticker, count(*) AS times, max(r.started_at) AS newest, max(t.run_id) AS run_id
    FROM run_ticker t JOIN run_summary r ON r.run_id = t.run_id
    WHERE t.status = 'failed' AND r.started_at >= ? GROUP BY t.ticker) n ON n.ticker = f.ticker AND n.run_id = f.run_id
ORDER BY n.newest DESC, f.ticker LIMIT {NEWEST}"""
NOTICES = f"""SELECT kind, subject, began_at, ended_at, told_at, message FROM notice
ORDER BY ended_at IS NOT NULL, began_at DESC LIMIT {NEWEST}"""
MONTHS = """SELECT substr(started_at, 1, 7) AS month, count(*) AS runs, sum(forecasts) AS forecasts FROM run_summary
GROUP BY month ORDER BY month"""
PRICE_ROWS = "SELECT coalesce(sum(rows), 0), count(*) FROM price_file"


@dataclass(frozen=True, slots=True)
class Attention:
    """A ticker that needs attention: its condition, since when where that is stored, and the reason as far as it is known."""

    facts: TickerFacts
    condition: str
    since: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class AttentionGroup:
    """Tickers that differ in nothing but their symbols. reason: of one ticker with its symbol, of several without."""

    tickers: list[Attention]
    reason: str


@dataclass(frozen=True, slots=True)
class Month:
    """What the runs of a month added. month: like 2026-11. size: bytes in the database, estimated by the forecasts."""

    month: str
    runs: int
    forecasts: int
    size: float


@dataclass(frozen=True, slots=True)
class Health:
    """What the page shows beside the state of the home. price_rows: rows in the price files of price_files tickers."""

    attention: list[Attention]
    runs: list[Row]
    failures: list[Row]
    notices: list[Row]
    months: list[Month]
    price_rows: int
    price_files: int


def health_page(connection: Reader, site: Site, now: datetime, state: HomeState) -> str:
    """Return the page. state: of the home at that instant."""
    health = health_facts(connection, now, state)
    return render(
        "health.html", site, page="health", now=now, state=state, health=health, check=check(state),
        tickers=condition_counts(state), daemon=daemon_line(state), growth=growth_chart(health.months),
        attention=attention_groups(health.attention),
    )  # fmt: skip


def health_facts(connection: Reader, now: datetime, state: HomeState) -> Health:
    """Return what the page shows, from the public views and the state of the home."""
    price_rows, price_files = connection.execute(PRICE_ROWS).fetchone()
    months = records(connection, MONTHS)
    each = state.disk.database / max(1, sum(row["forecasts"] for row in months))
    return Health(
        [found for ticker in state.tickers if (found := _attention(ticker, state)) is not None],
        runs=records(connection, RUNS),
        failures=records(connection, FAILURES, instant_text(now - RECENT)),
        notices=records(connection, NOTICES),
        months=[Month(**row, size=each * row["forecasts"]) for row in months],
        price_rows=price_rows,
        price_files=price_files,
    )


def attention_groups(found: Sequence[Attention]) -> list[AttentionGroup]:
    """Return tickers that need attention for the same reason together, in the order of their first ones: one cause is one row."""
    groups: dict[tuple[object, ...], list[Attention]] = defaultdict(list)
    for one in found:
        known = one.facts
        groups[one.condition, one.since, known.last_bar, known.last_origin, known.missed, _of_each(one)].append(one)
    return [AttentionGroup(group, group[0].reason if len(group) == 1 else _of_each(group[0])) for group in groups.values()]


def growth_chart(months: list[Month]) -> Chart | None:
    """Return the chart of forecasts by month, None for fewer than two months."""
    if len(months) < 2:
        return None
    newest = months[-1]
    rows = [(found.month, str(found.runs), whole(found.forecasts), bytes_text(found.size)) for found in months]
    return Chart(
        "growth",
        "Forecasts added by month",
        f"{whole(newest.forecasts)} in {newest.month}, about {bytes_text(newest.size)} of the database.",
        [columns([found.month for found in months], [found.forecasts for found in months], "forecasts", "price")],
        Numbers(("month", "runs", "forecasts", "size, estimated"), rows),
        {"xaxis": {"type": "category"}, "yaxis": {"title": {"text": "forecasts"}}},
    )


def _attention(ticker: TickerFacts, state: HomeState) -> Attention | None:
    condition = condition_of(ticker, state.now)
    if condition in FINE:
        return None
    told: dict[str, str] = {found.kind: found.message for found in ticker_conditions([ticker], state.limits, state.now)}
    reason = ticker.failure or told.get(condition) or ticker.refusal or ticker.last_error or ""
    return Attention(ticker, condition, since_of(ticker, condition), reason)


def _of_each(found: Attention) -> str:
    """Return the reason as it is told of each of several tickers."""
    return re.sub(rf"(?<!\w){re.escape(found.facts.symbol)}(?!\w)", "each", found.reason)
