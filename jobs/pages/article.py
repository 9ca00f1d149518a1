"""What the page of the article's preset shows besides: its plot of test values and forecasts, and its errors in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import fsum, sqrt
from statistics import StatisticsError, correlation

from tickercast.jobs.pages.axes import month_axis
from tickercast.jobs.pages.charts import Chart, Numbers, line, short
from tickercast.jobs.pages.rows import Row
from tickercast.jobs.terminal.figures import price_text
from tickercast.jobs.terminal.text import counted

FEWEST_MOVES = 3  # targets: fewer have no correlation of their moves


def article_plot(settled: Sequence[Row]) -> Chart:
    """Return the article's picture: the test values and their forecasts one session ahead. settled: oldest first, not empty."""
    days = [row["target"] for row in settled]
    data = [
        line(days, short(row["realised_price"] for row in settled), "test values", "outcome"),
        line(days, short(row["q50"] for row in settled), "forecasts", "median"),
    ]
    like = settled[-1]["last_price"]
    rows = [(row["target"], *(price_text(row[name], like) for name in ("realised_price", "q50"))) for row in reversed(settled)]
    rmse, naive = (_rmse(settled, name) for name in ("q50", "last_price"))
    text = f"{counted(len(settled), 'test value')} and their forecasts: RMSE {rmse:.3f}, of the last value alone {naive:.3f}."
    layout = {"xaxis": month_axis(days)}
    return Chart("article", "Test values and forecasts", text, data, Numbers(("target", "test value", "forecast"), rows), layout)


def article_sentences(settled: Sequence[Row], updates: int) -> list[str]:
    """Return the article's figures: RMSE in price units against the last value's, and how much yesterday's move is copied.

    settled: oldest first. updates: optimizer steps of its training. Empty with fewer than three scores.
    """
    if len(settled) < FEWEST_MOVES:
        return []
    rmse, naive = (_rmse(settled, name) for name in ("q50", "last_price"))
    copied = copied_share([row["q50"] for row in settled], [row["last_price"] for row in settled])
    return [
        f"One training of {counted(updates, 'update')} on the first 80 % of the bars; {len(settled)} one-session test forecasts.",
        f"RMSE {rmse:.3f}; the last value alone scores {naive:.3f}.",
        f"{100 * copied:.0f} % of the forecast's day-to-day move merely copies yesterday's.",
    ]


def copied_share(forecast: Sequence[float], last: Sequence[float]) -> float:
    """Return the squared correlation of the forecasts' moves with the last prices' moves: 1 = each copies yesterday's."""
    moves, last_moves = ([later - earlier for earlier, later in pairwise(values)] for values in (forecast, last))
    try:
        return correlation(moves, last_moves) ** 2
    except StatisticsError:  # one of them never moves
        return 0.0


def _rmse(settled: Sequence[Row], name: str) -> float:
    return sqrt(fsum((row[name] - row["realised_price"]) ** 2 for row in settled) / len(settled))
