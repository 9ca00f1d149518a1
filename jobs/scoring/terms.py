"""What scores, skill and risk are called in the record, and what a test of them needs.

It loads no library, so that pages and commands can read it. Not here: how a verdict follows from the scores (skill, risk).
"""

from __future__ import annotations

ALL_TICKERS = "*"  # the ticker of rows that hold for all tickers together
ALL_MODES = "*"  # the mode of rows that hold for the forecasts of all modes together
MODES = ("live", "catchup", "backfill")
NOT_DISTINGUISHABLE = "not distinguishable"
FEWEST_SCORES = 60  # fewer have no verdict
