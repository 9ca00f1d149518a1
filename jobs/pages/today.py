"""The page Today: every ticker's next session in one table, and what changed since yesterday."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from statistics import median

from tickercast.jobs.monitoring.check import check, condition_counts, daemon_line
from tickercast.jobs.monitoring.state import HomeState
from tickercast.jobs.pages.changes import Changes, changes_since
from tickercast.jobs.pages.rendering import render
from tickercast.jobs.pages.rows import Row, records
from tickercast.jobs.pages.selection import Selection, select
from tickercast.jobs.pages.site import Site
from tickercast.jobs.pages.sparklines import sparkline
from tickercast.jobs.pages.verdicts import ModeVerdict, Verdict, verdict_of, verdicts_by_mode
from tickercast.jobs.scoring.terms import ALL_TICKERS
from tickercast.storage.connection import Reader
from tickercast.storage.returns import newest_returns
from tickercast.storage.widths import usual_widths

LAST_SESSIONS = 30
LATEST = """SELECT ticker, origin, target, last_price, q05, q50, q95, config, currency, width_percent, sessions_behind, mode
FROM latest_forecast WHERE horizon = 1 ORDER BY ticker"""
HELD = "SELECT ticker, count(*) FROM gate WHERE state = 'held' GROUP BY ticker"
SKILL = """SELECT ticker, config, horizon, mode, n, verdict, crps, baseline_crps, p_adjusted FROM skill
WHERE horizon = 1"""


@dataclass(frozen=True, slots=True)
class TickerToday:
    """A ticker's row: its newest forecast one session ahead and how it is.

    Prices and quantiles are in its currency; width and usual_width in percent, None for a ticker with too few forecasts.
    closes: the last prices up to the origin on the origin's scale, oldest first. held_bars: how many are quarantined.
    """

    ticker: str
    origin: str
    target: str
    last_price: float
    q05: float
    q50: float
    q95: float
    currency: str | None
    mode: str
    width: float
    usual_width: float | None
    sessions_behind: int
    held_bars: int
    verdict: Verdict | None
    closes: tuple[float, ...]

    @property
    def relative_width(self) -> float | None:
        """Return the width in multiples of the ticker's usual one."""
        return self.width / self.usual_width if self.usual_width else None

    @property
    def past_move(self) -> float | None:
        """Return the return over the shown closes, 0.01 = 1 %, None with fewer than two."""
        return self.closes[-1] / self.closes[0] - 1 if len(self.closes) > 1 else None

    def move(self, price: float) -> float:
        """Return a price against the last one, 0.01 = 1 %."""
        return price / self.last_price - 1


@dataclass(frozen=True, slots=True)
class Today:
    """What the page shows.

    tickers: the rows that are shown, of all that are selected from. target: the session that most rows are about, None without
    rows. currency: of all rows, None where they differ. width: the median of all rows in percent of the last price, None without
    rows. sessions_behind: how many sessions closed since the newest forecast of any ticker was made; 0 = it is of a session
    ahead. verdicts: of all tickers together by mode.
    """

    tickers: list[TickerToday]
    selection: Selection[Row]
    width: float | None
    sessions_behind: int
    target: str | None
    currency: str | None
    verdicts: list[ModeVerdict]
    changes: Changes

    @property
    def relative_width(self) -> float | None:
        """Return the median of the widths in multiples of the usual ones, None where none is known or not all are shown."""
        if self.selection.is_part:
            return None
        known = [row.relative_width for row in self.tickers if row.relative_width is not None]
        return median(known) if known else None


def today_page(
    connection: Reader,
    site: Site,
    now: datetime,
    state: HomeState,
    tickers: Sequence[str] | None = None,
    search: str = "",
) -> str:
    """Return the page. state: of the home at that instant, for the line about its daemon. tickers: these alone; None = all.

    search: which of many tickers to show.
    """
    facts = today_facts(connection, now, tickers, search)
    return render(
        "today.html", site, page="today", today=facts, check=check(state), daemon=daemon_line(state),
        tickers=condition_counts(state), sparkline=sparkline, now=now,
    )  # fmt: skip


def today_facts(connection: Reader, now: datetime, wanted: Sequence[str] | None = None, search: str = "") -> Today:
    """Return what the page shows, from the public views. wanted: these tickers alone; None = all. search: which of many."""
    skill: dict[str, list[Row]] = defaultdict(list)
    for row in records(connection, SKILL):
        skill[row["ticker"]].append(row)
    latest = [row for row in records(connection, LATEST) if wanted is None or row["ticker"] in wanted]
    held = dict(connection.execute(HELD).fetchall())
    behind = min((row["sessions_behind"] for row in latest), default=0)
    selection = select(latest, itemgetter("ticker"), lambda row: row["ticker"] in held or row["sessions_behind"] > behind, search)
    targets, currencies = (Counter(row[key] for row in latest) for key in ("target", "currency"))
    config = Counter(row["config"] for row in latest).most_common(1)
    overall = [row for row in skill[ALL_TICKERS] if config and row["config"] == config[0][0]]
    return Today(
        _ticker_rows(connection, selection.shown, skill, held),
        selection,
        width=median(row["width_percent"] for row in latest) if latest else None,
        sessions_behind=behind,
        target=targets.most_common(1)[0][0] if targets else None,
        currency=next(iter(currencies)) if len(currencies) == 1 else None,
        verdicts=verdicts_by_mode(overall),
        changes=changes_since(connection, now, max((row["origin"] for row in latest), default=None), wanted),
    )


def _ticker_rows(
    connection: Reader, latest: Sequence[Row], skill: Mapping[str, Sequence[Row]], held: Mapping[str, int]
) -> list[TickerToday]:
    returns = newest_returns(connection, [(row["ticker"], row["origin"]) for row in latest], LAST_SESSIONS)
    usual = usual_widths(connection, [(row["ticker"], row["config"], row["origin"], 1) for row in latest])
    return [
        TickerToday(
            **{name: row[name] for name in ("ticker", "origin", "target", "last_price", "q05", "q50", "q95", "currency", "mode")},
            width=row["width_percent"],
            usual_width=usual.get((row["ticker"], 1)),
            sessions_behind=row["sessions_behind"],
            held_bars=held.get(row["ticker"], 0),
            verdict=verdict_of([of for of in skill.get(row["ticker"], ()) if of["config"] == row["config"]]),
            closes=_closes(returns.get(row["ticker"], []), row["last_price"]),
        )
        for row in latest
    ]


def _closes(returns: Sequence[float | None], last_price: float) -> tuple[float, ...]:
    """Return the newest closes up to an origin, scaled so that the last one is the price at the origin.

    returns: of these sessions, newest first, so that a split or a dividend among them is no jump.
    """
    closes = [last_price]
    for value in returns[: LAST_SESSIONS - 1]:
        if value is None:  # of the first bar
            break
        closes.append(closes[-1] / math.exp(value))
    return tuple(reversed(closes))
