"""The table of `status`: how far each ticker is behind, and its last error on one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.terminal.tables import Table, TableColumn

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
NO_TICKERS = "no tickers yet; `tickercast track MSFT` follows one, `tickercast backfill MSFT` forecasts its past"
WHOLE_ERRORS = 'whole errors: `tickercast sql "SELECT ticker, last_error FROM freshness WHERE last_error IS NOT NULL"`'


def status_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of rows of freshness."""
    cells = [
        [
            row["ticker"],
            row["status"],
            "yes" if row["tracked"] else "no",
            row["last_bar"] or "",
            row["last_origin"] or "",
            "" if row["sessions_behind"] is None else str(row["sessions_behind"]),
            str(row["held_bars"]),
            row["last_error"] or "",
        ]
        for row in rows
    ]
    if not rows:
        return Table(COLUMNS, [], (NO_TICKERS,))
    return Table(COLUMNS, cells, hints=(WHOLE_ERRORS,) if any(row["last_error"] for row in rows) else ())
