"""The table of `bars`: the last ones, unless the command says how many, with dividends and splits only where there are any."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from tickercast.jobs.terminal.figures import price_decimals, rounded
from tickercast.jobs.terminal.tables import Table, TableColumn
from tickercast.jobs.terminal.text import counted
from tickercast.storage.reader import Rows

SHOWN_BARS = 20
COLUMNS = (
    TableColumn("session"),
    TableColumn("open", "number", rank=3),
    TableColumn("high", "number"),
    TableColumn("low", "number"),
    TableColumn("close", "number"),
    TableColumn("volume", "number", rank=2),
    TableColumn("dividend", "number", rank=1),
    TableColumn("split", "number", rank=1),
    TableColumn("recorded_at", rank=5),
    TableColumn("source", rank=4),
)


def bar_table(found: Rows, tail: int | None, known: Rows | None = None) -> Table:
    """Return the table of the last bars: `tail` of them, or 20 with a note that says so. known: the bars of every session."""
    shown = Rows(found.columns, found.rows[-(tail or SHOWN_BARS) :]).records()
    if not shown:
        span = f"; the stored ones are from {known.rows[0][0]} to {known.rows[-1][0]}" if known and known.rows else ""
        return Table(COLUMNS, [], (f"no bars are stored for that span{span}",))
    decimals = max(price_decimals(row["close"]) for row in shown)
    cut = tail is None and len(found.rows) > SHOWN_BARS
    note = f"the last {SHOWN_BARS} of {counted(len(found.rows), 'bar')}; --tail N shows more, --format csv has all"
    return Table(COLUMNS, [_cells(row, decimals) for row in shown], (note,) if cut else ())


def _cells(row: dict[str, Any], decimals: int) -> list[str]:
    prices = [f"{row[name]:.{decimals}f}" for name in ("open", "high", "low", "close")]
    dividend = rounded(row["dividend"], 4) if row["dividend"] else ""
    split = f"{row['split']:g}" if row["split"] != 1 else ""
    return [row["session"], *prices, str(row["volume"]), dividend, split, row["recorded_at"], row["source"]]


def between(found: Rows, start: date | None, end: date | None) -> Rows:
    """Return the rows whose session, the first column, is in a span; None = open on that side."""
    first, last = start.isoformat() if start else "", end.isoformat() if end else "9999"
    return replace(found, rows=[row for row in found.rows if first <= row[0] <= last])
