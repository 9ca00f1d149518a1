"""Recompute what a record derives from its own rows: quantiles from distributions, scores from outcomes and bars, their sums.

Not here: whether rows were changed since they were inserted (storage.digests), which this cannot tell from a wrong computation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.scoring.distributions import crps_student_t, student_t_cdf, student_t_quantiles
from tickercast.jobs.scoring.sums import wrong_sums
from tickercast.storage import digests
from tickercast.storage.database import Connection
from tickercast.storage.digests import RowsSeen, ignore_rows, seen_parts
from tickercast.storage.rows import QUANTILE_LEVELS

Floats = NDArray[np.float64]

CLOSE = 1e-9  # relative, or absolute below 1: another SciPy may differ in the last digits
OF_ORIGIN = "JOIN origins o ON o.id = f.origin_id"
DISTRIBUTION = "f.location, f.scale, f.dof"
QUANTILES = ", ".join(f"f.{name}" for name in QUANTILE_LEVELS)
FORECASTS = f"SELECT {DISTRIBUTION}, o.last_price, {QUANTILES} FROM forecasts f {OF_ORIGIN}"
OF_FORECAST = "f.origin_id = s.origin_id AND f.horizon = s.horizon"
SCORES = f"""SELECT {DISTRIBUTION}, f.baseline_location, f.baseline_scale, f.baseline_dof, o.last_price, s.realised_return,
    s.realised_price, s.crps, s.baseline_crps, s.pit
FROM scores s JOIN forecasts f ON {OF_FORECAST} {OF_ORIGIN}"""
# The newest revision of each score beside the return of the bars as known now. Tickers that are owed revisions are left out.
OUTCOMES = f"""SELECT s.realised_return, (
        SELECT sum(CASE o.field WHEN 'open' THEN b.adjusted_open_return ELSE b.adjusted_return END)
        FROM bars b WHERE b.ticker_id = o.ticker_id AND b.session > o.origin AND b.session <= f.target)
FROM scores s JOIN forecasts f ON {OF_FORECAST} {OF_ORIGIN}
WHERE NOT EXISTS (SELECT 1 FROM tickers t WHERE t.id = o.ticker_id AND t.rescore_from IS NOT NULL)
AND s.revision = (SELECT max(r.revision) FROM scores r WHERE r.origin_id = s.origin_id AND r.horizon = s.horizon)"""


def rows_to_compute(connection: Connection) -> int:
    """Return how many rows wrong_figures reads, about."""
    counts = digests.stored_counts(connection)
    return counts.get("forecasts", 0) + 2 * counts.get("scores", 0)


def wrong_figures(connection: Connection, seen: RowsSeen = ignore_rows) -> Iterator[str]:
    """Yield a line for each kind of stored figure that is not what the rows it is computed from give. seen: is told of rows."""
    quantiles = sum(_wrong_quantiles(rows) for rows in _parts(connection, FORECASTS, seen))
    if quantiles:
        yield f"forecasts whose quantiles are not those of their distribution: {quantiles}"
    scores = sum(_wrong_scores(rows) for rows in _parts(connection, SCORES, seen))
    if scores:
        yield f"scores that are not those of their forecast and outcome: {scores}"
    outcomes = sum(int((~_equal(rows[:, 0], rows[:, 1])).sum()) for rows in _parts(connection, OUTCOMES, seen))
    if outcomes:
        yield f"scores whose newest revision has another return than the stored bars: {outcomes}"
    for config_id in connection.exec_driver_sql("SELECT id FROM configs ORDER BY id").scalars().all():
        yield from wrong_sums(connection, config_id)


def _wrong_quantiles(rows: Floats) -> int:
    """Return how many forecasts have a wrong quantile. rows: (n, 4 + levels), location, scale, dof, last price, prices."""
    returns = student_t_quantiles(rows[:, 0], rows[:, 1], rows[:, 2], tuple(QUANTILE_LEVELS.values()))
    return int((~_equal(rows[:, 4:], rows[:, 3:4] * np.exp(returns)).all(axis=1)).sum())


def _wrong_scores(rows: Floats) -> int:
    """Return how many scores have a wrong figure. rows: (n, 12), in the order of the query."""
    ours, baseline, last_price, realised = rows[:, 0:3].T, rows[:, 3:6].T, rows[:, 6], rows[:, 7]
    expected = np.column_stack(
        [
            last_price * np.exp(realised),
            crps_student_t(realised, *ours),
            crps_student_t(realised, *baseline),
            np.clip(student_t_cdf(realised, *ours), 0.0, 1.0),
        ]
    )
    return int((~_equal(rows[:, 8:], expected).all(axis=1)).sum())


def _equal(stored: Floats, computed: Floats) -> NDArray[np.bool_]:
    """Return where two arrays have the same figures. A figure that cannot be computed (NaN) differs from every other."""
    return np.isclose(stored, computed, rtol=CLOSE, atol=CLOSE)


def _parts(connection: Connection, query: str, seen: RowsSeen) -> Iterator[Floats]:
    """Yield a query's rows as arrays (n, columns), NULL as NaN."""
    answer = connection.exec_driver_sql(query, execution_options={"stream_results": True})
    for rows in seen_parts(answer, seen):
        yield np.array([tuple(row) for row in rows], np.float64)  # NumPy reads None as NaN
