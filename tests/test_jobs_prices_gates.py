"""The gates over a series: what is admitted, and what is quarantined until when.

Thresholds on one move are in test_jobs_prices_moves. Here the moves are clear ones: 100 times, or a halved price.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.price_builders import CALM, after_calm, bars_of_moves, outcomes, with_value
from tickercast.jobs.prices.gates import apply_gates
from tickercast.jobs.prices.sources.sample import SampleSource

HUNDRED = np.log(100.0)
BARS = bars_of_moves(*CALM)
SESSIONS = BARS.session.tolist()


# --- admitted ---


@pytest.mark.parametrize("ticker", SampleSource().tickers())
def test_thirteen_clean_years_are_admitted_crashes_included(ticker: str) -> None:
    bars = SampleSource().fetch(ticker, None).bars
    judgement = apply_gates(None, bars)
    assert (judgement.verdicts, len(judgement.admitted)) == ([], len(bars))


def test_no_bars_have_no_verdicts() -> None:
    judgement = apply_gates(BARS, BARS.select(slice(0, 0)))
    assert (judgement.verdicts, len(judgement.admitted)) == ([], 0)


def test_bars_are_admitted_in_session_order_also_between_stored_ones() -> None:
    stored, incoming = BARS.select(np.arange(0, 41, 2)), BARS.select(np.arange(1, 41, 2))
    judgement = apply_gates(stored, incoming)
    assert judgement.verdicts == []
    assert judgement.admitted.session.tolist() == incoming.session.tolist()
    assert judgement.admitted.close.tolist() == incoming.close.tolist()


def test_an_empty_store_is_as_good_as_none() -> None:
    bars = after_calm(HUNDRED)
    assert outcomes(apply_gates(bars.select(slice(0, 0)), bars)) == outcomes(apply_gates(None, bars))


# --- quarantined until the price comes back ---


def test_a_jump_quarantines_its_bar_and_those_at_its_level() -> None:
    bars = after_calm(HUNDRED, 0.01, -0.01)
    judgement = apply_gates(None, bars)
    days = bars.session.tolist()
    assert outcomes(judgement) == [(days[i], "held", "hundredfold") for i in (41, 42, 43)]
    assert judgement.admitted.session.tolist() == SESSIONS


def test_the_second_bar_of_a_history_is_judged_and_the_first_has_nothing_to_be_compared_with() -> None:
    bars = bars_of_moves(HUNDRED, 0.01)
    days = bars.session.tolist()
    assert outcomes(apply_gates(None, bars)) == [(days[1], "held", "hundredfold"), (days[2], "held", "hundredfold")]


def test_a_quarantined_bar_is_kept_with_its_verdict() -> None:
    bars = after_calm(HUNDRED, 0.01)
    kept = [verdict.bars for verdict in apply_gates(None, bars).verdicts]
    assert [(b.session.tolist(), b.close.tolist()) for b in kept if b is not None] == [
        ([bars.session[i].item()], [bars.close[i]]) for i in (41, 42)
    ]


def test_bars_are_refused_once_the_price_is_back_and_later_ones_admitted() -> None:
    bars = after_calm(HUNDRED, 0.01, -HUNDRED, 0.01)
    judgement = apply_gates(None, bars)
    days = bars.session.tolist()
    assert outcomes(judgement) == [(days[i], "refused", "hundredfold") for i in (41, 42)]
    assert judgement.admitted.session.tolist() == [*SESSIONS, days[43], days[44]]


def test_messages_name_the_first_bar_of_the_level_and_the_way_back() -> None:
    message = "the close is 100 times the one before, as when pence are read as pounds"
    held = apply_gates(None, after_calm(HUNDRED, 0.01)).verdicts
    assert [v.message for v in held] == [message, f"at the level of 2024-02-11, which is held: {message}"]
    back = f"{message}; the price came back on 2024-02-13"
    refused = apply_gates(None, after_calm(HUNDRED, 0.01, -HUNDRED)).verdicts
    assert [v.message for v in refused] == [back, f"at the level of 2024-02-11, which is refused: {back}"]


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        # A quarter of log(100) is 1.151: so near to the old level the price has come back.
        ((HUNDRED, -HUNDRED + 1.150), "refused"), ((HUNDRED, -HUNDRED + 1.153), "held"),
        ((HUNDRED, -HUNDRED - 1.150), "refused"), ((HUNDRED, -HUNDRED - 1.153), "held"),
        ((-HUNDRED, HUNDRED - 1.150), "refused"), ((-HUNDRED, HUNDRED - 1.153), "held"),
        # In two steps, neither of which is enough alone.
        ((HUNDRED, -2.0, -2.0), "refused"), ((HUNDRED, -2.0, 2.0), "held"),
        # Moves below 0.35 do not count, however many there are.
        ((HUNDRED, *(-0.34,) * 14), "held"), ((HUNDRED, *(-0.36,) * 14), "refused"),
    ],
)  # fmt: skip
def test_the_price_is_back_within_a_quarter_of_the_jump(moves: tuple[float, ...], state: str) -> None:
    assert apply_gates(None, after_calm(*moves)).verdicts[0].state == state


def test_the_move_back_is_not_judged_but_the_next_jump_is() -> None:
    bars = after_calm(HUNDRED, -HUNDRED, HUNDRED)
    days = bars.session.tolist()
    assert outcomes(apply_gates(None, bars)) == [
        (days[41], "refused", "hundredfold"), (days[43], "held", "hundredfold")
    ]  # fmt: skip


def test_a_halved_price_is_quarantined_and_one_halved_at_a_reported_split_is_not() -> None:
    bars = after_calm(-np.log(2.0))
    assert [v.code for v in apply_gates(None, bars).verdicts] == ["split not told"]
    assert apply_gates(None, with_value(bars, "split", 41, 2.0)).verdicts == []


def test_a_dividend_without_a_fall_quarantines_its_bar_alone() -> None:
    bars = with_value(after_calm(0.01, 0.01), "dividend", 41, 20.0)
    judgement = apply_gates(None, bars)
    assert outcomes(judgement) == [(bars.session[41].item(), "held", "dividend too large")]
    assert judgement.verdicts[0].message.startswith("a dividend of 20, 20.0% of the price")
    assert judgement.verdicts[0].bars is not None
    assert judgement.verdicts[0].bars.dividend.tolist() == [20.0]
    assert judgement.admitted.session.tolist() == [*SESSIONS, bars.session[42].item()]


def test_a_bar_with_a_jump_and_a_dividend_has_one_verdict() -> None:
    bars = with_value(after_calm(HUNDRED), "dividend", 41, 20.0)
    assert [v.code for v in apply_gates(None, bars).verdicts] == ["hundredfold"]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([0.01, -0.012, 0.004, 4.6, -4.6, 0.69, -0.69, 2.5]), min_size=25, max_size=60),
    st.integers(1, 24),
)
def test_what_is_admitted_does_not_depend_on_later_bars(moves: list[float], cut: int) -> None:
    bars = bars_of_moves(*CALM[:10], *moves)
    part = bars.select(slice(0, len(bars) - cut))
    whole = apply_gates(None, bars).admitted.session
    assert apply_gates(None, part).admitted.session.tolist() == whole[whole <= part.session[-1]].tolist()
