"""Rows as the pages read them from the views: forecasts one session ahead with their outcomes, made by arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

FIRST = date(2024, 1, 1)


def outcome(day: int, *, mode: str = "backfill", inside: int = 1, pit: float = 0.5, **changes: Any) -> dict[str, Any]:
    """Return the outcome of a target so many days after 2024-01-01: last price 100, band 98 to 102, realised 101 or 103."""
    target = (FIRST + timedelta(day)).isoformat()
    return {
        "origin": (FIRST + timedelta(day - 1)).isoformat(), "target": target, "mode": mode, "state": "settled",
        "last_price": 100.0, "q05": 98.0, "q25": 99.0, "q50": 100.0, "q75": 101.0, "q95": 102.0, "realised_return": 0.01,
        "realised_price": 101.0 if inside else 103.0, "inside_50": 0, "inside_80": inside, "inside_90": inside, "crps": 0.009,
        "baseline_crps": 0.01, "pit": pit,
    } | changes  # fmt: skip


def outcomes(inside: Sequence[int], *, mode: str = "backfill", first: int = 0) -> list[dict[str, Any]]:
    """Return an outcome a day, inside the bands where the sequence has a 1."""
    return [outcome(first + day, mode=mode, inside=value) for day, value in enumerate(inside)]
