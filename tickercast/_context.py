"""What forecasts read beside the bars, from frames: the volatility index of an exchange, and company events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tickercast._long_format import DAY, ID, as_pandas, days_of
from tickercast._panel import Context
from tickercast._series import Reading, Series, key_of
from tickercast.errors import ArgumentError
from tickercast.jobs.exchanges.references import REFERENCES
from tickercast.jobs.forecasting.context import Events, Reference

NEVER_RECORDED = np.datetime64("9999-01-01", "us")  # of an event that nobody recorded before it came
EVENT_NAMES = {"ticker": ID, "symbol": ID, "date": DAY}


def without_references(series: tuple[Series, ...]) -> tuple[tuple[Series, ...], tuple[Series, ...]]:
    """Return the tickers to forecast, and the volatility indices among them. An index alone is to forecast."""
    indices = tuple(each for each in series if each.key in REFERENCES.values())
    others = tuple(each for each in series if each.key not in REFERENCES.values())
    return (others, indices) if others else (series, ())


def context_of(indices: tuple[Series, ...], reading: Reading, volatility_index: Any, company_events: Any) -> Context:
    """Return the context that frames give. indices: those among the rows of prices. Raises ArgumentError for a bad frame."""
    if volatility_index is not None:
        table = as_pandas(volatility_index)
        if ID not in table:
            table = table.assign(**{ID: next(iter(REFERENCES.values()))})
        try:
            indices = reading.with_fewest(1).frame(table).series
        except ArgumentError as error:
            raise ArgumentError(f"volatility_index: {error}") from error
    known = {symbol: exchange for exchange, symbol in REFERENCES.items()}
    odd = [each.unique_id for each in indices if each.key not in known]
    if odd:
        raise ArgumentError(f"volatility_index: {odd[0]} is the index of no exchange; known are {', '.join(known)}")
    references = {known[each.key]: Reference(each.bars.session, each.bars.close) for each in indices}
    return Context(references, {} if company_events is None else _events(company_events))


def _events(frame: Any) -> dict[str, Events]:
    """Return companies' reports by key, from rows of unique_id (or ticker) and ds (or date), and optionally recorded_at."""
    table = as_pandas(frame)
    table = table.rename(columns={name: ours for name, ours in EVENT_NAMES.items() if ours not in table})
    missing = [name for name in (ID, DAY) if name not in table]
    if missing:
        raise ArgumentError(f"company_events: no column {', '.join(missing)}; it needs unique_id and ds, or ticker and date")
    days, _ = days_of(table[DAY], "company_events: ds")
    events = pd.DataFrame({"key": table[ID].map(key_of), "day": days.to_numpy("datetime64[D]"), "at": _recorded(table)})
    if "kind" in table:
        events = events[table["kind"].fillna("earnings").astype(str).str.lower().eq("earnings").to_numpy()]
    return {
        key: Events(rows["day"].to_numpy("datetime64[D]"), rows["at"].to_numpy("datetime64[us]"))
        for key, rows in events.groupby("key")
    }


def _recorded(table: pd.DataFrame) -> Any:
    """Return the instants (n,), UTC, at which events were recorded; far ahead where nobody noted it."""
    if "recorded_at" not in table:
        return np.full(len(table), NEVER_RECORDED)
    try:
        instants = pd.to_datetime(table["recorded_at"], utc=True).dt.tz_localize(None).to_numpy("datetime64[us]")
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"company_events: recorded_at has no instants like 2024-03-01T21:00:00Z: {error}") from error
    return np.where(np.isnat(instants), NEVER_RECORDED, instants)
