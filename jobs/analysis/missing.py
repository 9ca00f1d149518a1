"""Why an answer is empty, and the command that fills it: no ticker, no forecast yet, no score yet, or a filter that fits nothing.

Each function returns a line for people, empty where nothing is missing. They are called for tables alone, after the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tickercast.jobs.exchanges.symbols import parse_symbol
from tickercast.jobs.scoring.terms import ALL_MODES, ALL_TICKERS
from tickercast.jobs.terminal.text import counted, first_names
from tickercast.storage.address import Database
from tickercast.storage.reader import select_rows, snapshot

NO_TICKERS = "no tickers yet; `tickercast track MSFT` follows one, `tickercast backfill MSFT` forecasts its past"
MOST_NAMED = 3  # tickers in a command to copy
TICKERS = "SELECT ticker, tracked, last_bar, last_origin, last_error, held_bars FROM freshness ORDER BY ticker"
SCORED = "SELECT DISTINCT mode, horizon FROM skill WHERE ticker = ? ORDER BY mode, horizon"
FIRST_TARGET = """SELECT min(f.target) FROM forecasts f JOIN origins o ON o.id = f.origin_id JOIN tickers t ON t.id = o.ticker_id
WHERE ? IN (t.symbol, '*')"""


def without_forecasts(
    database: Database, shown: Collection[str], wanted: Sequence[str] | None = None, horizon: int | None = None
) -> str:
    """Return which tickers have no row among the newest forecasts, and what to do.

    shown: the tickers that have one. wanted: those that were asked for; None or none = the tracked ones. horizon: see forecast.
    """
    with snapshot(database) as connection:
        stored = select_rows(connection, TICKERS).records()
    if not stored:
        return NO_TICKERS
    named = {parse_symbol(ticker) for ticker in wanted or []}
    tracked = [row for row in stored if row["tracked"]]
    asked = [row for row in stored if row["ticker"] in named] if named else tracked or ([] if shown else stored)
    missing = [row for row in asked if row["ticker"] not in shown]
    if not missing:
        return ""
    if horizon not in (None, 1) and any(row["last_origin"] for row in missing):
        of = _of(missing, stored) if shown else ""
        return f"no forecasts {counted(horizon or 1, 'session')} ahead{of}; --all-horizons shows what there is"
    return f"no forecasts yet{_of(missing, stored)}; {_cure(missing, is_all=len(missing) == len(tracked))}"


def _of(missing: Sequence[dict[str, Any]], stored: Sequence[dict[str, Any]]) -> str:
    return "" if len(missing) == len(stored) else f" of {first_names([row['ticker'] for row in missing])}"


def _cure(missing: Sequence[dict[str, Any]], *, is_all: bool) -> str:
    """Return what makes forecasts of some tickers: what the first of them is known to need, else a backfill."""
    first = missing[0]
    if first["held_bars"]:
        return f"{first['ticker']} has quarantined bars: `tickercast release {first['ticker']}` or `refuse` decides"
    if first["last_error"]:
        return f"`tickercast status {first['ticker']}` says why"
    names = "" if is_all or len(missing) > MOST_NAMED else " ".join(["", *(row["ticker"] for row in missing)])
    if all(row["tracked"] for row in missing):
        return f"`tickercast backfill{names}` makes those of the last year's sessions, `tickercast run` the newest"
    return f"`tickercast backfill{names or ' TICKER'}` makes those of the last year's sessions"


def without_scores(database: Database, wanted: Sequence[str] | None, mode: str | None, horizon: int | None) -> str:
    """Return why there is no skill to show of some tickers (none = all together), a mode and a horizon (None = any)."""
    ticker = parse_symbol(wanted[0]) if wanted else ALL_TICKERS
    with snapshot(database) as connection:
        scored = select_rows(connection, SCORED, [ticker]).rows
        first_target = select_rows(connection, FIRST_TARGET, [ticker]).rows[0][0]
    of = f" of {ticker}" if wanted else ""
    if scored:
        modes = ", ".join(sorted({row[0] for row in scored} - {ALL_MODES}))
        horizons = f"{min(row[1] for row in scored)} to {max(row[1] for row in scored)}"
        which = (f" of mode {mode}" if mode else "") + (f" {counted(horizon, 'session')} ahead" if horizon else "")
        return f"no scores{of}{which}; there are some of mode {modes}, {horizons} sessions ahead"
    if first_target is None:
        return without_forecasts(database, (), wanted)
    rule = "a forecast is scored once a later session than its target is stored, which `tickercast run` does"
    return f"no scores{of} yet: the first forecasts are for {first_target}, and {rule}"


def without_rows(database: Database) -> str:
    """Return why a query may have found nothing."""
    with snapshot(database) as connection:
        is_empty = not select_rows(connection, "SELECT 1 FROM origins LIMIT 1").rows
    if is_empty and (reason := without_forecasts(database, ())):
        return f"no rows: {reason}"
    return "no rows fit the query; `tickercast sql --list` shows the views and what is in them"
