"""Axes by session: bars and forecasts stand beside each other without gaps for weekends and holidays.

Each session is a category, so only a few of them get a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any

MOST_LABELS = 8
FEWEST_MONTHS = 3


def session_axis(days: Sequence[str], labelled: Sequence[str]) -> dict[str, Any]:
    """Return an axis of sessions, ISO dates in order, with a label such as 8 Mar at some of them."""
    texts = [short_day(day) for day in labelled]
    return {
        "type": "category", "categoryorder": "array", "categoryarray": list(days), "tickmode": "array",
        "tickvals": list(labelled), "ticktext": texts, "tickangle": 0, "showgrid": False, "range": [-0.5, len(days) - 0.5],
    }  # fmt: skip


def month_axis(days: Sequence[str]) -> dict[str, Any]:
    """Return an axis of sessions with a label such as Mar 2024 at the first session of some months; of a short span with days."""
    starts = [later for earlier, later in pairwise(days) if earlier[:7] != later[:7]]
    if len(starts) < FEWEST_MONTHS:
        return session_axis(days, days[:: -(-len(days) // MOST_LABELS)])
    step = -(-len(starts) // MOST_LABELS) or 1
    shown = starts[::step]
    return session_axis(days, shown) | {"ticktext": [f"{date.fromisoformat(day):%b %Y}" for day in shown], "showgrid": True}


def every_fifth(days: Sequence[str], anchor: str) -> list[str]:
    """Return each fifth day, counted from one of them in both directions."""
    start = list(days).index(anchor) % 5
    return list(days[start::5])


def short_day(day: str) -> str:
    """Return an ISO date as 8 Mar."""
    found = date.fromisoformat(day)
    return f"{found.day} {found:%b}"


def day_parts(day: str) -> tuple[str, str, str]:
    """Return an ISO date as its weekday, its day and its year: Fri, 8 Mar, 2024."""
    found = date.fromisoformat(day)
    return f"{found:%a}", short_day(day), str(found.year)


def long_day(day: str) -> str:
    """Return an ISO date as Fri 8 Mar 2024."""
    return " ".join(day_parts(day))


def titled(text: str) -> dict[str, Any]:
    """Return the title of an axis, no larger than its labels."""
    return {"title": {"text": text, "font": {"size": 13}}}
