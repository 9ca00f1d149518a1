"""How many digits of a number a cell shows, by the meaning of its column. CSV and JSON have the whole number.

Not here: how numbers look in general (jobs.terminal.figures).
"""

from __future__ import annotations

import re

from tickercast.jobs.terminal.figures import p_value, price_decimals, rounded

PRICES = re.compile(r"last_price|realised_price|q\d\d|open|high|low|close|dividend|(old|new)_value")
PERCENT = re.compile(r".*_percent")
P_VALUES = re.compile(r"p_value|p_adjusted")
SHARES = re.compile(r"coverage_\d\d|hit_rate|pit|pit_\d|inside_\d\d|dm_statistic|ratio|gain|.*_skill|seconds|.*_seconds")
COUNTS = re.compile(r"volume|rows|forecasts|forecasts_affected|bars|count\(\*\)")
SIGNIFICANT = 4


def cell_text(column: str, value: object) -> str | None:
    """Return the text of a number, None for what is none.

    A large count has separators, a price has its price's decimals, a percentage two and a share three, a p-value `< 0.001` at the
    least, and any other fraction four significant digits.
    """
    if isinstance(value, int):
        return f"{value:,}" if COUNTS.fullmatch(column) else str(value)
    if not isinstance(value, float):
        return None
    if PRICES.fullmatch(column):
        return rounded(value, price_decimals(abs(value)) if value else 2)
    if P_VALUES.fullmatch(column):
        return p_value(value)
    if PERCENT.fullmatch(column):
        return rounded(value, 2)
    if SHARES.fullmatch(column):
        return rounded(value, 3)
    return f"{value:.{SIGNIFICANT}g}" if abs(value) < 10**SIGNIFICANT else rounded(value, 1)
