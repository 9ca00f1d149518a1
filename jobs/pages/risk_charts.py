"""The chart of the page Risk: which share of the tickers was below its value at risk, day by day."""

from __future__ import annotations

from collections.abc import Sequence

from tickercast.jobs.pages.axes import long_day, month_axis, titled
from tickercast.jobs.pages.charts import Chart, Numbers, columns, horizontal
from tickercast.jobs.pages.rows import Row
from tickercast.jobs.terminal.figures import percent
from tickercast.jobs.terminal.text import counted


def exceedances(days: Sequence[Row]) -> Chart:
    """Return the share of the tickers below the 5 % and the 1 % value at risk on each day. days: not empty, in order."""
    targets = [row["target"] for row in days]
    shares = {level: [round(row[f"below_{level}"] / row["n"], 4) for row in days] for level in (5, 1)}
    data = [
        columns(targets, shares[5], "below the 5 % value at risk", "price", hovertemplate="%{y:.1%}"),
        columns(targets, shares[1], "below the 1 % value at risk", "miss", hovertemplate="%{y:.1%}"),
    ]
    layout = {
        "xaxis": month_axis(targets),
        "yaxis": {"tickformat": ".0%", "rangemode": "tozero", **titled("share of the tickers")},
        "shapes": [horizontal(0.05, "good")],
        "barmode": "overlay",
        "bargap": 0.1,
    }
    head = ("session", "tickers", "below 5 %", "below 1 %", "share below 5 %, %")
    rows = [
        (long_day(row["target"]), str(row["n"]), str(row["below_5"]), str(row["below_1"]), percent(row["below_5"] / row["n"]))
        for row in reversed(days)
    ]
    return Chart("exceedances", "Exceedances by session", _text(days), data, Numbers(head, rows), layout)


def _text(days: Sequence[Row]) -> str:
    n, below = sum(row["n"] for row in days), sum(row["below_5"] for row in days)
    worst = max(days, key=lambda row: row["below_5"] / row["n"])
    text = (
        f"Outcomes below the 5 % value at risk from {days[0]['target']} to {days[-1]['target']}: {below:,} of {n:,} "
        f"({percent(below / n)} %; the line is at 5 %)."
    )
    if not below:
        return text
    of = f"{worst['below_5']} of {counted(worst['n'], 'ticker')}"
    return f"{text} Most on {long_day(worst['target'])}: {of}. Tickers fall together, so the days are uneven."
