"""What scores, skill and risk are called in the record, and what a test of them needs.

It loads no library, so that pages and commands can read it. Not here: how a verdict follows from the scores (skill, risk).
"""

from __future__ import annotations

ALL_TICKERS = "*"  # the ticker of rows that hold for all tickers together
ALL_MODES = "*"  # the mode of rows that hold for the forecasts of all modes together
MODES = ("live", "catchup", "backfill")
NOT_DISTINGUISHABLE = "not distinguishable"
FEWEST_SCORES = 60  # fewer have no verdict

# What is summed of scores, by ticker and by target date.
LEVELS = (0.01, 0.05)  # of the value at risk
MEANS = ("abs_error", "baseline_abs_error", "crps", "baseline_crps", "inside_50", "inside_80", "inside_90")
# returns, shortfalls: realised and expected returns of exceedances. unknown: exceedances of forecasts without a mean.
OF_LEVEL = ("exceedances", "returns", "shortfalls", "unknown")
SUMMED = ("n", *MEANS, "moved", "hits", *(f"{name}_{i}" for i in range(len(LEVELS)) for name in OF_LEVEL))
WHOLE_BITS, FRACTION_BITS = 26, 34  # of a sum by date: its whole multiples of 2**-26, and the rest in 2**-60
