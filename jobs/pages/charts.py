"""A chart as a plain dict in Plotly's form, with its text and its numbers. Nothing here loads plotly or computes a fact.

Colours are roles, never colours: assets/charts.js fills them in from the style, so that light and dark both work. The roles are
the variables `--chart-ROLE` of assets/style.css.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["price", "median", "band", "outcome", "miss", "baseline", "event", "good", "bad", "muted"]
Values = Sequence[Any]
Trace = dict[str, Any]
BAND_OPACITY = 0.22
DIGITS = 6  # of a price in a chart's data


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers behind a chart as a table of texts, for readers who do not see the chart. head: the titles of the columns."""

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of a page.

    name: its id in the page, letters and hyphens. title: a few words. text: a sentence with its main number. data, layout: as
    Plotly takes them; a trace or a shape has a key `role` in place of colours. table: the same numbers.
    """

    name: str
    title: str
    text: str
    data: list[Trace]
    table: Numbers
    layout: dict[str, Any] = field(default_factory=dict)

    @property
    def figure(self) -> dict[str, Any]:
        """Return what is drawn: the keys data and layout."""
        return {"data": self.data, "layout": self.layout}


def short(values: Any, digits: int = DIGITS) -> list[float | None]:
    """Return numbers with some significant digits, so that a page stays small."""
    return [None if value is None else float(f"{value:.{digits}g}") for value in values]


def line(x: Values, y: Values, name: str, role: Role, **more: Any) -> Trace:
    """Return a line. more: further keys of Plotly's scatter trace."""
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "name": name, "role": role, **more}


def points(x: Values, y: Values, name: str, role: Role, **more: Any) -> Trace:
    """Return single points. more: further keys of Plotly's scatter trace."""
    return {"type": "scatter", "mode": "markers", "x": list(x), "y": list(y), "name": name, "role": role, **more}


def columns(x: Values, y: Values, name: str, role: Role, **more: Any) -> Trace:
    """Return upright bars. more: further keys of Plotly's bar trace."""
    return {"type": "bar", "x": list(x), "y": list(y), "name": name, "role": role, **more}


def band(x: Values, low: Values, high: Values, name: str, role: Role = "band", opacity: float = BAND_OPACITY) -> list[Trace]:
    """Return the two traces of a band between two lines, which have no lines of their own."""
    edge = {"line": {"width": 0}, "legendgroup": name}
    return [
        line(x, low, f"{name}, low", role, showlegend=False, **edge),
        line(x, high, name, role, fill="tonexty", fillopacity=opacity, **edge),
    ]


def horizontal(y: float, role: Role, *, dash: str = "dot") -> dict[str, Any]:
    """Return a line across the whole chart at a height, for `shapes` of a layout."""
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "role": role, "line": {"width": 1, "dash": dash}}


def vertical(x: Any, role: Role, *, dash: str = "dot") -> dict[str, Any]:
    """Return a line from bottom to top at a place, for `shapes` of a layout."""
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": x, "x1": x, "role": role, "line": {"width": 1, "dash": dash}}
