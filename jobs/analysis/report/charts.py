"""The charts, as plotly figures from rows of the public views. Colours hold for the colour-blind (Okabe and Ito)."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from storage.bars import Bars

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#5f6b76"
BANDS = (("q05", "q95", "90 %", 0.15), ("q10", "q90", "80 %", 0.2), ("q25", "q75", "50 %", 0.3))
SHOWN_SESSIONS = 120
Rows = list[dict[str, Any]]


def newest_fan(forecasts: Rows, bars: Bars, field: str) -> go.Figure:
    """Return the last prices and the quantile bands to each target, from the origin's price on."""
    origin, last = forecasts[0]["origin"], forecasts[0]["last_price"]
    recent = bars.through(np.datetime64(origin).item())
    prices = getattr(recent, field)[-SHOWN_SESSIONS:]
    # The bars are adjusted to the newest shares; the forecast stands on its origin's.
    prices = prices * (last / prices[-1])
    figure = _figure(f"Forecasts from {origin}", "price")
    days = [origin, *(row["target"] for row in forecasts)]
    for low, high, name, opacity in BANDS:
        lower, upper = ([last, *(row[key] for row in forecasts)] for key in (low, high))
        figure.add_traces(_band(days, lower, upper, name, opacity))
    figure.add_trace(_line(days, [last, *(row["q50"] for row in forecasts)], "median", ORANGE))
    figure.add_trace(_line([str(d) for d in recent.session[-SHOWN_SESSIONS:]], prices.tolist(), field, BLUE))
    return figure


def past_forecasts(scored: Rows, history: Rows, newest: int) -> go.Figure:
    """Return one-session forecasts against what came, each on its own origin's share scale."""
    came = {row["origin"]: row for row in scored if row["horizon"] == 1}
    rows = [row for row in history if row["horizon"] == 1 and row["origin"] in came][-newest:]
    days = [row["target"] for row in rows]
    figure = _figure("One session ahead: forecast and what came", "price")
    figure.add_traces(_band(days, [r["q05"] for r in rows], [r["q95"] for r in rows], "90 %", 0.25))
    figure.add_trace(_line(days, [r["q50"] for r in rows], "median", ORANGE))
    figure.add_trace(
        go.Scatter(
            x=days, y=[came[r["origin"]]["realised_price"] for r in rows], name="what came", mode="markers",
            marker={"color": BLUE, "size": 4},
        )
    )  # fmt: skip
    return figure


def coverage(scored: Rows) -> go.Figure:
    """Return the share of targets inside the central intervals, by horizon, beside the nominal share."""
    horizons = sorted({row["horizon"] for row in scored})
    figure = _figure(f"Coverage of the intervals, {len(scored)} scores", "share inside")
    for level, colour in ((50, BLUE), (80, GREEN), (90, ORANGE)):
        shares = [np.mean([r[f"inside_{level}"] for r in scored if r["horizon"] == h]) for h in horizons]
        names = [f"h={h}" for h in horizons]
        figure.add_trace(go.Bar(x=names, y=np.round(shares, 4).tolist(), name=f"{level} %", marker={"color": colour}))
        figure.add_hline(y=level / 100, line={"color": colour, "dash": "dot", "width": 1})
    figure.update_layout(barmode="group", yaxis={"range": [0, 1], "tickformat": ".0%"})
    return figure


def loss_curves(losses: Rows) -> list[go.Figure]:
    """Return the newest cold start's losses by epoch, and the last loss of each training by origin."""
    if not losses:
        return []
    newest = max(row["origin"] for row in losses if row["start"] == "cold")
    cold = [row for row in losses if row["origin"] == newest]
    figure = _figure(f"Loss of the cold start at {newest}", "loss")
    epochs = [row["epoch"] for row in cold]
    figure.add_trace(_line(epochs, [row["train_loss"] for row in cold], "trained on", BLUE))
    if any(row["validation_loss"] is not None for row in cold):
        figure.add_trace(_line(epochs, [row["validation_loss"] for row in cold], "held out", ORANGE))
    figure.update_xaxes(title="epoch", type="linear")
    last = {row["origin"]: row for row in losses}
    if len(last) < 2:
        return [figure]
    by_origin = _figure("Loss after each training", "loss")
    by_origin.add_trace(_line(list(last), [row["train_loss"] for row in last.values()], "trained on", BLUE))
    by_origin.add_trace(_line(list(last), [row["validation_loss"] for row in last.values()], "held out", ORANGE))
    return [figure, by_origin]


def article_plot(scored: Rows) -> go.Figure:
    """Return the article's picture: the test values and the one-step forecasts of them."""
    days = [row["target"] for row in scored]
    figure = _figure("Test values and forecasts", "price")
    figure.add_trace(_line(days, [row["realised_price"] for row in scored], "test values", BLUE))
    figure.add_trace(_line(days, [row["q50"] for row in scored], "forecasts", ORANGE))
    return figure


def _figure(title: str, unit: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "font": {"size": 17}}, template="plotly_white", height=420, hovermode="x unified",
        margin={"l": 60, "r": 20, "t": 60, "b": 50}, legend={"orientation": "h", "y": -0.15},
        font={"family": "system-ui, sans-serif", "color": "#26313b"},
    )  # fmt: skip
    figure.update_yaxes(title=unit)
    return figure


def _line(x: list[Any], y: list[Any], name: str, colour: str) -> go.Scatter:
    return go.Scatter(x=x, y=y, name=name, mode="lines", line={"color": colour, "width": 2})


def _band(x: list[Any], low: list[Any], high: list[Any], name: str, opacity: float) -> list[go.Scatter]:
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    fill = {"fill": "tonexty", "fillcolor": f"rgba(213, 94, 0, {opacity})"}
    return [go.Scatter(x=x, y=low, showlegend=False, **edge), go.Scatter(x=x, y=high, name=name, **edge, **fill)]
