"""Write the report: a page per ticker, an index, and one plotly script that all pages share. Reads only public views and bars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from tickercast.jobs.analysis.report import charts, pages
from tickercast.jobs.errors import UsageError
from tickercast.storage import queries
from tickercast.storage.bars import Bars
from tickercast.storage.database import Connection
from tickercast.storage.files import write_atomically

SCRIPT = "plotly.min.js"
NEWEST_TARGETS = 500

Row = dict[str, Any]


def write_report(connection: Connection, folder: Path, tickers: Sequence[str] | None, bars_of: Callable[[str], Bars]) -> Path:
    """Write the pages of some tickers, or of all that have forecasts, into a folder. Returns the path of the index.

    bars_of returns a ticker's bars, adjusted to its newest share count. Raises UsageError when there are no forecasts.
    """
    latest = _rows_by_ticker(connection, "latest_forecast", tickers)
    if not latest:
        raise UsageError("there are no forecasts to report yet; run `tickercast backfill` first")
    skill = _rows_by_ticker(connection, "skill", None)
    freshness = _rows_by_ticker(connection, "freshness", None)
    write_atomically(folder / SCRIPT, get_plotlyjs().encode())
    for ticker, forecasts in latest.items():
        page = ticker_page(connection, ticker, forecasts, bars_of(ticker), skill.get(ticker, []))
        write_atomically(folder / pages.page_name(ticker), page.encode())
    entries = [
        pages.IndexEntry(ticker, rows[0], freshness[ticker][0], _of_config(skill.get(ticker, []), rows[0]["config"]))
        for ticker, rows in sorted(latest.items())
    ]
    configs = [rows[0]["config"] for rows in latest.values()]
    overall = _of_config(skill.get(pages.ALL_TICKERS, []), max(configs, key=configs.count))
    index = folder / "index.html"
    write_atomically(index, pages.index_page(entries, overall).encode())
    return index


def ticker_page(connection: Connection, ticker: str, forecasts: list[Row], bars: Bars, skill: list[Row]) -> str:
    """Return a ticker's page. forecasts: its rows of latest_forecast; bars: adjusted; skill: its rows of view `skill`.

    The preset article also has its own plot and figures. Charts of past forecasts need at least one score.
    """
    config, preset, field = (forecasts[0][key] for key in ("config", "preset", "field"))

    def rows_of(view: str) -> list[Row]:
        return _of_config(_rows(connection, view, [ticker]), config)

    scored, history = rows_of("scored_forecast"), rows_of("forecast_history")
    drawn = [charts.newest_forecasts(forecasts, bars, field)]
    notes = pages.verdict_sentences(_of_config(skill, config))
    if preset == "article":
        updates = sum(model["updates"] for model in rows_of("model_lineage"))
        drawn.insert(0, charts.article_plot(scored))
        notes = [*pages.article_sentences(scored, history, updates), *notes]
    elif scored:
        drawn.append(charts.forecasts_and_outcomes(scored, history, NEWEST_TARGETS))
    for mode in pages.MODES:
        if of_mode := [row for row in scored if row["mode"] == mode]:
            drawn.append(charts.coverage(of_mode, mode))
    drawn += charts.loss_charts(rows_of("loss_curve"))
    return pages.ticker_page(ticker, forecasts, notes, drawn, script=SCRIPT)


def _rows(connection: Connection, view: str, tickers: Sequence[str] | None) -> list[Row]:
    found = queries.read_view(connection, view, tickers)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def _rows_by_ticker(connection: Connection, view: str, tickers: Sequence[str] | None) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(connection, view, tickers):
        grouped[row["ticker"]].append(row)
    return dict(grouped)


def _of_config(rows: list[Row], config: str) -> list[Row]:
    return [row for row in rows if row["config"] == config]
