"""The page of a ticker: its next sessions, how its past forecasts held, what happened to it and what made its forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tickercast.jobs.exchanges.references import REFERENCES
from tickercast.jobs.pages import accuracy_charts, ticker_charts
from tickercast.jobs.pages.article import article_plot, article_sentences
from tickercast.jobs.pages.axes import day_parts, long_day
from tickercast.jobs.pages.calibration import pit_histogram, skill_by_month
from tickercast.jobs.pages.charts import Chart
from tickercast.jobs.pages.rendering import render
from tickercast.jobs.pages.rows import Row
from tickercast.jobs.pages.site import Site
from tickercast.jobs.pages.ticker_facts import TickerFacts, ticker_facts
from tickercast.jobs.pages.timeline import Happening, timeline
from tickercast.jobs.pages.training_charts import loss_charts
from tickercast.jobs.pages.verdicts import mode_order, verdict_of, verdict_sentences
from tickercast.jobs.scoring.terms import MODES
from tickercast.jobs.terminal.figures import percent, price_decimals, price_text
from tickercast.jobs.terminal.text import counted
from tickercast.storage.connection import Reader

ARTICLE = "article"
LEVELS = ("q05", "q25", "q50", "q75", "q95")
NARROW, WIDE = 0.9, 1.1  # a width within them is as usual


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """One session in the table: its weekday, Fri, its day, 8 Mar, and year; each quantile as a price and against the last one.

    distance, width: of its 90 % range, as a price and in percent of the last one. report: whether the company reports on that
    session, or on a day without one before it.
    """

    weekday: str
    day: str
    year: str
    distance: str
    width: float
    report: bool
    cells: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A figure of the headline: what it is, its value, and what to make of it. tone: good, bad, warn or none."""

    title: str
    value: str
    note: str
    tone: str = ""


def ticker_page(connection: Reader, site: Site, now: datetime, ticker: str, config: str | None = None) -> str:
    """Return a ticker's page under a config; None = the active one. The page is complete without a script.

    Raises UnknownStoredTicker for a ticker that is not stored, or without forecasts under that config.
    """
    facts = ticker_facts(connection, ticker, config)
    return page_of(facts, timeline(connection, ticker, facts.trainings, now.date()), site)


def page_of(facts: TickerFacts, happenings: list[Happening], site: Site) -> str:
    """Return the page of a ticker's facts. happenings: its timeline, newest first."""
    return render(
        "ticker.html",
        site,
        page="ticker",
        facts=facts,
        headline=headline(facts),
        sentences=sentences(facts),
        warnings=warnings(facts),
        figures=key_figures(facts),
        forecasts=forecast_rows(facts),
        forecast_charts=forecast_charts(facts),
        accuracy_charts=charts_of_accuracy(facts),
        training_charts=loss_charts(facts.trainings, facts.config["preset"]) if facts.configs else [],
        scores=scores_in_order(facts),
        happenings=happenings,
    )


def scores_in_order(facts: TickerFacts) -> list[Row]:
    """Return the rows of view `skill` by horizon, of each the live record first."""
    return sorted(facts.skill, key=lambda row: (row["horizon"], mode_order(row)))


def headline(facts: TickerFacts) -> str:
    """Return where the next session's price may be, in a sentence; without a forecast why there is none."""
    if not facts.forecasts:
        return f"{facts.ticker} has no forecast yet."
    row = facts.forecasts[0]
    low, high, moves = _range(row)
    when = long_day(row["target"])
    verb = "open" if row["field"] == "open" else "close"
    should = "was forecast to" if facts.sessions_behind else "should"  # once the session is over
    between = f"between {low} and {high} {facts.currency} ({moves})"
    return f"{when}: {facts.ticker} {should} {verb} {between} with a probability of 90\N{NO-BREAK SPACE}%."


def sentences(facts: TickerFacts) -> list[str]:
    """Return the verdict in words, live first; of the article's preset its figures before it; without forecasts what is known."""
    if not facts.forecasts:
        return _why_no_forecast(facts)
    verdict = verdict_sentences(facts.skill)[:1]
    return [*article_sentences(facts.settled, _updates(facts)), *verdict] if facts.config["preset"] == ARTICLE else verdict


def key_figures(facts: TickerFacts) -> list[KeyFigure]:
    """Return the next session's range and width, the last outcome, the verdict and how far the record is behind."""
    if not facts.forecasts:
        return []
    row = facts.forecasts[0]
    low, high, moves = _range(row)
    return [
        KeyFigure(f"{long_day(row['target'])}, 5 to 95 %", f"{low} to {high}", f"{facts.currency}, {moves}"),
        _width_figure(facts),
        *_outcome_figure(facts),
        _verdict_figure(facts),
        _behind_figure(facts),
    ]


def forecast_rows(facts: TickerFacts) -> list[ForecastRow]:
    """Return a row for each session ahead."""
    rows = []
    days = [row["target"] for row in facts.forecasts]
    reports = {next(day for day in days if day >= report) for report in facts.reports_ahead}
    for row in facts.forecasts:
        last = row["last_price"]
        cells = [(price_text(row[name], last), f"{percent(row[name] / last - 1, signed=True)} %") for name in LEVELS]
        weekday, day, year = day_parts(row["target"])
        is_report = row["target"] in reports
        width = 100 * (row["q95"] - row["q05"]) / last
        rows.append(ForecastRow(weekday, day, year, _distance(row), width, is_report, cells))
    return rows


