"""How good the forecasts were: distribution scores, significance tests, and skill against the baseline.

Not here: what a forecast is made of, or other models to compare with (jobs.analysis)."""
