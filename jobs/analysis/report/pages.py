"""The HTML around the charts: escaped text and relative links, so that the pages need no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from tickercast.jobs.terminal.figures import basis_points, p_value, percent, price_decimals
from tickercast.jobs.terminal.text import counted
from tickercast.storage.files import quote_ticker

Row = dict[str, Any]

ALL_TICKERS = "*"
INDEX_HEAD = (
    "ticker", "origin", "last price", "5-95 % range, from", "median", "to", "sessions behind",
    "against the random walk, 1 session ahead",
)  # fmt: skip
FORECAST_HEAD = ("session", *(f"{level} % below" for level in (5, 25, 50, 75, 95)))
FORECAST_LEVELS = ("q05", "q25", "q50", "q75", "q95")
ALL_MODES = "*"
MODES = {"live": "live", ALL_MODES: "all modes together", "catchup": "catchup", "backfill": "backfill"}  # the first is preferred
FEWEST_SCORES = 3  # fewer targets have no correlation of their moves
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #26313b; background: #f5f7f9; margin: 0; }
main { max-width: 1060px; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; margin: .2rem 0 .6rem; } a { color: #0072B2; }
section, table { background: #fff; border: 1px solid #dde3e8; border-radius: 8px; margin: 1rem 0; overflow: hidden; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .5rem .8rem; text-align: right; }
th { background: #eef2f5; font-weight: 600; } td:first-child, th:first-child, td:last-child, th:last-child { text-align: left; }
table.quantiles td:last-child, table.quantiles th:last-child { text-align: right; }
tr + tr td { border-top: 1px solid #eef2f5; } p.note { margin: .3rem 0; } .scroll { overflow-x: auto; }
"""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A ticker in the index: rows of latest_forecast (horizon 1) and freshness, and its rows of skill under that config."""

    ticker: str
    forecast: Row
    freshness: Row
    skill: list[Row]


def page_name(ticker: str) -> str:
    """Return the file name of a ticker's page."""
    return f"{quote_ticker(ticker)}.html"


def index_page(entries: Sequence[IndexEntry], overall_skill: Sequence[Row]) -> str:
    """Return the index: a row per ticker with its newest one-session forecast, how far it is behind, and its verdict."""
    titles = "".join(f"<th>{escape(name)}</th>" for name in INDEX_HEAD)
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in _index_cells(entry))}</tr>" for entry in entries)
    table = f"<div class=scroll><table><tr>{titles}</tr>{rows}</table></div>"
    return _page("Forecasts", "".join(map(_note, verdict_sentences(overall_skill))) + table, "")


def ticker_page(
    ticker: str,
    forecasts: Sequence[Row],
    notes: Sequence[str],
    charts: Sequence[go.Figure],
    *,
    script: str,
) -> str:
    """Return a ticker's page: notes in words, its newest forecasts as a table, then the charts.

    forecasts: its rows of latest_forecast. script: the relative URL of plotly's script.
    """
    config, preset = forecasts[0]["config"], forecasts[0]["preset"]
    about = f"<p class=note>Preset {escape(preset)}, config {escape(config)}. <a href='index.html'>All tickers</a></p>"
    words = "".join(_note(note) for note in notes)
    sections = "".join(f"<section>{_chart_html(chart, f'chart-{i}')}</section>" for i, chart in enumerate(charts))
    return _page(ticker, about + words + _forecast_table(forecasts) + sections, f'<script src="{escape(script)}"></script>')


def verdict_sentences(skill: Sequence[Row]) -> list[str]:
    """Return the verdict at one session ahead as a sentence for each mode, live first, from rows of view `skill`."""
    return [_verdict_sentence(row) for row in _one_session_ahead(skill)] or ["No forecast has been scored yet."]


