"""How good the forecasts were: distribution scores, significance tests, skill against the baseline, and risk.

Reading order: distributions, scores, addends, ticker_sums, date_sums, significance, skill, exceedances, risk, sums, updates.
Not here: how a forecast is made, and other models to compare with (jobs.analysis).
"""
