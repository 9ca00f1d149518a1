"""Numbers as people read them: rounded values, prices, percent, basis points, p-values. Programs get them unrounded."""

from __future__ import annotations

import math
from collections.abc import Iterable

LEAST_P = 0.001


def decimals_of(values: Iterable[float]) -> int:
    """Return how many decimals a column of numbers needs: two where all are from 10 on, four from 0.1 on, else six."""
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    least = min(sizes, default=1.0)
    return 2 if least >= 10 else 4 if least >= 0.1 else 6


def rounded(value: float, decimals: int) -> str:
    """Return a number with some decimals; one that would become zero, or is very large, as a power of ten."""
    size = abs(value)
    if not math.isfinite(value) or size >= 1e15 or 0 < size < 0.5 * 10.0**-decimals:
        return f"{value:.4g}"
    return _unsigned_zero(f"{value:.{decimals}f}")


def price_decimals(price: float) -> int:
    """Return how many decimals a price needs: two from 10 on, four below, and four digits after the zeros of one below 1."""
    if price >= 10:
        return 2
    return 4 if price >= 1 else min(12, 3 - math.floor(math.log10(price)))


def price_text(price: float, like: float | None = None) -> str:
    """Return a price with separators, with the decimals of another price where one is given: 1,234.50."""
    return f"{price:,.{price_decimals(price if like is None else like)}f}"


def percent(value: float, decimals: int = 1, *, signed: bool = False) -> str:
    """Return a share as percent without the sign %: 0.0312 is 3.1, signed +3.1."""
    text = _unsigned_zero(f"{100 * value:.{decimals}f}")
    return f"+{text}" if signed and float(text) > 0 else text


def basis_points(value: float) -> str:
    """Return a log return in basis points: 0.00882 is 88.2."""
    return _unsigned_zero(f"{10_000 * value:.1f}")


def p_value(value: float) -> str:
    """Return a p-value with three decimals; one that would round to zero is `< 0.001`."""
    return f"< {LEAST_P}" if value < LEAST_P else f"{value:.3f}"


def p_text(value: float) -> str:
    """Return a p-value with its letter, for a sentence: p = 0.032, p < 0.001."""
    text = p_value(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def bytes_text(size: float) -> str:
    """Return a number of bytes in its largest decimal unit, with one decimal: 1.2 GB, 340.0 kB, 12 bytes."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} bytes"


def _unsigned_zero(text: str) -> str:
    """Return the text of a number, without the minus of one that was rounded to zero."""
    return text.removeprefix("-") if float(text) == 0 else text
