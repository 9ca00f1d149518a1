"""Bars in, rows out: inputs, the two models, the pooled prior, and a stack of tickers trained in lockstep.

Pure: no file, database, clock or screen, so that a worker process can run all of it.
Not here: which origins are due, or how rows are committed (jobs.runs)."""
