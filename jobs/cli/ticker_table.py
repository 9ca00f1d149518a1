"""The table of `tickers`: what is stored of each, and its last error on one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tickercast.jobs.analysis.missing import NO_TICKERS
from tickercast.jobs.cli.status_table import WHOLE_ERRORS
from tickercast.jobs.terminal.tables import Table, TableColumn

COLUMNS = (
    TableColumn("ticker"),
    TableColumn("tracked"),
    TableColumn("status"),
    TableColumn("kind"),
    TableColumn("source"),
    TableColumn("exchange", rank=1),
    TableColumn("currency", rank=2),
    TableColumn("price basis", rank=3),
    TableColumn("last error", "line"),
)


def ticker_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of the stored tickers."""
    names = ("status", "kind", "source", "exchange", "currency", "price_basis", "last_error")
    cells = [[row["ticker"], "yes" if row["tracked"] else "no", *(str(row[name] or "") for name in names)] for row in rows]
    if not rows:
        return Table(COLUMNS, [], (NO_TICKERS,))
    return Table(COLUMNS, cells, hints=(WHOLE_ERRORS,) if any(row["last_error"] for row in rows) else ())
