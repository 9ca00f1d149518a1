"""The HTML around the charts: escaped text, relative links, no network. Called by report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

Row = dict[str, Any]
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


def index_page(tickers: Mapping[str, tuple[Row, Row, list[Row]]], overall: list[Row], page: Callable[[str], str]) -> str:
    """Return the index: a row a ticker with its newest one-session forecast, its lag behind the present, its verdict."""
    head = (
        "ticker",
        "origin",
        "last",
        "5 %",
        "median",
        "95 %",
        "sessions behind",
        "against the random walk, 1 session",
    )
    rows = []
    for ticker, (forecast, fresh, skill) in sorted(tickers.items()):
        numbers = [f"{forecast[key]:,.2f}" for key in ("last_price", "q05", "q50", "q95")]
        verdict = next((f"{row['verdict']} (n={row['n']})" for row in skill if row["horizon"] == 1), "no score yet")
        link = f'<a href="{escape(_url(page(ticker)))}">{escape(ticker)}</a>'
        behind = str(fresh["sessions_behind"])
        rows.append([link, escape(forecast["origin"]), *numbers, behind, escape(verdict)])
    body = "".join(f"<p class=note>{escape(line)}</p>" for line in [verdict_sentence(overall)])
    cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    return _page("Forecasts", f"{body}<div class=scroll><table><tr>{titles}</tr>{cells}</table></div>", None)


def ticker_page(ticker: str, config: str, preset: str, notes: Sequence[str], charts: Sequence[go.Figure], script: str) -> str:
    """Return a ticker's page: what to know in words, then the charts."""
    words = "".join(f"<p class=note>{escape(note)}</p>" for note in notes)
    drawn = "".join(f"<section>{_drawn(chart, f'chart-{i}')}</section>" for i, chart in enumerate(charts))
    about = f"<p class=note>Preset {escape(preset)}, config {escape(config)}. <a href='index.html'>All tickers</a></p>"
    return _page(ticker, about + words + drawn, script)


def _drawn(chart: go.Figure, name: str) -> str:
    return str(chart.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displaylogo": False}))


def verdict_sentence(skill: Sequence[Row]) -> str:
    """Return what the tests say at one session, in a sentence: plainly so when it is nothing."""
    one = next((row for row in skill if row["horizon"] == 1), None)
    if one is None:
        return "No forecast has been scored yet."
    who = "All tickers together" if one["ticker"] == "*" else "These forecasts"
    gain = f"CRPS {one['crps']:.5f} against {one['baseline_crps']:.5f}, n = {one['n']}"
    if one["verdict"] == "not distinguishable":
        return f"{who}: not distinguishable from a random walk one session ahead ({gain})."
    return f"{who}: {one['verdict']} than a random walk one session ahead ({gain}, p = {one['p_adjusted']:.3f})."


def article_sentences(scored: Sequence[Row], history: Sequence[Row], updates: int) -> list[str]:
    """Return the article's figures: RMSE in price units beside the last value's, and how much is yesterday's copy."""
    if len(scored) < 3:
        return []
    last = {row["origin"]: row["last_price"] for row in history}
    came, guess = (np.array([row[key] for row in scored]) for key in ("realised_price", "q50"))
    before = np.array([last[row["origin"]] for row in scored])
    ours, naive = (float(np.sqrt(np.mean((value - came) ** 2))) for value in (guess, before))
    return [
        f"One training of {updates} updates on the first 80 % of the bars; {len(scored)} one-session test forecasts.",
        f"RMSE {ours:.3f}; the last value alone scores {naive:.3f}.",
        f"{100 * copied_share(guess, before):.0f} % of the forecast's day-to-day move merely copies yesterday's.",
    ]


def copied_share(guess: np.ndarray, last: np.ndarray) -> float:
    """Return the squared correlation of the forecast's move with the last price's: 1 = it copies yesterday."""
    moves = np.corrcoef(np.diff(guess), np.diff(last))[0, 1]
    return float(moves**2)


def _url(name: str) -> str:
    return name.replace("%", "%25")


def _page(title: str, body: str, script: str | None) -> str:
    load = f'<script src="{escape(script)}"></script>' if script else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)} - Tickercast</title>'
        f"<style>{STYLE}</style>{load}</head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )
