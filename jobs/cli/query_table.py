"""The table of `sql`: any columns and rows, and a hint where there are none."""

from __future__ import annotations

from tickercast.jobs.analysis.missing import without_rows
from tickercast.jobs.terminal.formats import distinct_names
from tickercast.jobs.terminal.tables import Table, table_of
from tickercast.storage.address import Database
from tickercast.storage.sql_guard import Selected


def query_table(database: Database, found: Selected) -> Table:
    """Return the table of a query's result."""
    rows = list(found.rows)
    return table_of(distinct_names(found.columns), rows, () if rows else (without_rows(database),))
