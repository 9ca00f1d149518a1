"""The table of `evaluate`: for each horizon, context and period a row per method, ours first."""

from __future__ import annotations

from collections.abc import Sequence

from tickercast.jobs.analysis.evaluation_table import EvaluationRow
from tickercast.jobs.analysis.periods import ALL
from tickercast.jobs.terminal.figures import p_value, percent
from tickercast.jobs.terminal.tables import Table, TableColumn

COLUMNS = (
    TableColumn("ahead", "number"),
    TableColumn("context", rank=3),
    TableColumn("period"),
    TableColumn("method"),
    TableColumn("n", "number", rank=2),
    TableColumn("CRPS %", "number"),
    TableColumn("ours / it", "number"),
    TableColumn("p", "number"),
    TableColumn("set p", "number"),
    TableColumn("in 80 %", "number", rank=1),
    TableColumn("better on %", "number", rank=4),
)
READING = (
    "ours / it: our CRPS over the method's, below 1 ours is better; p: of that difference (Diebold-Mariano)",
    "set p: above 0.05 the method cannot be told from the best (model confidence set); better on: share of tickers",
)


def evaluate_table(rows: Sequence[EvaluationRow]) -> Table:
    """Return the table without the rows that repeat others: of all contexts where there is one, of the only year."""
    contexts = {row.context for row in rows} - {ALL}
    years = {row.period for row in rows if row.period.isdecimal()}
    shown = [
        row
        for row in rows
        if not (len(contexts) == 1 and row.context == ALL) and not (len(years) == 1 and row.period.isdecimal())
    ]
    return Table(COLUMNS, [_cells(row) for row in shown], hints=READING)


def _cells(row: EvaluationRow) -> list[str]:
    return [
        str(row.horizon),
        row.context,
        row.period,
        row.method,
        str(row.n),
        f"{row.crps:.4f}",
        f"{row.ours_over_it:.4f}",
        "" if row.p_value is None else p_value(row.p_value),
        "" if row.mcs_p_value is None else p_value(row.mcs_p_value),
        "" if row.coverage_80 is None else percent(row.coverage_80),
        "" if row.ours_better_on is None else percent(row.ours_better_on, 0),
    ]
