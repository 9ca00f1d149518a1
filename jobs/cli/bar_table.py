"""The table of `bars`: the last ones, unless the command says how many."""

from __future__ import annotations

from datetime import date

from jobs.terminal.tables import Table, table_of
from jobs.terminal.text import counted
from storage.reader import Rows

SHOWN_BARS = 20


def bar_table(found: Rows, tail: int | None) -> Table:
    """Return the table of the last bars: `tail` of them, or 20 with a note that says so."""
    shown = found.rows[-(tail or SHOWN_BARS) :]
    if not found.rows:
        return table_of(found.columns, [], ("no bars are stored for that span",))
    cut = tail is None and len(found.rows) > SHOWN_BARS
    note = f"the last {SHOWN_BARS} of {counted(len(found.rows), 'bar')}; --tail N shows more, --format csv has all"
    return table_of(found.columns, shown, (note,) if cut else ())


def between(found: Rows, start: date | None, end: date | None) -> Rows:
    """Return the rows whose session, the first column, is in a span; None = open on that side."""
    first, last = start.isoformat() if start else "", end.isoformat() if end else "9999"
    return Rows(found.columns, [row for row in found.rows if first <= row[0] <= last])
