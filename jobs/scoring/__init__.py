"""How good the forecasts were: distribution scores, significance tests, and skill against the baseline.

Reading order: distributions, scores, significance, skill, updates. Not here: how a forecast is made, and other models to
compare with (jobs.analysis).
"""
