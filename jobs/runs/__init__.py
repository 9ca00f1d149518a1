"""What is due, who computes it, and how it is committed: backlog, workers, the run's record, daily cycle, backfill, daemon.

Not here: how prices are checked (jobs.prices) or how a forecast is computed (jobs.forecasting)."""
