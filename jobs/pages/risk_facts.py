"""What the page Risk shows, read from the public views: the risk of the next session, and how often outcomes were below it.

Not here: texts and tables (risk) and the chart (risk_charts).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tickercast.jobs.pages.rows import Row, records
from tickercast.jobs.pages.verdicts import judged_mode, mode_order
from tickercast.jobs.scoring.exceedance_counts import counts_of_date
from tickercast.jobs.scoring.terms import ALL_MODES, ALL_TICKERS
from tickercast.storage.connection import Reader

LEVELS = (0.05, 0.01)
SPAN = "-12 months"  # of the exceedances by date, counted from the newest target

NEWEST = "SELECT ticker, config, currency, target FROM latest_forecast WHERE horizon = 1 ORDER BY ticker"
RISK = """SELECT ticker, config, horizon, mode, level, n, exceedances, expected, rate, kupiec_p, independence_p, conditional_p,
date_p, p_adjusted, verdict, mean_exceedance, mean_shortfall, target, last_price, var_price, var_percent, es_percent, computed_at
FROM risk WHERE horizon = 1 OR ticker = '*' ORDER BY horizon, mode, level DESC"""
# A row for each mode. They are committed with the scores, which are too many in a year of many tickers to be counted for a page.
BY_DATE = "SELECT target, sums FROM date_sums WHERE config_id = ? AND horizon = 1 AND target > date(?, ?) ORDER BY target"


@dataclass(frozen=True, slots=True)
class TickerRisk:
    """A ticker's risk one session ahead: the row of view `risk` for each level, of the mode that has enough scores."""

    ticker: str
    currency: str | None
    levels: dict[float, Row]

    @property
    def five(self) -> Row:
        """Return the row of 5 %."""
        return self.levels[0.05]

    @property
    def one(self) -> Row:
        """Return the row of 1 %."""
        return self.levels[0.01]


@dataclass(frozen=True, slots=True)
class RiskFacts:
    """Rows have the columns of view `risk`.

    tickers: those with risk. missing: tickers with forecasts whose risk no run has computed. behind: tickers with newer forecasts
    than that of their risk, because the last run did not end. overall: of all tickers together, under the config of most
    tickers, by horizon, mode and level; live first. days: counts by target date, oldest first, one session ahead. target: the
    session that most tickers' risk is about. currency: of all tickers, else None.
    """

    tickers: list[TickerRisk]
    missing: list[str]
    behind: list[str]
    overall: list[Row]
    days: list[Row]
    target: str | None
    currency: str | None
    computed_at: str | None

    def by_horizon(self) -> list[tuple[int, dict[float, Row]]]:
        """Return each horizon with the rows of all tickers together by level, of the first mode that could be tested."""
        rows = sorted((row for row in self.overall if row["mode"] != ALL_MODES), key=mode_order)
        tested = [row for row in rows if row["p_adjusted"] is not None] or rows
        horizons: dict[int, dict[float, Row]] = defaultdict(dict)
        for row in rows:
            if row["mode"] == tested[0]["mode"]:
                horizons[row["horizon"]][row["level"]] = row
        return sorted(horizons.items())


def risk_facts(connection: Reader) -> RiskFacts:
    """Return what the page shows."""
    newest = records(connection, NEWEST)
    rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in records(connection, RISK):
        rows[row["ticker"], row["config"]].append(row)
    found = [(row, rows[row["ticker"], row["config"]]) for row in newest]
    tickers = [TickerRisk(row["ticker"], row["currency"], _by_level(own)) for row, own in found if own]
    configs = Counter(row["config"] for row in newest).most_common(1)
    overall = rows[ALL_TICKERS, configs[0][0]] if configs else []
    currencies = {ticker.currency for ticker in tickers}
    targets = Counter(ticker.five["target"] for ticker in tickers).most_common(1)
    return RiskFacts(
        tickers,
        missing=[row["ticker"] for row, own in found if not own],
        behind=[row["ticker"] for row, own in found if own and own[0]["target"] != row["target"]],
        overall=sorted(overall, key=lambda row: (row["horizon"], mode_order(row), -row["level"])),
        days=_days(connection, configs[0][0], newest) if configs else [],
        target=targets[0][0] if targets else None,
        currency=next(iter(currencies)) if len(currencies) == 1 else None,
        computed_at=max((ticker.five["computed_at"] for ticker in tickers), default=None),
    )


def _by_level(rows: Sequence[Row]) -> dict[float, Row]:
    """Return a ticker's row of each level: of the live forecasts once they are enough for a test, else of the next mode."""
    ordered = sorted(rows, key=mode_order)
    own = [row for row in ordered if row["mode"] != ALL_MODES] or ordered
    mode = judged_mode(own)
    return {row["level"]: row for row in own if row["mode"] == mode}


def _days(connection: Reader, config: str, newest: Sequence[Row]) -> list[Row]:
    last = max(row["target"] for row in newest)
    days: dict[str, Row] = {}
    for target, sums in connection.execute(BY_DATE, (config, last, SPAN)):
        day = days.setdefault(target, {"target": target, "n": 0, "below_5": 0, "below_1": 0})
        for name, count in zip(("n", "below_1", "below_5"), counts_of_date(sums), strict=True):
            day[name] += count
    return list(days.values())
