"""From a source to stored bars and company events: requests, gates, quarantine, ticker status, and the tickers that are followed.

Not here: networks and forecasts. jobs.prices.sources has one module per kind of source."""
