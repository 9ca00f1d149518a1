"""The reference of each exchange: the volatility index that forecasts of its tickers read as context."""

from __future__ import annotations

REFERENCES = {"XNYS": "^VIX"}


def reference_of(exchange: str) -> str | None:
    """Return the symbol of an exchange's volatility index, None where it has none."""
    return REFERENCES.get(exchange)
