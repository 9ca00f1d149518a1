"""The screen of `status`: the daemon, the tickers in one word each, the disk; below it how far each ticker is behind.

With many tickers only those are listed that need attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tickercast.jobs.analysis.missing import NO_TICKERS
from tickercast.jobs.clock import utc_minute
from tickercast.jobs.monitoring.check import WARNINGS, condition_counts, daemon_line
from tickercast.jobs.monitoring.state import BROKEN, Condition, HomeState, condition_of, since_of
from tickercast.jobs.terminal.figures import bytes_text
from tickercast.jobs.terminal.tables import Table, TableColumn
from tickercast.jobs.terminal.text import counted, first_names, printable
from tickercast.storage.monitoring import TickerFacts

COLUMNS = (
    TableColumn("ticker"),
    TableColumn("status"),
    TableColumn("tracked", rank=2),
    TableColumn("last bar", rank=1),
    TableColumn("last origin"),
    TableColumn("behind", "number"),
    TableColumn("held", "number", rank=3),
    TableColumn("last error", "line"),
)
MOST_LISTED = 30  # tickers; of more, only those that need attention are listed
LISTED: tuple[Condition, ...] = (*BROKEN, "suspended", "too short")
WHOLE_ERRORS = 'whole errors: `tickercast sql "SELECT ticker, last_error FROM freshness WHERE last_error IS NOT NULL"`'


def status_screen(state: HomeState, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the summary of a home with the table of its tickers. rows: all of view freshness."""
    lines = [
        ("daemon", daemon_line(state)),
        *_notice_lines(state),
        ("tickers", condition_counts(state)),
        *_attention_lines(state),
        ("disk", _disk_line(state)),
    ]
    heading = "\n".join(f"{name.ljust(12)}{text}" for name, text in lines) + "\n"
    if len(rows) <= MOST_LISTED:
        return replace(status_table(state, rows), heading=heading)
    wanted = {ticker.symbol for ticker in state.tickers if condition_of(ticker, state.now) in LISTED}
    listed = [row for row in rows if row["ticker"] in wanted]
    table = status_table(state, listed[:MOST_LISTED]) if listed else Table((TableColumn("ticker"),), [])
    more = f"{min(len(listed), MOST_LISTED)} of {len(rows)} tickers are listed; `tickercast status T...` shows others"
    return replace(table, heading=heading, notes=(*table.notes, more))


def _notice_lines(state: HomeState) -> list[tuple[str, str]]:
    """Return a line for lasting damage and one for failing backups: since when, and the notice, of several the first."""
    lines = []
    for kind in WARNINGS:
        if notices := state.lasting_of(kind):
            more = f"; {len(notices) - 1} more: `tickercast notices`" if len(notices) > 1 else ""
            since = utc_minute(min(notice.began_at for notice in notices))
            lines.append((kind, f"since {since}: {printable(notices[0].message)}{more}"))
    return lines


def _attention_lines(state: HomeState) -> list[tuple[str, str]]:
    """Return a line for each condition that needs attention, with its tickers and since when."""
    return [(condition, _attention(condition, tickers)) for condition in LISTED if (tickers := state.found(condition))]


def _attention(condition: Condition, tickers: Sequence[TickerFacts]) -> str:
    instants = [since for ticker in tickers if (since := since_of(ticker, condition))]
    text = first_names([ticker.symbol for ticker in tickers]) + (f", since {utc_minute(min(instants))}" if instants else "")
    if condition == "late":
        return f"{text}, up to {counted(max(ticker.missed for ticker in tickers), 'session')} behind"
    if condition == "quarantined":
        bars = counted(sum(ticker.held_bars for ticker in tickers), "bar")
        return f"{text}: {bars}; `tickercast release` or `refuse` decides"
    return text


def _disk_line(state: HomeState) -> str:
    """Return how much is free and how much the store takes; how fast it grows, where daily runs of some days tell it."""
    disk = state.disk
    growth = f", growing by {bytes_text(disk.growth)} a day" if disk.growth else ""
    short = f"; {state.disk_limit}" if state.is_disk_short else ""
    free = f"{bytes_text(disk.free)} of {bytes_text(disk.total)} free{short}"
    database = f"{bytes_text(disk.database)} on its server" if disk.on_server else bytes_text(disk.database)
    if disk.bucket:
        return f"{free}; database {database}, prices in {disk.bucket}{growth}"
    return f"{free}; store {bytes_text(disk.store)} (database {database}, prices {bytes_text(disk.prices)}){growth}"


def status_table(state: HomeState, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of rows of freshness, each with the condition of its ticker."""
    conditions = {ticker.symbol: condition_of(ticker, state.now) for ticker in state.tickers}
    # A gate that refuses the newest bar fails no run, so it leaves no error.
    refusals = {ticker.symbol: ticker.refusal for ticker in state.found("late") if ticker.refusal}
    cells = [
        [
            row["ticker"],
            conditions.get(row["ticker"], row["status"]),  # one that was renamed just now is not among them
            "yes" if row["tracked"] else "no",
            row["last_bar"] or "",
            row["last_origin"] or "",
            "" if row["sessions_behind"] is None else str(row["sessions_behind"]),
            str(row["held_bars"]),
            row["last_error"] or refusals.get(row["ticker"], ""),
        ]
        for row in rows
    ]
    if not rows:
        return Table(COLUMNS, [], (NO_TICKERS,))
    return Table(
        COLUMNS, cells, _beginning_notes(state, rows), hints=(WHOLE_ERRORS,) if any(row["last_error"] for row in rows) else ()
    )


def _beginning_notes(state: HomeState, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what to do for tracked tickers that have no bars yet, unless a daemon does it or an error is known."""
    new = [row["ticker"] for row in rows if row["tracked"] and row["last_bar"] is None and not row["last_error"]]
    if not new or state.is_alive:
        return ()
    return (f"no bars yet of {first_names(new)}; `tickercast run` fetches them, `tickercast backfill` also forecasts their past",)
