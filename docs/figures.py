"""Draw the figure of docs/explanation/network.md from the record of `tickercast demo --keep HOME`.

python docs/figures.py HOME                          # needs matplotlib (extra `examples`)
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from datetime import date
from math import log
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PICTURE = Path(__file__).parent / "assets" / "volatility.png"
QUERY = """SELECT h.target, h.last_price, h.q05, h.q95, s.realised_return, h.scale / h.baseline_scale
    FROM forecast_history AS h JOIN scored_forecast AS s USING (ticker, field, origin, horizon, config)
    WHERE h.ticker = 'MSFT' AND h.horizon = 1 ORDER BY h.target"""
GREY, BLUE, ORANGE = "#808080", "#3f6fb5", "#d9822b"  # readable on white and on dark grey


def main(home: Path) -> None:
    """Write the figure: returns with the forecast range above, the network's factor on the scale below."""
    with closing(sqlite3.connect(f"file:{home / 'tickercast.db'}?mode=ro", uri=True)) as connection:
        rows = connection.execute(QUERY).fetchall()
    days = [date.fromisoformat(row[0]) for row in rows]
    low, high = ([100 * log(row[i] / row[1]) for row in rows] for i in (2, 3))
    returns = [100 * row[4] for row in rows]
    plt.rcParams.update(dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY))
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(8, 4.6), height_ratios=(3, 1.2), layout="constrained")
    top.fill_between(days, low, high, color=BLUE, alpha=0.35, linewidth=0, step="mid")
    inside = [a <= value <= b for a, value, b in zip(low, returns, high, strict=True)]
    top.scatter(days, returns, s=7, c=[BLUE if held else ORANGE for held in inside])
    top.set_ylabel("return, %")
    bottom.plot(days, [row[5] for row in rows], color=BLUE, linewidth=1.2, drawstyle="steps-mid")
    bottom.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    bottom.set_ylabel("× the formula")
    figure.savefig(PICTURE, dpi=120, transparent=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
