"""The gates and what is decided already: stored bars, dismissed bars, and bars on another scale than the stored ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.price_builders import CALM, after_calm, bars_of_moves, outcomes, times, with_value
from tickercast.jobs.prices.gates import Judgement, apply_gates
from tickercast.jobs.prices.verdicts import Verdict

HUNDRED = np.log(100.0)
BARS = bars_of_moves(*CALM)
SESSIONS = BARS.session.tolist()


# --- stored bars ---


def test_stored_bars_are_not_judged_again() -> None:
    bars = after_calm(HUNDRED, 0.01, -0.01)
    judgement = apply_gates(bars.select(slice(0, 42)), bars.select(slice(38, None)))
    assert (judgement.verdicts, len(judgement.admitted)) == ([], len(bars) - 38)


def test_a_new_bar_is_judged_against_the_stored_one_before() -> None:
    bars = after_calm(HUNDRED)
    assert outcomes(apply_gates(BARS, bars.select(slice(41, None)))) == [(bars.session[41].item(), "held", "hundredfold")]


def test_a_stored_bar_that_is_restated_is_judged() -> None:
    restated = times(BARS, 100.0, slice(40, 41))
    judgement = apply_gates(BARS, restated.select(slice(30, None)))
    assert outcomes(judgement) == [(SESSIONS[40], "held", "hundredfold")]
    assert judgement.admitted.session.tolist() == SESSIONS[30:40]


def test_a_stored_bar_ends_a_level_because_it_was_accepted_before() -> None:
    bars = after_calm(HUNDRED, 0.01, -0.01, 0.01)
    stored = bars.select(np.array([*range(41), 43]))
    judgement = apply_gates(stored, bars.select(slice(41, None)))
    days = bars.session.tolist()
    assert outcomes(judgement) == [(days[41], "held", "hundredfold"), (days[42], "held", "hundredfold")]
    assert judgement.admitted.session.tolist() == [days[43], days[44]]


def test_a_stored_bar_at_the_old_level_ends_a_level_that_stays_quarantined() -> None:
    bars = after_calm(HUNDRED, -HUNDRED)
    judgement = apply_gates(bars.select(np.array([*range(41), 42])), bars.select(slice(41, None)))
    assert outcomes(judgement) == [(bars.session[41].item(), "held", "hundredfold")]


def test_a_way_back_after_a_stored_bar_leaves_the_level_before_it_quarantined() -> None:
    bars = after_calm(HUNDRED, 0.01, -HUNDRED)
    judgement = apply_gates(bars.select(np.array([*range(41), 42])), bars.select(slice(41, None)))
    assert outcomes(judgement) == [(bars.session[i].item(), "held", "hundredfold") for i in (41, 43)]


# --- dismissed bars ---


def test_a_dismissed_bar_is_left_out_without_a_verdict_as_long_as_its_values_stay() -> None:
    bars = after_calm(HUNDRED)
    judgement = apply_gates(None, bars, bars.select(slice(41, None)))
    assert (judgement.verdicts, judgement.admitted.session.tolist()) == ([], SESSIONS)


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "dividend", "split"])
def test_a_dismissed_bar_with_another_value_is_judged_again(field: str) -> None:
    bars = after_calm(HUNDRED)
    dismissed = bars.select(slice(41, None))
    changed = with_value(dismissed, field, 0, getattr(dismissed, field)[0] + 0.5 * bars.close[41])
    assert len(apply_gates(None, bars, changed).verdicts) == 1


def test_another_volume_does_not_make_a_dismissed_bar_another_one() -> None:
    bars = after_calm(HUNDRED)
    dismissed = with_value(bars.select(slice(41, None)), "volume", 0, 5)
    assert apply_gates(None, bars, dismissed).verdicts == []


@pytest.mark.parametrize(("factor", "count"), [(1 + 0.99e-4, 0), (1 + 1.01e-4, 1), (1 - 0.99e-4, 0), (1 - 1.01e-4, 1)])
def test_values_within_a_ten_thousandth_are_the_same(factor: float, count: int) -> None:
    bars = after_calm(HUNDRED)
    dismissed = times(bars.select(slice(41, None)), factor)
    assert len(apply_gates(None, bars, dismissed).verdicts) == count


def test_only_the_dismissed_session_is_left_out() -> None:
    bars = after_calm(HUNDRED, -HUNDRED)
    judgement = apply_gates(None, bars, bars.select(slice(41, 42)))
    assert judgement.admitted.session.tolist() == [*SESSIONS, bars.session[42].item()]


# --- another scale than the stored bars ---


def delivered_again(factor: float, where: slice = slice(None), *, last: int = 41) -> Judgement:
    """Return the judgement on bars 30 to `last` times a factor, where 0 to 39 are stored."""
    return apply_gates(BARS.select(slice(0, 40)), times(BARS.select(slice(30, last)), factor, where))


def test_new_bars_on_another_scale_than_the_stored_ones_are_quarantined_without_values() -> None:
    judgement = delivered_again(0.5)
    message = "0.5 times the stored price in 10 bars, as after a split that is not reported"
    assert judgement.verdicts == [Verdict(SESSIONS[40], "held", "rescaled", message, None)]
    assert len(judgement.admitted) == 0


def test_without_new_bars_the_first_rescaled_session_has_the_verdict() -> None:
    assert outcomes(delivered_again(0.5, last=40)) == [(SESSIONS[30], "held", "rescaled")]


@pytest.mark.parametrize(("log_factor", "count"), [(0.199, 0), (0.201, 1), (-0.199, 0), (-0.201, 1)])
def test_a_scale_is_another_one_beyond_a_factor_of_e_to_02(log_factor: float, count: int) -> None:
    codes = [verdict.code for verdict in delivered_again(float(np.exp(log_factor))).verdicts]
    assert codes.count("rescaled") == count


@pytest.mark.parametrize(("rescaled", "codes"), [(2, []), (3, ["rescaled"])])
def test_a_part_of_the_stored_bars_is_rescaled_from_three_on(rescaled: int, codes: list[str]) -> None:
    # A factor of 1.3 is no jump, so two such bars are restatements like any other.
    assert [v.code for v in delivered_again(1.3, slice(0, rescaled), last=40).verdicts] == codes


def test_one_stored_bar_is_enough_where_no_other_was_delivered_again() -> None:
    judgement = apply_gates(BARS.select(slice(0, 40)), times(BARS.select(slice(39, 41)), 0.5))
    assert outcomes(judgement) == [(SESSIONS[40], "held", "rescaled")]
    assert judgement.verdicts[0].message == "0.5 times the stored price in 1 bar, as after a split that is not reported"


@pytest.mark.parametrize(("spread", "count"), [(0.0199, 1), (0.0201, 0)])
def test_factors_within_two_percent_of_each_other_are_one(spread: float, count: int) -> None:
    incoming = times(BARS.select(slice(30, 40)), 1.3)
    incoming = times(incoming, float(np.exp(spread)), slice(4, 5))
    codes = [v.code for v in apply_gates(BARS.select(slice(0, 40)), incoming).verdicts]
    assert codes.count("rescaled") == count


def test_an_old_part_on_another_scale_is_left_out_and_newer_bars_are_admitted() -> None:
    judgement = delivered_again(0.5, slice(0, 4))
    assert outcomes(judgement) == [(SESSIONS[30], "held", "rescaled")]
    assert judgement.admitted.session.tolist() == SESSIONS[34:41]


def test_a_new_part_on_another_scale_takes_the_bars_after_it_along() -> None:
    incoming = times(BARS.select(slice(30, 41)), 0.5, slice(6, 11))
    judgement = apply_gates(BARS.select(slice(0, 39)), incoming)
    assert outcomes(judgement) == [(SESSIONS[39], "held", "rescaled"), (SESSIONS[40], "held", "rescaled")]
    assert judgement.admitted.session.tolist() == SESSIONS[30:36]


def test_bars_of_new_sessions_alone_have_no_scale_to_compare() -> None:
    judgement = apply_gates(BARS.select(slice(0, 30)), BARS.select(slice(30, None)))
    assert (judgement.verdicts, len(judgement.admitted)) == ([], 11)


@pytest.mark.parametrize("factor", [1.23, 1.41])
def test_a_new_session_that_fills_a_gap_between_rescaled_bars_is_on_their_scale(factor: float) -> None:
    stored = BARS.select(np.array([i for i in range(41) if i != 35]))
    judgement = apply_gates(stored, times(BARS.select(slice(30, 41)), factor))
    assert outcomes(judgement) == [(SESSIONS[35], "held", "rescaled")]
    assert len(judgement.admitted) == 0


def test_a_new_session_is_on_the_scale_of_the_bars_next_to_it() -> None:
    # Bars 30 to 33 are rescaled. Of the new ones 32 is among them, and 36 is not.
    stored = BARS.select(np.array([i for i in range(41) if i not in (32, 36)]))
    judgement = apply_gates(stored, times(BARS.select(slice(30, 41)), 1.3, slice(0, 4)))
    assert outcomes(judgement) == [(SESSIONS[32], "held", "rescaled")]
    assert judgement.admitted.session.tolist() == SESSIONS[34:41]