def _verdict_sentence(row: Row) -> str:
    who = f"{'All tickers together' if row['ticker'] == ALL_TICKERS else 'These forecasts'} ({MODES[row['mode']]})"
    figures = f"CRPS {basis_points(row['crps'])} bp against {basis_points(row['baseline_crps'])} bp, n = {row['n']}"
    if row["verdict"] == "not distinguishable":
        return f"{who}: not distinguishable from a random walk one session ahead ({figures})."
    return f"{who}: {row['verdict']} than a random walk one session ahead ({figures}, p {_equals(row['p_adjusted'])})."


def _equals(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def article_sentences(scored: Sequence[Row], history: Sequence[Row], updates: int) -> list[str]:
    """Return the article's figures: RMSE in price units against the last value's, and how much yesterday's move is copied.

    scored, history: rows of the views scored_forecast and forecast_history. Empty with fewer than three scores.
    """
    if len(scored) < FEWEST_SCORES:
        return []
    last_prices = {row["origin"]: row["last_price"] for row in history}
    outcome, forecast = (np.array([row[key] for row in scored]) for key in ("realised_price", "q50"))
    last = np.array([last_prices[row["origin"]] for row in scored])
    rmse, naive_rmse = (float(np.sqrt(np.mean((values - outcome) ** 2))) for values in (forecast, last))
    return [
        f"One training of {counted(updates, 'update')} on the first 80 % of the bars; {len(scored)} one-session test forecasts.",
        f"RMSE {rmse:.3f}; the last value alone scores {naive_rmse:.3f}.",
        f"{100 * copied_share(forecast, last):.0f} % of the forecast's day-to-day move merely copies yesterday's.",
    ]


def copied_share(forecast: NDArray[np.float64], last: NDArray[np.float64]) -> float:
    """Return the squared correlation of the forecasts' moves with the last prices' moves: 1 = each copies yesterday's."""
    return float(np.corrcoef(np.diff(forecast), np.diff(last))[0, 1] ** 2)


def _index_cells(entry: IndexEntry) -> list[str]:
    decimals = price_decimals(entry.forecast["last_price"])
    prices = [f"{entry.forecast[key]:,.{decimals}f}" for key in ("last_price", "q05", "q50", "q95")]
    verdicts = [f"{row['verdict']} ({MODES[row['mode']]}, n={row['n']})" for row in _one_session_ahead(entry.skill)] or [
        "no score yet"
    ]
    url = page_name(entry.ticker).replace("%", "%25")  # a percent sign of the file name, not of the URL
    link = f'<a href="{escape(url)}">{escape(entry.ticker)}</a>'
    return [link, escape(entry.forecast["origin"]), *prices, str(entry.freshness["sessions_behind"]), escape(verdicts[0])]


def _one_session_ahead(skill: Sequence[Row]) -> list[Row]:
    """Return the rows at horizon 1 in the order of MODES; without the one of all modes together where there is only one mode."""
    rows = sorted((row for row in skill if row["horizon"] == 1), key=lambda row: list(MODES).index(row["mode"]))
    return [row for row in rows if row["mode"] != ALL_MODES or len(rows) > 2]


def _forecast_table(forecasts: Sequence[Row]) -> str:
    """Return a row for each horizon: the target, and five quantiles as prices and in percent of the last price."""
    titles = "".join(f"<th>{name}</th>" for name in FORECAST_HEAD)
    rows = "".join(f"<tr><td>{escape(row['target'])}</td>{_quantile_cells(row)}</tr>" for row in forecasts)
    return f"<div class=scroll><table class=quantiles><tr>{titles}</tr>{rows}</table></div>"


def _quantile_cells(row: Row) -> str:
    last, decimals = row["last_price"], price_decimals(row["last_price"])
    cells = (f"{row[name]:,.{decimals}f} ({percent(row[name] / last - 1, signed=True)} %)" for name in FORECAST_LEVELS)
    return "".join(f"<td>{cell}</td>" for cell in cells)


def _chart_html(chart: go.Figure, name: str) -> str:
    return str(chart.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displaylogo": False}))


def _note(text: str) -> str:
    return f"<p class=note>{escape(text)}</p>"


def _page(title: str, body: str, script: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)} - Tickercast</title>'
        f"<style>{STYLE}</style>{script}</head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )
