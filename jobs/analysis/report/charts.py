"""The charts: plotly figures from rows of the public views. The colours suit colour-blind readers (Okabe and Ito)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import plotly.graph_objects as go

from tickercast.jobs.terminal.text import counted
from tickercast.storage.bars import Bars

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
# Of a band: the lower and the upper quantile, its name and the opacity of its colour.
BANDS = (("q05", "q95", "90 %", 0.15), ("q10", "q90", "80 %", 0.2), ("q25", "q75", "50 %", 0.3))
INTERVALS = ((50, BLUE), (80, GREEN), (90, ORANGE))
SHOWN_SESSIONS = 120

Rows = list[dict[str, Any]]
Values = Sequence[Any]


def newest_forecasts(forecasts: Rows, bars: Bars, field: str) -> go.Figure:
    """Return the last prices, and from the origin on the median and the quantile bands up to the last target."""
    origin, last_price = forecasts[0]["origin"], forecasts[0]["last_price"]
    recent = bars.through(date.fromisoformat(origin))
    prices = getattr(recent, field)[-SHOWN_SESSIONS:]
    # The bars are adjusted to the newest share count, the forecast is not: bring the bars to its scale.
    prices = prices * (last_price / prices[-1])
    figure = _figure(f"Forecasts from {origin}", "price")
    days = [origin, *_column(forecasts, "target")]
    for low, high, name, opacity in BANDS:
        lower, upper = ([last_price, *_column(forecasts, quantile)] for quantile in (low, high))
        figure.add_traces(_band(days, lower, upper, name, opacity))
    figure.add_trace(_line(days, [last_price, *_column(forecasts, "q50")], "median", ORANGE))
    figure.add_trace(_line([str(day) for day in recent.session[-SHOWN_SESSIONS:]], prices.tolist(), field, BLUE))
    return figure


def forecasts_and_outcomes(scored: Rows, history: Rows, newest: int) -> go.Figure:
    """Return the one-session forecasts with their outcomes, for the newest targets. Prices are on each origin's share scale."""
    outcomes = {row["origin"]: row["realised_price"] for row in scored if row["horizon"] == 1}
    rows = [row for row in history if row["horizon"] == 1 and row["origin"] in outcomes][-newest:]
    days = _column(rows, "target")
    prices = [outcomes[row["origin"]] for row in rows]
    figure = _figure("Forecasts and outcomes, one session ahead", "price")
    figure.add_traces(_band(days, _column(rows, "q05"), _column(rows, "q95"), "90 %", 0.25))
    figure.add_trace(_line(days, _column(rows, "q50"), "median", ORANGE))
    figure.add_trace(go.Scatter(x=days, y=prices, name="outcome", mode="markers", marker={"color": BLUE, "size": 4}))
    return figure


def coverage(scored: Rows, mode: str) -> go.Figure:
    """Return the share of outcomes inside each central interval by horizon; dotted lines mark the intended shares.

    scored: forecasts of one mode, which the title names.
    """
    horizons = sorted({row["horizon"] for row in scored})
    figure = _figure(f"Coverage of the intervals, mode {mode}, {counted(len(scored), 'score')}", "share inside")
    for level, colour in INTERVALS:
        shares = [np.mean([row[f"inside_{level}"] for row in scored if row["horizon"] == h]) for h in horizons]
        names = [f"h={h}" for h in horizons]
        figure.add_trace(go.Bar(x=names, y=np.round(shares, 4).tolist(), name=f"{level} %", marker={"color": colour}))
        figure.add_hline(y=level / 100, line={"color": colour, "dash": "dot", "width": 1})
    figure.update_layout(barmode="group", yaxis={"range": [0, 1], "tickformat": ".0%"})
    return figure


def loss_charts(losses: Rows) -> list[go.Figure]:
    """Return the losses of the newest cold start by epoch, and, after two trainings or more, the last loss of each training."""
    if not losses:
        return []
    last_epochs = {row["origin"]: row for row in losses}
    charts = [_cold_start_losses(losses)]
    if len(last_epochs) > 1:
        charts.append(_loss_figure("Loss after each training", list(last_epochs), list(last_epochs.values())))
    return charts


def article_plot(scored: Rows) -> go.Figure:
    """Return the article's picture: the test values and their one-step forecasts."""
    days = _column(scored, "target")
    figure = _figure("Test values and forecasts", "price")
    figure.add_trace(_line(days, _column(scored, "realised_price"), "test values", BLUE))
    figure.add_trace(_line(days, _column(scored, "q50"), "forecasts", ORANGE))
    return figure


def _cold_start_losses(losses: Rows) -> go.Figure:
    newest = max(row["origin"] for row in losses if row["start"] == "cold")
    cold = [row for row in losses if row["origin"] == newest]
    figure = _loss_figure(f"Loss of the cold start at {newest}", _column(cold, "epoch"), cold)
    figure.update_xaxes(title="epoch", type="linear")
    return figure


def _loss_figure(title: str, x: Values, losses: Rows) -> go.Figure:
    figure = _figure(title, "loss")
    figure.add_trace(_line(x, _column(losses, "train_loss"), "training", BLUE))
    if any(row["validation_loss"] is not None for row in losses):
        figure.add_trace(_line(x, _column(losses, "validation_loss"), "validation", ORANGE))
    return figure


def _column(rows: Rows, name: str) -> list[Any]:
    return [row[name] for row in rows]


def _figure(title: str, unit: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "font": {"size": 17}}, template="plotly_white", height=420, hovermode="x unified",
        margin={"l": 60, "r": 20, "t": 60, "b": 50}, legend={"orientation": "h", "y": -0.15},
        font={"family": "system-ui, sans-serif", "color": "#26313b"},
    )  # fmt: skip
    figure.update_yaxes(title=unit)
    return figure


def _line(x: Values, y: Values, name: str, colour: str) -> go.Scatter:
    return go.Scatter(x=x, y=y, name=name, mode="lines", line={"color": colour, "width": 2})


def _band(x: Values, low: Values, high: Values, name: str, opacity: float) -> list[go.Scatter]:
    edge = {"mode": "lines", "line": {"width": 0}}
    fill = {"fill": "tonexty", "fillcolor": f"rgba(213, 94, 0, {opacity})"}
    lower, upper = (f"{name} range, {end} end: %{{y:.2f}}<extra></extra>" for end in ("lower", "upper"))
    return [
        go.Scatter(x=x, y=low, showlegend=False, hovertemplate=lower, **edge),
        go.Scatter(x=x, y=high, name=name, hovertemplate=upper, **edge, **fill),
    ]
