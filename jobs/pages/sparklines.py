"""Sparklines: the last prices and the forecast of the next session as a small SVG inside a table's cell.

Coordinates are whole numbers and relative, so that the picture of a ticker takes some 200 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

WIDTH, HEIGHT, BAND_WIDTH = 192, 52, 24


def sparkline(closes: Sequence[float], low: float, high: float) -> Markup:
    """Return the picture of prices, oldest first, and of the range low to high that the next one is forecast in.

    It says nothing that its row does not say in numbers, so readers of a screen skip it.
    """
    least, most = min(*closes, low, high), max(*closes, low, high)
    scale = (HEIGHT - 2) / (most - least) if most > least else 0.0

    def height(price: float) -> int:
        return round(1 + (most - price) * scale)

    right = WIDTH - BAND_WIDTH
    places = [(round(right * i / max(1, len(closes) - 1)), height(price)) for i, price in enumerate(closes)]
    if len(places) == 1:
        places = [(0, places[0][1]), (right, places[0][1])]
    steps = "".join(f"l{_pair(x - before_x, y - before_y)}" for (before_x, before_y), (x, y) in pairwise(places))
    line = f"M{_pair(*places[0])}{steps}"
    band = f"M{_pair(*places[-1])}L{_pair(WIDTH, height(low))}V{height(high)}z"
    return Markup(
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">'
        f'<path class="b" d="{band}"/><path d="{line}"/></svg>'
    )  # only numbers of our own are in it


def _pair(x: int, y: int) -> str:
    """Return two coordinates; a minus separates them as well as a space does."""
    return f"{x}{y}" if y < 0 else f"{x} {y}"
