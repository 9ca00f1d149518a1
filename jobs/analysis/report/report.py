"""Write the report: one page a ticker, an index, and one plotly script that all share. Reads nothing but public views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from jobs.analysis.report import charts as figures
from jobs.analysis.report import pages
from jobs.errors import UsageError
from storage import queries
from storage.bars import Bars
from storage.files import quote_ticker, write_atomically

SCRIPT = "plotly.min.js"
NEWEST_TARGETS = 500
Rows = list[dict[str, Any]]


def write_report(connection: Connection, out: Path, tickers: Sequence[str] | None, bars_of: Callable[[str], Bars]) -> Path:
    """Write the pages of some tickers, or of all that have forecasts, into a folder; return the index.

    bars_of gives a ticker's bars adjusted to its newest share count. Raises UsageError when nothing is forecast yet, or
    plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise UsageError("the report is an extra: pip install 'tickercast[report]'") from error
    latest = _by_ticker(connection, "latest_forecast", tickers)
    if not latest:
        raise UsageError("nothing is forecast yet, so there is nothing to report; run `tickercast backfill` first")
    write_atomically(out / SCRIPT, get_plotlyjs().encode())
    skill = _by_ticker(connection, "skill", None)
    for ticker, forecasts in latest.items():
        page = ticker_page(connection, ticker, forecasts, bars_of(ticker), skill.get(ticker, []))
        write_atomically(out / page_name(ticker), page.encode())
    fresh = _by_ticker(connection, "freshness", None)
    index = pages.index_page(
        {t: (rows[0], fresh[t][0], _of_config(skill.get(t, []), rows[0])) for t, rows in latest.items()},
        skill.get("*", []),
        page_name,
    )
    write_atomically(out / "index.html", index.encode())
    return out / "index.html"


def page_name(ticker: str) -> str:
    """Return the file name of a ticker's page."""
    return f"{quote_ticker(ticker)}.html"


def ticker_page(connection: Connection, ticker: str, forecasts: Rows, bars: Bars, skill: Rows) -> str:
    """Return one ticker's page: the article's plot for its preset, else fan, past forecasts and coverage; the losses."""
    config, preset, field = (forecasts[0][key] for key in ("config", "preset", "field"))
    scored = _of_config(_rows(connection, "scored_forecast", ticker), forecasts[0])
    history = _of_config(_rows(connection, "forecast_history", ticker), forecasts[0])
    losses = _of_config(_rows(connection, "loss_curve", ticker), forecasts[0])
    charts = [figures.newest_fan(forecasts, bars, field)]
    notes = [pages.verdict_sentence(_of_config(skill, forecasts[0]))]
    if preset == "article":
        lineage = _of_config(_rows(connection, "model_lineage", ticker), forecasts[0])
        charts.insert(0, figures.article_plot(scored))
        notes = [*pages.article_sentences(scored, history, sum(row["updates"] for row in lineage)), *notes]
    elif scored:
        charts.append(figures.past_forecasts(scored, history, NEWEST_TARGETS))
    if scored:
        charts.append(figures.coverage(scored))
    charts += figures.loss_curves(losses)
    return pages.ticker_page(ticker, config, preset, notes, charts, SCRIPT)


def _rows(connection: Connection, view: str, ticker: str) -> Rows:
    answer = queries.read_view(connection, view, [ticker])
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def _by_ticker(connection: Connection, view: str, tickers: Sequence[str] | None) -> dict[str, Rows]:
    answer = queries.read_view(connection, view, tickers)
    grouped: dict[str, Rows] = defaultdict(list)
    for row in answer.rows:
        named = dict(zip(answer.columns, row, strict=True))
        grouped[named["ticker"]].append(named)
    return dict(grouped)


def _of_config(rows: Rows, like: dict[str, Any]) -> Rows:
    return [row for row in rows if row["config"] == like["config"]]
