"""The table of `forecast`: one row a ticker and horizon, in prices and percent, with the width against the ticker's own year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tickercast.jobs.terminal.figures import percent, price_decimals
from tickercast.jobs.terminal.tables import Table, TableColumn
from tickercast.jobs.terminal.text import counted

AHEAD = TableColumn("ahead", "number")
COLUMNS = (
    TableColumn("ticker"),
    TableColumn("target", rank=1),
    AHEAD,
    TableColumn("last price", "number"),
    TableColumn("median", "number", rank=4),
    TableColumn("5-95 % range", "number"),
    TableColumn("in percent", "number"),
    TableColumn("width", "number", rank=3),
    TableColumn("mode", rank=5),
    TableColumn("behind", "number", rank=2),
)

Record = Mapping[str, Any]


def forecast_table(
    rows: Sequence[Record], usual_widths: Mapping[tuple[str, int], float], horizon: int | None, missing: str = ""
) -> Table:
    """Return the table of rows of latest_forecast, which are all of one horizon or of all of them (None).

    usual_widths: by ticker and horizon, the width in percent that is usual for the ticker; rows without one show none.
    missing: which tickers have no row, and what to do.
    """
    cells = [_cells(row, usual_widths.get((row["ticker"], row["horizon"]))) for row in rows]
    notes = (missing,) if missing else ()
    if horizon is None:
        return Table(COLUMNS, cells, notes)
    ahead = f"{counted(horizon, 'session')} ahead"
    modes = ", ".join(sorted({row["mode"] for row in rows}))
    hint = f"{ahead}, mode {modes}; --horizon N and --all-horizons show others"
    others = [i for i, column in enumerate(COLUMNS) if column is not AHEAD]
    return Table([COLUMNS[i] for i in others], [[row[i] for i in others] for row in cells], notes, hints=(hint,) if rows else ())


def _cells(row: Record, usual_width: float | None) -> list[str]:
    last, decimals = row["last_price"], price_decimals(row["last_price"])
    low, median, high = (f"{row[name]:.{decimals}f}" for name in ("q05", "q50", "q95"))
    moves = [percent(row[name] / last - 1, signed=True) for name in ("q05", "q95")]
    return [
        row["ticker"],
        row["target"],
        str(row["horizon"]),
        f"{last:.{decimals}f} {row['currency'] or ''}".rstrip(),
        median,
        f"{low} to {high}",
        " to ".join(moves),
        f"{row['width_percent'] / usual_width:.1f}x" if usual_width else "",
        row["mode"],
        str(row["sessions_behind"]),
    ]
