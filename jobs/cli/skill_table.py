"""The table of `skill`: all tickers together first, then each ticker, with scores in basis points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tickercast.jobs.errors import UsageError
from tickercast.jobs.scoring.terms import ALL_MODES, ALL_TICKERS
from tickercast.jobs.terminal.figures import basis_points, p_value, percent
from tickercast.jobs.terminal.tables import Table, TableColumn
from tickercast.jobs.terminal.text import counted, printable
from tickercast.storage.reader import view_named

COLUMNS = (
    TableColumn("ticker"),
    TableColumn("ahead", "number"),
    TableColumn("mode"),
    TableColumn("n", "number"),
    TableColumn("CRPS bp", "number"),
    TableColumn("walk bp", "number", rank=1),
    TableColumn("skill %", "number"),
    TableColumn("in 80 %", "number", rank=2),
    TableColumn("p", "number"),
    TableColumn("verdict"),
)
UNITS = "CRPS, and that of the random walk, in basis points of return: lower is better; *: all tickers"
BEST_FIRST = "crps_skill:desc"
DESCENDING = ":desc"

Record = Mapping[str, Any]


def skill_table(rows: Sequence[Record], *, horizon: int | None, mode: str | None, sort: str | None, limit: int | None) -> Table:
    """Return the table of rows of skill: the summary's modes and horizons, then the tickers' at one horizon and mode.

    horizon, mode: of the tickers' rows; None = all of them. sort, limit: see ordered.
    """
    of_tickers = (row for row in rows if row["ticker"] != ALL_TICKERS)
    single = [row for row in of_tickers if horizon in (None, row["horizon"]) and mode in (None, row["mode"])]
    shown = _distinct_modes([row for row in rows if row["ticker"] == ALL_TICKERS])
    shown += ordered(single if mode else _distinct_modes(single), sort, limit)
    if not shown:
        return Table(COLUMNS, [])
    which = [counted(horizon, "session") + " ahead"] if horizon else []
    which += [f"mode {'all' if mode == ALL_MODES else mode}"] if mode else []
    told = f"single tickers: {', '.join(which)}; --horizon N, --mode and TICKER show others"
    return Table(COLUMNS, [_cells(row) for row in shown], hints=(UNITS, told) if which else (UNITS,))


def ordered(rows: Sequence[Record], sort: str | None, limit: int | None) -> list[Record]:
    """Return the summary's rows as they are, and then the first rows of single tickers by a column.

    sort: a column of view skill, with `:desc` from the largest on; rows without a value stand last. None = as they are.
    limit: the most rows of single tickers; None = all.
    """
    summary, single = ([row for row in rows if (row["ticker"] == ALL_TICKERS) is wanted] for wanted in (True, False))
    if sort:
        column = sort.removesuffix(DESCENDING)
        known = [row for row in single if row[column] is not None]
        known.sort(key=lambda row: row[column], reverse=sort.endswith(DESCENDING))
        single = [*known, *(row for row in single if row[column] is None)]
    return [*summary, *single[:limit]]


def check_sort(sort: str) -> str:
    """Return the sort order of a command line. Raises UsageError for a column that view skill does not have."""
    names = view_named("skill").names
    column = sort.removesuffix(DESCENDING)
    if column not in names:
        raise UsageError(f"--sort: view skill has no column {printable(column[:40])!r}; it has {', '.join(names)}")
    return sort


def usual_mode(rows: Sequence[Record]) -> str:
    """Return the mode to show of single tickers: live where there are live scores, else the only one, else all together."""
    modes = {row["mode"] for row in rows if row["ticker"] != ALL_TICKERS} - {ALL_MODES}
    if "live" in modes:
        return "live"
    return modes.pop() if len(modes) == 1 else ALL_MODES


def _distinct_modes(rows: Sequence[Record]) -> list[Record]:
    """Return the rows without those of all modes together where there is only one mode."""
    one_mode = len({row["mode"] for row in rows} - {ALL_MODES}) == 1
    return [row for row in rows if not (one_mode and row["mode"] == ALL_MODES)]


def _cells(row: Record) -> list[str]:
    return [
        row["ticker"],
        str(row["horizon"]),
        "all" if row["mode"] == ALL_MODES else row["mode"],
        str(row["n"]),
        basis_points(row["crps"]),
        basis_points(row["baseline_crps"]),
        percent(row["crps_skill"], 2, signed=True),
        percent(row["coverage_80"]),
        "" if row["p_adjusted"] is None else p_value(row["p_adjusted"]),
        row["verdict"],
    ]
