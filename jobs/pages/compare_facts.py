"""What the page Compare shows: of several tickers, or of one under several configs, the next session and how the past held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tickercast.jobs.pages.rows import Row, records
from tickercast.jobs.pages.ticker_facts import FRESHNESS, NEWEST, configs_of
from tickercast.jobs.pages.verdicts import Verdict, verdict_of
from tickercast.storage.connection import Reader
from tickercast.storage.newest_origins import first_of_newest
from tickercast.storage.widths import FEWEST_WIDTHS

MOST_ENTRIES = 12
MOST_NAMES = 100  # of tickers that are looked up
YEAR_SESSIONS = 252
EVERY_SESSIONS = 5  # widths hardly differ within a week

ALL = """SELECT ticker, config, preset, width_percent FROM latest_forecast WHERE horizon = 1 ORDER BY ticker"""
CONFIG_NAMES = "SELECT id AS config, preset, field, active, created_at FROM config ORDER BY active DESC, created_at DESC, id"
# From an origin on, up to the newest one.
WIDTHS = """SELECT origin, 100 * (q95 - q05) / last_price AS width FROM forecast_history
WHERE ticker = ? AND config = ? AND horizon = 1 AND origin >= ? ORDER BY origin DESC"""
# Of all entries at once: the rows of a config have no index by ticker.
SCORES = """SELECT ticker, config, horizon, mode, n, crps, baseline_crps, crps_skill, coverage_80, coverage_90, verdict,
p_adjusted FROM skill WHERE horizon = 1 AND config IN ({configs}) AND ticker IN ({tickers})"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A ticker under a config. forecast: its newest one session ahead. scores: the row of `skill` that its verdict is of.

    widths: origin and width of the 5-95 % range in percent of the last price, over a year, about one a week, oldest first.
    """

    ticker: str
    config: Row
    forecast: Row
    freshness: Row
    verdict: Verdict | None
    scores: Row | None
    widths: list[tuple[str, float]]

    @property
    def width(self) -> float:
        """Return the width of the next session's 5-95 % range, percent of the last price."""
        return float(100 * (self.forecast["q95"] - self.forecast["q05"]) / self.forecast["last_price"])

    @property
    def usual_width(self) -> float:
        """Return the median of the widths."""
        return median(width for _, width in self.widths)

    @property
    def has_usual_width(self) -> bool:
        """Return whether the widths are enough to say what is usual, as on the other pages."""
        return len(self.widths) >= FEWEST_WIDTHS

    def move(self, name: str) -> float:
        """Return a price of the newest forecast against the last one, percent."""
        return float(100 * (self.forecast[name] / self.forecast["last_price"] - 1))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The entries, what was left out and why in sentences, and everything that could be chosen.

    is_chosen: somebody named the tickers. tickers: those with forecasts.
    """

    entries: list[Entry]
    left_out: list[str]
    is_chosen: bool
    tickers: list[str]
    configs: list[Row]

    @property
    def target(self) -> str | None:
        """Return the session that all entries forecast, None where they differ."""
        targets = {entry.forecast["target"] for entry in self.entries}
        return targets.pop() if len(targets) == 1 else None

    @property
    def has_configs(self) -> bool:
        """Return whether the entries are of more than one config, so that each has to be named."""
        return len({entry.config["config"] for entry in self.entries}) > 1


def named_tickers(texts: Sequence[str]) -> list[str]:
    """Return the tickers that some texts name, each once: `MSFT`, or several as `MSFT, AAPL`."""
    names = [name.upper() for text in texts for name in text.replace(",", " ").split()]
    return list(dict.fromkeys(names))[:MOST_NAMES]


def compare_facts(connection: Reader, tickers: Sequence[str], configs: Sequence[str]) -> Comparison:
    """Return the comparison of some tickers, each under some configs. No ticker: those with the widest next range.

    No config: the active one of each ticker, or its newest. At most MOST_ENTRIES entries.
    """
    known = records(connection, ALL)
    named = named_tickers(tickers)
    wanted = named or _widest(known)
    entries: list[tuple[str, Row]] = []
    left_out: list[str] = []
    for ticker in wanted:
        rows = configs_of(connection, ticker)
        chosen = [row for row in rows if row["config"] in configs] if configs else rows[:1]
        if not chosen:
            left_out.append(f"{ticker} has no forecasts{' under the chosen configs' if rows else ''}.")
        for config in chosen:
            entries.append((ticker, config))
    if len(entries) > MOST_ENTRIES:
        left_out.append(f"Only the first {MOST_ENTRIES} of {len(entries)} are shown beside each other.")
    shown = entries[:MOST_ENTRIES]
    skill = _skill(connection, shown)
    names = [row["ticker"] for row in known]
    return Comparison(
        [_entry(connection, ticker, config, skill[ticker, config["config"]]) for ticker, config in shown],
        left_out,
        bool(named),
        names,
        records(connection, CONFIG_NAMES),
    )


def _widest(known: Sequence[Row]) -> list[str]:
    widest = sorted(known, key=lambda row: -row["width_percent"])[:MOST_ENTRIES]
    return [row["ticker"] for row in widest]


def _skill(connection: Reader, entries: Sequence[tuple[str, Row]]) -> dict[tuple[str, str], list[Row]]:
    """Return the rows of `skill` one session ahead by ticker and config."""
    if not entries:  # only SQLite takes an empty list
        return defaultdict(list)
    tickers, configs = {ticker for ticker, _ in entries}, {config["config"] for _, config in entries}
    query = SCORES.format(configs=", ".join("?" * len(configs)), tickers=", ".join("?" * len(tickers)))
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in records(connection, query, *configs, *tickers):
        found[row["ticker"], row["config"]].append(row)
    return found


def _entry(connection: Reader, ticker: str, config: Row, skill: Sequence[Row]) -> Entry:
    verdict = verdict_of(skill)
    since = first_of_newest(connection, ticker, config["config"], YEAR_SESSIONS)
    widths = records(connection, WIDTHS, ticker, config["config"], since)[::EVERY_SESSIONS]
    return Entry(
        ticker=ticker,
        config=config,
        forecast=records(connection, NEWEST, ticker, config["config"], config["origin"])[0],
        freshness=records(connection, FRESHNESS, ticker)[0],
        verdict=verdict,
        scores=next((row for row in skill if verdict and row["mode"] == verdict.mode), None),
        widths=[(row["origin"], row["width"]) for row in reversed(widths)],
    )
