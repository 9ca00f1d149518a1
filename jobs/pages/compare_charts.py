"""The charts of the page Compare: the next session's ranges beside each other, and each width over a year on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tickercast.jobs.pages.charts import Chart, Numbers, Trace, line, points, short
from tickercast.jobs.pages.compare_facts import Entry
from tickercast.jobs.terminal.figures import percent

BAR_WIDTH = 0.6  # of a row
FULL_ROWS = 8  # fewer bars would be blocks
HEADROOM = 1.08  # above the largest width of the common scale


def ranges(entries: Sequence[Entry], names: Sequence[str]) -> Chart:
    """Return the 90 % and the 50 % range of each next session in percent of the last price, with its median."""
    thickness = min(BAR_WIDTH, BAR_WIDTH * len(entries) / FULL_ROWS)
    medians = short((entry.move("q50") for entry in entries), 3)
    data = [
        _bars(entries, names, ("q05", "q95"), "90 % range", thickness, 0.4),
        _bars(entries, names, ("q25", "q75"), "50 % range", thickness, 0.8),
        points(medians, names, "median", "median", marker={"size": 9, "symbol": "diamond"}),
    ]
    widest = max(range(len(entries)), key=lambda place: entries[place].width)
    text = (
        f"Where each next session may end, in percent of the last price. {names[widest]} has the widest range: "
        f"{_moves(entries[widest])} with a probability of 90 %."
    )
    layout = {
        "xaxis": {"ticksuffix": " %", "zeroline": True},
        "yaxis": {"type": "category", "autorange": "reversed", "ticksuffix": "  "},
        "barmode": "overlay",
        "hovermode": "y unified",
    }
    quantiles = ("q05", "q25", "q50", "q75", "q95")
    head = ("ticker", "session", *(f"{int(quantile[1:])} %" for quantile in quantiles))
    rows = [
        (name, entry.forecast["target"], *(f"{percent(entry.move(each) / 100, 2, signed=True)} %" for each in quantiles))
        for name, entry in zip(names, entries, strict=True)
    ]
    return Chart("ranges", "Ranges of the next session", text, data, Numbers(head, rows), layout)


def widths(entries: Sequence[Entry], names: Sequence[str]) -> list[Chart]:
    """Return a chart of each entry's width over a year, all with the same axes, so that heights can be compared."""
    highest = max(width for entry in entries for _, width in entry.widths) * HEADROOM
    days = [day for entry in entries for day, _ in entry.widths]
    axes = {
        "xaxis": {"type": "date", "nticks": 4, "range": [min(days), max(days)]},
        "yaxis": {"ticksuffix": " %", "range": [0, highest], "nticks": 4},
    }
    return [_width(place, entry, name, axes) for place, (entry, name) in enumerate(zip(entries, names, strict=True), 1)]


def _width(place: int, entry: Entry, name: str, axes: dict[str, Any]) -> Chart:
    days, values = [day for day, _ in entry.widths], [width for _, width in entry.widths]
    usual = {"line": {"width": 1, "dash": "dot"}, "hoverinfo": "skip", "showlegend": False}
    data = [
        line(days, short(values, 3), "width", "price", hovertemplate="%{y:.1f} %", showlegend=False),
        line([days[0], days[-1]], short([entry.usual_width] * 2, 3), "median", "baseline", **usual),
    ]
    now, median, low, high = (percent(value / 100) for value in (entry.width, entry.usual_width, min(values), max(values)))
    text = f"{now} % now, median {median} %, from {low} to {high}\N{NO-BREAK SPACE}%."
    rows = [(day, f"{percent(value / 100, 2)} %") for day, value in reversed(entry.widths)]
    return Chart(f"width-{place}", name, text, data, Numbers(("origin", "width"), rows), axes)


def _bars(
    entries: Sequence[Entry], names: Sequence[str], ends: tuple[str, str], name: str, thickness: float, opacity: float
) -> Trace:
    lows, highs = ([entry.move(end) for entry in entries] for end in ends)
    spans = [high - low for low, high in zip(lows, highs, strict=True)]
    return {
        "type": "bar", "orientation": "h", "y": list(names), "base": short(lows, 4), "x": short(spans, 4), "name": name,
        "role": "band", "opacity": opacity, "width": thickness, "customdata": short(highs, 3),
        "hovertemplate": "%{base:.1f} % to %{customdata:.1f} %",
    }  # fmt: skip


def _moves(entry: Entry) -> str:
    return " to ".join(f"{percent(entry.move(name) / 100, signed=True)} %" for name in ("q05", "q95"))
