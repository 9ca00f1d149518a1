"""A chart of the pages as a figure of plotly, for Python programs. Only this module loads plotly; pages need its script alone.

A chart names colours by role. A page takes them from its style; here they are those of its light form.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from tickercast.jobs.pages.charts import BAND_OPACITY, Chart

HEIGHT = 460  # pixels
MARGIN = {"l": 64, "r": 80, "t": 64, "b": 96}
LEGEND = {"orientation": "h", "y": -0.15, "yanchor": "top", "groupclick": "togglegroup"}

COLOURS = {
    "price": "#24588f", "median": "#b4540a", "band": "#e08a3c", "outcome": "#24588f", "miss": "#c9211e", "baseline": "#7a8691",
    "event": "#7b4fb5", "good": "#1b7f55", "bad": "#c9211e", "muted": "#a3adb7",
}  # fmt: skip


def plotly_figure(chart: Chart, title: str) -> go.Figure:
    """Return a chart as a figure that can be shown, changed and saved."""
    shapes = [_with_colour(shape) for shape in chart.layout.get("shapes", ())]
    layout = {"hovermode": "x unified"} | chart.layout | {"shapes": shapes}
    figure = go.Figure(data=[_coloured(trace) for trace in chart.data], layout=layout)
    return figure.update_layout(template="plotly_white", title_text=title, height=HEIGHT, margin=MARGIN, legend=LEGEND)


def _coloured(trace: dict[str, Any]) -> dict[str, Any]:
    role, opacity = trace.get("role"), trace.get("fillopacity", BAND_OPACITY)
    made = {key: value for key, value in trace.items() if key not in ("role", "fillopacity")}
    if role is None:
        return made
    ink = COLOURS[role]
    if "fill" in made:
        made["fillcolor"] = f"rgba({', '.join(str(int(ink[at : at + 2], 16)) for at in (1, 3, 5))}, {opacity})"
    if made["type"] != "bar":
        made["line"] = {"color": ink, "width": 2} | made.get("line", {})
    return made | {"marker": {"color": ink} | made.get("marker", {})}


def _with_colour(shape: dict[str, Any]) -> dict[str, Any]:
    role = shape.get("role")
    made = {key: value for key, value in shape.items() if key != "role"}
    return made if role is None else made | {"line": {"color": COLOURS[role]} | made.get("line", {})}
