"""Skill against the baseline: means, Diebold-Mariano, Benjamini-Hochberg and the verdict in words, by ticker and horizon.

Derived from `scores` after each writing run; `*` stands for all tickers, averaged by target date first, since tickers move
together and their errors on one date are not independent evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.scoring.significance import benjamini_hochberg, diebold_mariano
from storage.rows import SkillRow

Row = dict[str, Any]
Columns = Mapping[str, NDArray[Any]]
ALPHA = 0.05
FEWEST_SCORES = 60
MEANS = ("abs_error", "baseline_abs_error", "crps", "baseline_crps", "inside_50", "inside_80", "inside_90")


def skill_rows(scored: Columns) -> list[SkillRow]:
    """Return one row a ticker, horizon and mode, and one of all tickers (ticker_id None).

    scored: columns (n,) ticker_id, horizon, mode, target, location, realised_return and those in MEANS. p_adjusted is over
    tickers x horizons within a mode; fewer than 60 scores are never distinguishable.
    """
    rows = [_summary(*group) for group in _groups(scored)]
    for mode in sorted({row["mode"] for row in rows}):
        _adjust([row for row in rows if row["mode"] == mode and row["ticker_id"] is not None])
        _adjust([row for row in rows if row["mode"] == mode and row["ticker_id"] is None])
    return [SkillRow(**row, verdict=verdict_of(row)) for row in rows]


def verdict_of(row: Row) -> str:
    """Return `better`, `worse` or `not distinguishable` from the baseline."""
    if row["n"] < FEWEST_SCORES or row["p_adjusted"] is None or row["p_adjusted"] > ALPHA:
        return "not distinguishable"
    return "better" if row["crps"] < row["baseline_crps"] else "worse"


def _groups(scored: Columns) -> Iterator[tuple[int | None, int, str, dict[str, NDArray[Any]]]]:
    """Yield ticker (None for all), horizon, mode and the columns of each group, by target."""
    if not len(scored["horizon"]):
        return
    for by_ticker in (True, False):
        outer = ("ticker_id", "horizon", "mode") if by_ticker else ("horizon", "mode")
        inner = ("target",) if by_ticker else ("target", "ticker_id")
        order = np.lexsort([scored[name] for name in reversed((*outer, *inner))])
        keys = [scored[name][order] for name in outer]
        begins = np.flatnonzero(np.concatenate([[True], np.any([key[1:] != key[:-1] for key in keys], axis=0)]))
        for begin, end in zip(begins, [*begins[1:], len(order)], strict=True):
            members = {name: column[order[begin:end]] for name, column in scored.items()}
            ticker = int(members["ticker_id"][0]) if by_ticker else None
            yield ticker, int(members["horizon"][0]), str(members["mode"][0]), members


def _summary(ticker_id: int | None, horizon: int, mode: str, members: Columns) -> Row:
    mean = {name: float(members[name].mean()) for name in MEANS}
    targets = members["target"]
    statistic, p_value = _test(members, horizon)
    moved = (members["location"] != 0) & (members["realised_return"] != 0)
    hits = (members["location"] > 0)[moved] == (members["realised_return"] > 0)[moved]
    return {
        "ticker_id": ticker_id,
        "horizon": horizon,
        "mode": mode,
        "n": len(np.unique(targets)) if ticker_id is None else len(targets),
        "first_target": targets[0].item(),
        "last_target": targets[-1].item(),
        "mae": mean["abs_error"],
        "baseline_mae": mean["baseline_abs_error"],
        "crps": mean["crps"],
        "baseline_crps": mean["baseline_crps"],
        "crps_skill": 1 - mean["crps"] / mean["baseline_crps"] if mean["baseline_crps"] else 0.0,
        "coverage_50": mean["inside_50"],
        "coverage_80": mean["inside_80"],
        "coverage_90": mean["inside_90"],
        "hit_rate": float(hits.mean()) if len(hits) else None,
        "dm_statistic": statistic,
        "p_value": p_value,
        "p_adjusted": None,
    }


def _test(members: Columns, horizon: int) -> tuple[float | None, float | None]:
    ours, baseline = (_by_date(members["target"], members[name]) for name in ("crps", "baseline_crps"))
    if len(ours) <= horizon + 1:
        return None, None
    statistic, p_value = diebold_mariano(ours, baseline, horizon)
    return (float(statistic), float(p_value)) if np.isfinite(statistic) else (None, None)


def _by_date(targets: NDArray[Any], values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of each target date's values; both in the order of the targets."""
    begins = np.flatnonzero(np.concatenate([[True], targets[1:] != targets[:-1]]))
    counts = np.diff([*begins, len(targets)])
    return np.asarray(np.add.reduceat(values, begins) / counts, np.float64)


def _adjust(rows: list[Row]) -> None:
    tested = [row for row in rows if row["p_value"] is not None]
    if not tested:
        return
    for row, p in zip(tested, benjamini_hochberg(np.array([row["p_value"] for row in tested])), strict=True):
        row["p_adjusted"] = float(p)
