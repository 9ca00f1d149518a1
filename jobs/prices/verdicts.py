"""Verdicts of the gates: their states, their codes, and their rows in `gate_verdicts`.

Stored states: `refused`, `held` (the bar is quarantined until somebody decides) and `ok` (a note, or a released bar).
docs/prices.md has the same list of codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from tickercast.storage.bars import VALUE_FIELDS, Bars, make_bars

REFUSED, QUARANTINED, NOTED = "refused", "held", "ok"

VERDICT_CODES = {
    "null price": "refused: a price is missing or not finite; the newest bar without prices is requested again",
    "bad price": "refused: a price is zero, negative or absurd (beyond 1e12)",
    "incoherent": "refused: high below low, or open or close outside of low to high by more than 0.01 %",
    "bad volume": "refused: the volume is negative",
    "bad action": "refused: a dividend is negative, or a split is not positive",
    "duplicate": "refused: the session appears twice with different values (two equal rows count once)",
    "no session": "refused: the exchange's calendar has no such session",
    "future": "refused: a bar of a session that has not started",
    "hundredfold": "held: the price moves by a factor of 50 to 200, for example pence read as pounds",
    "jump": "held: a move by a factor of 5 or more without the range and volume of a crash, "
    "or an overnight gap by a factor of 1.73 or more on ordinary volume and range",
    "split not told": "held: the price moves as at a split, and the source reports none",
    "split not applied": "held: the source reports a split but has not adjusted the earlier prices",
    "dividend too large": "held: a dividend above 10 % of the price, and the price did not fall with it",
    "dividend twice": "held: a dividend like one in the 10 sessions before, and the price did not fall again",
    "rescaled": "held: three or all stored bars delivered again differ by one factor, so newer bars have another scale",
    "split told": "noted: a split that the source does not report, told with `release --split`",
    "dividend told": "noted: a dividend that the source does not report, told with `release --dividend`",
    "gap": "noted: sessions of the calendar without a bar, requested again once",
    "stale": "noted: 20 or more bars with the same price",
    "zero volume": "noted: 20 or more bars without volume, in a ticker that otherwise has volume",
    "shrunken": "noted: the source delivered far fewer bars than are stored; the stored ones stay",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's decision about one session. bars: the refused or quarantined bar (length 1), where there is one."""

    session: date
    state: str
    code: str
    message: str
    bars: Bars | None = None


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as a row of `gate_verdicts`, with the values of its bar, which a release stores."""
    values: dict[str, Any] = dict.fromkeys(VALUE_FIELDS)
    if verdict.bars is not None:
        values = {name: getattr(verdict.bars, name)[0].item() for name in VALUE_FIELDS}
    return {
        "session": verdict.session, "code": verdict.code, "state": verdict.state, "message": verdict.message,
        "decided_at": None, **values,
    }  # fmt: skip


def bars_of_verdicts(rows: Sequence[dict[str, Any]]) -> Bars:
    """Return the bars of some rows of `gate_verdicts` in session order. Of several rows of a session, the last counts."""
    unique = {row["session"]: row for row in rows}
    ordered = [unique[day] for day in sorted(unique)]
    values = {name: [row[name] for row in ordered] for name in VALUE_FIELDS}
    return make_bars(np.array([row["session"] for row in ordered], dtype="datetime64[D]"), values)
