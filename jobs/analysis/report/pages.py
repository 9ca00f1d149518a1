"""The HTML around the charts: escaped text and relative links, so that the pages need no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from jobs.terminal.text import counted
from storage.files import quote_ticker

Row = dict[str, Any]

ALL_TICKERS = "*"
INDEX_HEAD = (
    "ticker", "origin", "last price", "5 %", "median", "95 %", "sessions behind", "against the random walk, 1 session ahead",
)  # fmt: skip
FEWEST_SCORES = 3  # fewer targets have no correlation of their moves
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #26313b; background: #f5f7f9; margin: 0; }
main { max-width: 1060px; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; margin: .2rem 0 .6rem; } a { color: #0072B2; }
section, table { background: #fff; border: 1px solid #dde3e8; border-radius: 8px; margin: 1rem 0; overflow: hidden; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .5rem .8rem; text-align: right; }
th { background: #eef2f5; font-weight: 600; } td:first-child, th:first-child, td:last-child, th:last-child { text-align: left; }
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
    return _page("Forecasts", _note(verdict_sentence(overall_skill)) + table, "")


def ticker_page(ticker: str, config: str, preset: str, notes: Sequence[str], charts: Sequence[go.Figure], script: str) -> str:
    """Return a ticker's page: notes in words, then the charts. script: the relative URL of plotly's script."""
    about = f"<p class=note>Preset {escape(preset)}, config {escape(config)}. <a href='index.html'>All tickers</a></p>"
    words = "".join(_note(note) for note in notes)
    sections = "".join(f"<section>{_chart_html(chart, f'chart-{i}')}</section>" for i, chart in enumerate(charts))
    return _page(ticker, about + words + sections, f'<script src="{escape(script)}"></script>')


def verdict_sentence(skill: Sequence[Row]) -> str:
    """Return the verdict at one session ahead as a sentence, from rows of view `skill` (none = no score yet)."""
    row = _one_session_ahead(skill)
    if row is None:
        return "No forecast has been scored yet."
    who = "All tickers together" if row["ticker"] == ALL_TICKERS else "These forecasts"
    figures = f"CRPS {row['crps']:.5f} against {row['baseline_crps']:.5f}, n = {row['n']}"
    if row["verdict"] == "not distinguishable":
        return f"{who}: not distinguishable from a random walk one session ahead ({figures})."
    return f"{who}: {row['verdict']} than a random walk one session ahead ({figures}, p = {row['p_adjusted']:.3f})."


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
    prices = [f"{entry.forecast[key]:,.2f}" for key in ("last_price", "q05", "q50", "q95")]
    row = _one_session_ahead(entry.skill)
    verdict = f"{row['verdict']} (n={row['n']})" if row else "no score yet"
    url = page_name(entry.ticker).replace("%", "%25")  # a percent sign of the file name, not of the URL
    link = f'<a href="{escape(url)}">{escape(entry.ticker)}</a>'
    return [link, escape(entry.forecast["origin"]), *prices, str(entry.freshness["sessions_behind"]), escape(verdict)]


def _one_session_ahead(skill: Sequence[Row]) -> Row | None:
    return next((row for row in skill if row["horizon"] == 1), None)


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
