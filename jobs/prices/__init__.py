"""From a source to stored bars: fetching, checks, quarantine, ticker status, and the tickers that are followed.

Not here: anything about networks or forecasts. The source adapters are in jobs.prices.sources."""
