"""Skill against the baseline: means, Diebold-Mariano, Benjamini-Hochberg and the verdict in words, by ticker and horizon.

Derived from `scores` after each writing run; `*` stands for all tickers, averaged by target date first, since tickers move
together and their errors on one date are not independent evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn.scores import benjamini_hochberg, diebold_mariano

Row = dict[str, Any]
ALPHA = 0.05
FEWEST_SCORES = 60
MEANS = ("abs_error", "baseline_abs_error", "crps", "baseline_crps", "inside_50", "inside_80", "inside_90")


def skill_rows(scored: Sequence[Row]) -> list[Row]:
    """Return one row a ticker, horizon and mode, and one of all tickers (ticker_id None).

    scored: rows with ticker_id, horizon, mode, target, location, realised_return and the columns in MEANS.
    p_adjusted is over tickers x horizons within a mode; fewer than 60 scores are never distinguishable.
    """
    groups: dict[tuple[int | None, int, str], list[Row]] = defaultdict(list)
    for row in scored:
        groups[(row["ticker_id"], row["horizon"], row["mode"])].append(row)
        groups[(None, row["horizon"], row["mode"])].append(row)
    rows = [_summary(key, members) for key, members in groups.items()]
    for mode in sorted({row["mode"] for row in rows}):
        _adjust([row for row in rows if row["mode"] == mode and row["ticker_id"] is not None])
        _adjust([row for row in rows if row["mode"] == mode and row["ticker_id"] is None])
    for row in rows:
        row["verdict"] = verdict_of(row)
    return rows


def verdict_of(row: Row) -> str:
    """Return `better`, `worse` or `not distinguishable` from the baseline."""
    if row["n"] < FEWEST_SCORES or row["p_adjusted"] is None or row["p_adjusted"] > ALPHA:
        return "not distinguishable"
    return "better" if row["crps"] < row["baseline_crps"] else "worse"


def _summary(key: tuple[int | None, int, str], members: list[Row]) -> Row:
    ticker_id, horizon, mode = key
    members.sort(key=lambda row: (row["target"], row["ticker_id"]))
    mean = {name: float(np.mean([row[name] for row in members])) for name in MEANS}
    statistic, p_value = _test(members, horizon)
    moved = [row for row in members if row["location"] != 0 and row["realised_return"] != 0]
    hits = [(row["location"] > 0) == (row["realised_return"] > 0) for row in moved]
    return {
        "ticker_id": ticker_id,
        "horizon": horizon,
        "mode": mode,
        "n": len({row["target"] for row in members}) if ticker_id is None else len(members),
        "first_target": members[0]["target"],
        "last_target": members[-1]["target"],
        "mae": mean["abs_error"],
        "baseline_mae": mean["baseline_abs_error"],
        "crps": mean["crps"],
        "baseline_crps": mean["baseline_crps"],
        "crps_skill": 1 - mean["crps"] / mean["baseline_crps"] if mean["baseline_crps"] else 0.0,
        "coverage_50": mean["inside_50"],
        "coverage_80": mean["inside_80"],
        "coverage_90": mean["inside_90"],
        "hit_rate": float(np.mean(hits)) if hits else None,
        "dm_statistic": statistic,
        "p_value": p_value,
        "p_adjusted": None,
    }


def _test(members: list[Row], horizon: int) -> tuple[float | None, float | None]:
    ours, baseline = _by_date(members, "crps"), _by_date(members, "baseline_crps")
    if len(ours) <= horizon + 1:
        return None, None
    statistic, p_value = diebold_mariano(ours, baseline, horizon)
    return (float(statistic), float(p_value)) if np.isfinite(statistic) else (None, None)


def _by_date(members: list[Row], name: str) -> NDArray[np.float64]:
    by_date: dict[Any, list[float]] = defaultdict(list)
    for row in members:
        by_date[row["target"]].append(row[name])
    return np.array([np.mean(values) for values in by_date.values()])


def _adjust(rows: list[Row]) -> None:
    tested = [row for row in rows if row["p_value"] is not None]
    if not tested:
        return
    for row, p in zip(tested, benjamini_hochberg(np.array([row["p_value"] for row in tested])), strict=True):
        row["p_adjusted"] = float(p)
