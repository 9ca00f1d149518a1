"""Daily fetches through the gates admit the bars that one fetch of all admits, also through errors, splits and dividends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.price_builders import CALM, bars_of_moves, with_value
from tickercast.jobs.prices.answers import OVERLAP
from tickercast.jobs.prices.gates import apply_gates
from tickercast.jobs.prices.verdicts import QUARANTINED, REFUSED, Verdict
from tickercast.storage.bars import BarHistory, Bars, Listing, as_known, concatenate_bars, merge_bars

LISTING = Listing("T", "USD", "24/7", "UTC", "as_traded")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def fetched_daily(bars: Bars, first: int) -> Bars:
    """Return what is stored after a fetch of the bars up to `first`, and one more fetch for each later bar."""
    history: BarHistory | None = None
    decided: dict[object, Verdict] = {}
    for end in range(first, len(bars) + 1):
        incoming, stored = bars.select(slice(0, end)), as_known(history) if history else None
        refused = [v.bars for v in decided.values() if v.state == REFUSED and v.bars is not None]
        if stored is not None:
            held = [day for day, v in decided.items() if v.state == QUARANTINED]
            start = min([stored.session[-1].item(), *held]) - OVERLAP
            incoming = incoming.select(incoming.session >= np.datetime64(start))
        judgement = apply_gates(stored, incoming, concatenate_bars(refused) if refused else None)
        decided |= {verdict.session: verdict for verdict in judgement.verdicts}
        history = merge_bars(history, LISTING, judgement.admitted, recorded_at=NOON, source="test").history
        stored_days = set(as_known(history).session.tolist())
        for day in [day for day, v in decided.items() if v.state == QUARANTINED and day in stored_days]:
            decided[day] = replace(decided[day], state=REFUSED)
    assert history is not None
    return as_known(history)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.01, -0.012, 0.004, 4.6, -4.6, 0.69, -0.69, 2.5, -2.5, 0.36, -0.3]), min_size=8, max_size=40),
    st.lists(st.tuples(st.integers(41, 60), st.sampled_from([2.0, 0.5, 4.0])), max_size=2),
    st.lists(st.tuples(st.integers(41, 60), st.sampled_from([3.0, 30.0])), max_size=2),
)
def test_daily_fetches_admit_what_one_fetch_admits(
    moves: list[float], splits: list[tuple[int, float]], dividends: list[tuple[int, float]]
) -> None:
    bars = bars_of_moves(*CALM, *moves)
    for field, actions in (("split", splits), ("dividend", dividends)):
        for index, value in actions:
            bars = with_value(bars, field, min(index, len(bars) - 1), value)
    whole, daily = apply_gates(None, bars).admitted, fetched_daily(bars, 41)
    assert daily.session.tolist() == whole.session.tolist()
    assert daily.split.tolist() == whole.split.tolist()
    assert np.allclose(daily.dividend, whole.dividend)
