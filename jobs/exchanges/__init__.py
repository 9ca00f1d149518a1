"""Which sessions exist: ticker symbols, the exchanges they name, and the exchanges' trading calendars.

Not here: prices, or which of the sessions a ticker has forecasts for.
"""