def forecast_charts(facts: TickerFacts) -> list[Chart]:
    """Return the fan, and past forecasts with their outcomes; of the article's preset its own plot before them."""
    if not facts.forecasts:
        return []
    charts = []
    is_article = facts.config["preset"] == ARTICLE
    if is_article and facts.settled:
        charts.append(article_plot(facts.settled))
    if facts.bars:
        charts.append(ticker_charts.fan(facts.ticker, facts.forecasts, facts.bars, facts.currency))
    if facts.past:
        charts.append(ticker_charts.returns(facts.ticker, facts.past))
    return charts


def charts_of_accuracy(facts: TickerFacts) -> list[Chart]:
    """Return the rolling coverage, the skill by month and a PIT histogram of each mode, live first: those with scores enough."""
    settled = facts.settled
    if not settled:
        return []
    rolling = accuracy_charts.coverage(settled)
    histograms = [accuracy_charts.pit(found) for mode in MODES if (found := pit_histogram(settled, mode))]
    return [*([rolling] if rolling else []), accuracy_charts.skill(skill_by_month(settled)), *histograms]


def _range(row: Row) -> tuple[str, str, str]:
    """Return the two ends of a forecast's 90 % range as prices, and both against the last price."""
    low, high = (price_text(row[name], row["last_price"]) for name in ("q05", "q95"))
    moves = (f"{percent(row[name] / row['last_price'] - 1, signed=True)}\N{NO-BREAK SPACE}%" for name in ("q05", "q95"))
    return low, high, " to ".join(moves)


def _distance(row: Row) -> str:
    """Return the width of a forecast's 90 % range as a price: the difference of its two ends as they are shown."""
    last = row["last_price"]
    decimals = price_decimals(last)
    return price_text(round(row["q95"], decimals) - round(row["q05"], decimals), last)


def _width_figure(facts: TickerFacts) -> KeyFigure:
    row, usual = facts.forecasts[0], facts.usual_width
    width = (row["q95"] - row["q05"]) / row["last_price"]
    value = f"{percent(width)} %"
    price = f"{_distance(row)} {facts.currency}"
    if usual is None:
        return KeyFigure("Width of that range", value, f"{price}; too few forecasts to compare with")
    ratio = 100 * width / usual
    word = "narrower than usual" if ratio < NARROW else "wider than usual" if ratio > WIDE else "as usual"
    return KeyFigure("Width of that range", value, f"{price}; {word}: the median of its year is {percent(usual / 100)} %")


def _outcome_figure(facts: TickerFacts) -> list[KeyFigure]:
    """Return the newest outcome against its forecast, none before the first one."""
    if not facts.past:
        return []
    row = facts.past[-1]
    place = "inside" if row["inside_90"] else "below" if row["realised_price"] < row["q05"] else "above"
    note = f"{place} its 90 % range, {row['mode']}{', may be corrected' if row['state'] == 'provisional' else ''}"
    move = percent(row["realised_price"] / row["last_price"] - 1, signed=True)
    return [KeyFigure(f"Last outcome, {long_day(row['target'])}", f"{move} %", note, "" if row["inside_90"] else "warn")]


def _verdict_figure(facts: TickerFacts) -> KeyFigure:
    found = verdict_of(facts.skill)
    if found is None:
        return KeyFigure("Against a random walk", "no score yet", "a target is scored once its bar has settled")
    more = f"; {found.live} live so far" if found.live else ""
    tone = {"better": "good", "worse": "bad"}.get(found.word, "")
    return KeyFigure("Against a random walk", found.word, f"{found.mode}, n = {found.n}{more}", tone)


def _behind_figure(facts: TickerFacts) -> KeyFigure:
    behind, origin = facts.sessions_behind, facts.forecasts[0]["origin"]
    value = f"{counted(behind, 'session')} behind" if behind else "up to date"
    return KeyFigure("The record", value, f"ends on {long_day(origin)}", "warn" if behind > 1 else "")


def warnings(facts: TickerFacts) -> list[str]:
    """Return what is wrong with the ticker, or keeps it from new forecasts, and what to do about it."""
    known, found = facts.freshness, []
    if known["last_error"]:
        found.append(f"Its last run failed: {known['last_error']}")
    if known["held_bars"]:
        commands = f"`tickercast release {facts.ticker}` or `refuse` decides"
        found.append(f"{counted(known['held_bars'], 'bar')} quarantined: {commands}.")
    if not known["tracked"] and facts.ticker not in REFERENCES.values():
        found.append(f"It is not tracked: only `tickercast backfill {facts.ticker}` forecasts it.")
    return found


def _why_no_forecast(facts: TickerFacts) -> list[str]:
    known = facts.freshness
    if facts.ticker in REFERENCES.values():
        return [
            f"It is read as context by the forecasts of other tickers. The newest bar is of {known['last_bar'] or 'no session'}."
        ]
    return [
        f"Its status is {known['status']}; the newest bar is of {known['last_bar'] or 'no session'}.",
        f"`tickercast backfill {facts.ticker}` makes forecasts from stored or new prices.",
    ]


def _updates(facts: TickerFacts) -> int:
    return sum(model["updates"] for model in {id(m): m for m in (facts.lineage.model, facts.lineage.cold_start) if m}.values())
