"""The page Risk: how much each ticker may lose in the next session, and whether past figures were kept."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter

from tickercast.jobs.pages.rendering import render
from tickercast.jobs.pages.risk_charts import exceedances
from tickercast.jobs.pages.risk_facts import LEVELS, RiskFacts, TickerRisk, risk_facts
from tickercast.jobs.pages.rows import Row
from tickercast.jobs.pages.selection import select
from tickercast.jobs.pages.site import Site
from tickercast.jobs.pages.verdicts import MODE_NAMES, of_distinct_modes
from tickercast.jobs.scoring.terms import ALL_MODES, FEWEST_SCORES, NOT_DISTINGUISHABLE
from tickercast.jobs.terminal.figures import p_text, percent
from tickercast.storage.connection import Reader

TOO_FEW_SCORES = "too few scores"
WITHIN_CHANCE = "within chance"
WORDS = {NOT_DISTINGUISHABLE: "no more than chance explains", "dependent": "but in clusters"}
NOTHING_SCORED = "No forecast has been scored yet, so nothing tells whether the value at risk is kept."


def risk_page(connection: Reader, site: Site, now: datetime, search: str = "") -> str:
    """Return the page. search: which of many tickers to show."""
    facts = risk_facts(connection)
    selection = select(facts.tickers, attrgetter("ticker"), lambda risk: ":" in verdict_text(risk), search)
    return render(
        "risk.html", site, page="risk", now=now, facts=facts, selection=selection, sentences=sentences(facts),
        verdict=verdict_text, expected=count_text, horizons=of_distinct_modes(facts.overall), ahead=facts.by_horizon(),
        charts=[exceedances(facts.days)] if facts.days else [],
    )  # fmt: skip


def sentences(facts: RiskFacts) -> list[str]:
    """Return, for each mode and level, whether the value at risk of all tickers together was kept one session ahead."""
    rows = [row for row in facts.overall if row["horizon"] == 1]
    return [sentence(row) for row in rows if row["mode"] != ALL_MODES] or [sentence(row) for row in rows] or [NOTHING_SCORED]


def sentence(row: Row) -> str:
    """Return what a row of all tickers together says of a level: exceedances, how many were expected, and what to make of it."""
    level = percent(row["level"], 0)
    expected = count_text(row["expected"])
    counts = f"{row['exceedances']:,} of {row['n']:,} outcomes were below the {level} % value at risk, {expected} expected"
    if row["p_adjusted"] is None:
        return f"All tickers together ({MODE_NAMES[row['mode']]}): {counts}. Too few target dates for a test."
    what = WORDS.get(row["verdict"], row["verdict"])
    return f"All tickers together ({MODE_NAMES[row['mode']]}): {counts}: {what} ({p_text(row['p_adjusted'])})."


def verdict_text(risk: TickerRisk) -> str:
    """Return what the tests of a ticker's levels say in a few words."""
    if risk.five["n"] < FEWEST_SCORES:
        return TOO_FEW_SCORES if risk.five["n"] else "no score yet"
    told = [
        f"{percent(level, 0)} %: {risk.levels[level]['verdict']}"
        for level in LEVELS
        if risk.levels[level]["verdict"] != NOT_DISTINGUISHABLE
    ]
    return ", ".join(told) or WITHIN_CHANCE


def count_text(count: float) -> str:
    """Return an expected count: with one decimal below 100, 12.5, and whole from there on, 6,290."""
    return f"{count:.1f}" if count < 100 else f"{count:,.0f}"
