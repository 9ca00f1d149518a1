"""Levels: a crash is never refused as an error that came back, an error still is, and no admitted bar hides a jump."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.price_builders import CALM, after_calm, bars_of_closes, bars_of_moves, outcomes, times, with_value, without
from tickercast.jobs.forecasting.inputs import history_of
from tickercast.jobs.prices.gates import apply_gates
from tickercast.jobs.prices.moves import JUMP
from tickercast.storage.bars import Bars, log_returns

HUNDRED = np.log(100.0)
SPLIT_LIKE_CRASH = -np.log(8.0)


def traded(bars: Bars, index: int, *, width: float = 0.3, volume: int = 20_000) -> Bars:
    """Return bars of which one has a wide range and a large volume."""
    bars = with_value(with_value(bars, "high", index, bars.close[index] * (1 + width)), "volume", index, volume)
    return with_value(bars, "low", index, bars.close[index] * (1 - width))


# --- a crash ---


def test_a_crash_that_slides_on_for_years_stays_one_quarantine() -> None:
    # 3260 to 252 on one day, then down to 16 in four years, on which some days rise by half.
    slide = ([-0.0131] * 40 + [0.4]) * 22
    bars = after_calm(np.log(252 / 3260), *slide)
    judgement = apply_gates(None, bars)
    assert {(v.state, v.code) for v in judgement.verdicts} == {("held", "jump")}
    assert len(judgement.verdicts) == len(slide) + 1
    assert len({v.message.split(": ")[-1] for v in judgement.verdicts}) == 1


def test_a_crash_that_recovers_step_by_step_is_not_refused() -> None:
    bars = after_calm(SPLIT_LIKE_CRASH, *(0.02,) * 104, 0.36, 0.01)
    assert {v.state for v in apply_gates(None, bars).verdicts} == {"held"}


@settings(max_examples=150, deadline=None)
@given(st.floats(1.7, 4.0), st.lists(st.floats(-0.6, 0.6), min_size=1, max_size=80))
def test_no_bar_of_a_crash_is_refused_as_long_as_the_price_stays_away(fall: float, moves: list[float]) -> None:
    path: list[float] = []
    level = -fall
    for move in moves:  # a step that would come within a quarter of the jump is taken the other way
        level += move if level + move < -fall / 4 else -abs(move)
        path.append(level)
    steps = np.diff([0.0, -fall, *path]).tolist()
    assert [v.state for v in apply_gates(None, after_calm(*steps)).verdicts if v.state == "refused"] == []


@settings(max_examples=100, deadline=None)
@given(st.floats(0.6, 4.0), st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=80))
def test_no_bar_is_refused_where_no_far_move_leads_back(fall: float, moves: list[float]) -> None:
    assert [v.state for v in apply_gates(None, after_calm(-fall, *moves)).verdicts if v.state == "refused"] == []


@pytest.mark.parametrize("move", [-np.log(6.6), -np.log(33.0), np.log(6.6)])
def test_a_crash_or_a_takeover_on_a_wide_range_and_a_large_volume_is_admitted(move: float) -> None:
    bars = traded(after_calm(move, 0.01), 41)
    assert apply_gates(None, bars).verdicts == []


@pytest.mark.parametrize(("width", "volume"), [(0.3, 5000), (0.02, 20_000)], ids=["ordinary volume", "narrow range"])
def test_range_and_volume_must_both_tell_a_crash(width: float, volume: int) -> None:
    bars = traded(after_calm(-np.log(6.6)), 41, width=width, volume=volume)
    assert [v.code for v in apply_gates(None, bars).verdicts] == ["jump"]


@pytest.mark.parametrize(("volume", "count"), [(39_990, 1), (40_010, 0)])
def test_a_crash_that_is_like_a_split_needs_the_volume_of_that_many_more_shares(volume: int, count: int) -> None:
    # 8:1: eight times the shares, and five times that many.
    bars = traded(after_calm(SPLIT_LIKE_CRASH), 41, volume=volume)
    assert len(apply_gates(None, bars).verdicts) == count


def test_a_hundredfold_price_is_quarantined_whatever_its_range_and_volume() -> None:
    assert [v.code for v in apply_gates(None, traded(after_calm(HUNDRED), 41)).verdicts] == ["hundredfold"]


# --- an error, and the bar after it ---


def test_an_error_of_months_in_which_the_price_drifts_is_refused_once_the_price_is_back() -> None:
    bars = after_calm(HUNDRED, *(-0.01,) * 60, -HUNDRED, 0.01)
    judgement = apply_gates(None, bars)
    assert {v.state for v in judgement.verdicts} == {"refused"}
    assert len(judgement.verdicts) == 61
    assert judgement.admitted.session[-2:].tolist() == bars.session[-2:].tolist()


def test_a_price_that_comes_back_far_away_from_the_last_admitted_one_is_quarantined_again() -> None:
    # A quarter of log(10^4) is 2.3, so the price is back at 2.2; but from the last stored bar that is a jump.
    bars = after_calm(2 * HUNDRED, -2 * HUNDRED + 2.2, 0.01)
    days = bars.session.tolist()
    assert outcomes(apply_gates(None, bars)) == [
        (days[41], "refused", "jump"), (days[42], "held", "jump"), (days[43], "held", "jump")
    ]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([0.01, -0.3, 0.3, 0.5, -0.5, 4.6, -4.6, 2.0, -2.0]), min_size=5, max_size=60))
def test_no_admitted_bar_carries_a_jump_over_the_bars_left_out_before_it(moves: list[float]) -> None:
    admitted = apply_gates(None, after_calm(*moves)).admitted
    assert np.abs(log_returns(admitted, "close")[1:]).max() < JUMP


def test_a_split_on_the_day_of_an_error_goes_to_the_bar_that_is_back() -> None:
    bars = times(after_calm(0.01, 0.01, 0.01), 0.1, slice(42, None))  # a split of 10:1 on bar 42, which is 1000 times too high
    bars = with_value(times(bars, 1000.0, slice(42, 43)), "split", 42, 10.0)
    judgement = apply_gates(None, bars)
    assert [(v.session, v.state) for v in judgement.verdicts] == [(bars.session[42].item(), "refused")]
    assert judgement.admitted.split[-1] == 10.0
    assert log_returns(judgement.admitted, "close")[-1] == pytest.approx(0.02)


def test_a_split_of_a_refused_bar_stays_with_the_bar_after_it_in_later_fetches() -> None:
    bars = times(after_calm(0.01, 0.01, 0.01), 0.1, slice(42, None))
    bars = with_value(times(bars, 1000.0, slice(42, 43)), "split", 42, 10.0)
    first = apply_gates(None, bars)
    again = apply_gates(first.admitted, bars.select(slice(38, None)), bars.select(slice(42, 43)))
    assert again.verdicts == []
    assert again.admitted.split.tolist() == first.admitted.split[38:].tolist()


def test_a_dividend_on_the_day_of_an_error_goes_to_the_bar_that_is_back() -> None:
    bars = times(after_calm(0.01, 0.01, 0.01), 0.95, slice(42, None))  # the price falls by a dividend of 5 %
    paid = 0.05 * bars.close[41]
    bars = with_value(times(bars, 1000.0, slice(42, 43)), "dividend", 42, paid)
    admitted = apply_gates(None, bars).admitted
    assert admitted.dividend[-2:].tolist() == [0.0, paid]
    assert log_returns(admitted, "close")[-1] == pytest.approx(0.02)


@pytest.mark.parametrize("split", [1.0, 2.0])
@pytest.mark.parametrize(("fall", "codes"), [(1.89, []), (1.91, ["jump"])])
def test_a_bar_after_a_dividend_in_quarantine_is_compared_with_the_bar_before_it(
    split: float, fall: float, codes: list[str]
) -> None:
    # The bar of the dividend rises by 0.3, so the next one is log(5) = 1.609 below the bar before from a fall of 1.909 on.
    bars = with_value(times(after_calm(0.3, -fall), 1 / split, slice(41, None)), "split", 41, split)
    bars = with_value(bars, "dividend", 41, 40.0 / split)
    verdicts = apply_gates(None, bars).verdicts
    assert [v.code for v in verdicts] == ["dividend too large", *codes]


def test_a_wrong_split_of_a_refused_bar_is_refused_with_it() -> None:
    bars = with_value(after_calm(0.01, 0.01), "split", 41, 4.0)  # no price fell with it
    judgement = apply_gates(None, bars, bars.select(slice(41, 42)))
    assert (judgement.verdicts, judgement.admitted.split.tolist()) == ([], [1.0] * 42)


def test_a_return_over_a_long_hole_is_unknown_to_models_and_one_over_a_short_hole_is_known() -> None:
    bars = bars_of_moves(*CALM, *(0.01,) * 60)
    days = [str(day) for day in bars.session[45:66]]
    returns = history_of(without(bars, *days), "close").close_returns
    assert np.isnan(returns[45])
    assert np.isfinite(returns[[44, 46]]).all()
    assert np.isfinite(history_of(without(bars, *days[:19]), "close").close_returns[1:]).all()


# --- dividends and small changes ---


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.51, 0.6, 0.75, 0.9, 0.97])
@pytest.mark.parametrize("move", [-0.02, 0.0, 0.02])
def test_a_dividend_of_any_size_that_the_price_falls_with_is_ordinary(share: float, move: float) -> None:
    # After the dividend the price of 100 would be 100 (1 - share); the market moves by 2 % of what was there before.
    closes = 100 * np.exp(np.cumsum([0.0, *CALM]))
    ex = closes[-1] * (1 + move - share)
    bars = with_value(bars_of_closes(*closes, ex, ex * 1.01), "dividend", 41, share * closes[-1])
    assert apply_gates(None, bars).verdicts == []


@pytest.mark.parametrize("share", [0.15, 0.34, 0.5, 0.6, 0.9, 1.5])
@pytest.mark.parametrize("move", [-0.02, 0.02])
def test_a_dividend_of_any_size_that_was_not_paid_quarantines_its_bar_alone(share: float, move: float) -> None:
    bars = after_calm(move, 0.01, -0.01)
    bars = with_value(bars, "dividend", 41, share * bars.close[40])
    assert outcomes(apply_gates(None, bars)) == [(bars.session[41].item(), "held", "dividend too large")]


@pytest.mark.parametrize(("factor", "count"), [(1.05, 0), (0.95, 0), (1.3, 1)])
def test_a_stored_crash_is_not_judged_again_where_the_source_corrects_it_a_little(factor: float, count: int) -> None:
    bars = after_calm(SPLIT_LIKE_CRASH, 0.01)
    again = times(bars, factor, slice(41, 42)).select(slice(35, None))
    assert len(apply_gates(bars, again).verdicts) == count


def test_a_crash_that_was_released_and_lost_its_split_in_the_source_is_judged() -> None:
    bars = after_calm(SPLIT_LIKE_CRASH, 0.01)
    stored = with_value(bars, "split", 41, 8.0)
    assert [v.code for v in apply_gates(stored, replace(bars)).verdicts] == ["split not told"]
