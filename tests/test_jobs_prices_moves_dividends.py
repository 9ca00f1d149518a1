"""The gates on dividends: each threshold with a case just inside and one just outside, by hand arithmetic."""

from __future__ import annotations

import pytest

from tests.price_builders import CALM_CLOSES, at, bars_of_closes, with_value
from tickercast.jobs.prices.moves import ignored_dividend, series_of


def dividend_code(dividend: float, close: float, *, split: float = 1.0, before: dict[int, float] | None = None) -> str | None:
    found = dividend_found(dividend, close, split=split, before=before)
    return found[0] if found is not None else None


def dividend_found(
    dividend: float, close: float, *, split: float = 1.0, before: dict[int, float] | None = None
) -> tuple[str, str] | None:
    """Return the verdict on a dividend after calm bars that end at 100. before: earlier dividends by sessions before it."""
    bars = bars_of_closes(*(price * split for price in CALM_CLOSES), close)
    for sessions, value in (before or {}).items():
        bars = with_value(bars, "dividend", len(CALM_CLOSES) - sessions, value)
    last = len(CALM_CLOSES)
    return ignored_dividend(series_of(with_value(with_value(bars, "dividend", last, dividend), "split", last, split)), last)


@pytest.mark.parametrize(
    ("dividend", "close", "code"),
    [
        (10.0, 100.0, None), (10.01, 100.0, "dividend too large"),
        # 20 of 100 implies a fall of -log(0.8) = 0.2231; a third of it is 0.0744.
        (20.0, at(1.0, -0.0743), "dividend too large"), (20.0, at(1.0, -0.0745), None), (20.0, 80.0, None),
        (20.0, 105.0, "dividend too large"),
        # One that is larger than the price implies a fall of -log(0.001) = 6.908; a third of it is 2.303.
        (200.0, at(1.0, -2.302), "dividend too large"), (200.0, at(1.0, -2.304), None),
        (99.95, at(1.0, -2.302), "dividend too large"), (99.95, at(1.0, -2.304), None),
    ],
)  # fmt: skip
def test_a_dividend_above_a_tenth_needs_a_third_of_its_fall(dividend: float, close: float, code: str | None) -> None:
    assert dividend_code(dividend, close) == code


def test_a_dividend_is_compared_with_the_price_before_on_new_shares() -> None:
    assert dividend_code(10.01, 100.0, split=2.0) == "dividend too large"
    assert dividend_code(10.0, 100.0, split=2.0) is None


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ({}, None), ({1: 3.0}, "dividend twice"), ({10: 3.0}, "dividend twice"), ({11: 3.0}, None),
        ({5: 1.5}, None), ({5: 1.51}, "dividend twice"), ({5: 5.99}, "dividend twice"), ({5: 6.0}, None),
    ],
)  # fmt: skip
def test_a_dividend_like_one_of_ten_sessions_is_given_twice(before: dict[int, float], code: str | None) -> None:
    assert dividend_code(3.0, 100.0, before=before) == code


@pytest.mark.parametrize(
    ("dividend", "close", "code"),
    [
        (2.0, 100.0, None), (2.01, 100.0, "dividend twice"),
        # 3 of 100 implies a fall of -log(0.97) = 0.03046; half of it is 0.01523.
        (3.0, at(1.0, -0.0152), "dividend twice"), (3.0, at(1.0, -0.0153), None),
    ],
)  # fmt: skip
def test_a_second_dividend_needs_half_of_its_fall(dividend: float, close: float, code: str | None) -> None:
    assert dividend_code(dividend, close, before={5: 2.5}) == code


@pytest.mark.parametrize(
    ("dividend", "close", "before", "message"),
    [
        (20.0, 100.0, {}, "a dividend of 20, 20.0% of the price, which moved by 0.0%"),
        (20.0, 96.0, {}, "a dividend of 20, 20.0% of the price, which moved by -4.0%"),
        (3.0, 101.0, {7: 3.0, 4: 3.0}, "a dividend of 3, 3.0% of the price, which moved by 1.0%, 4 sessions after a similar one"),
    ],
)
def test_a_message_states_the_dividend_and_the_move(
    dividend: float, close: float, before: dict[int, float], message: str
) -> None:
    found = dividend_found(dividend, close, before=before)
    assert found is not None
    assert found[1] == message


def test_a_dividend_of_the_second_bar_is_judged() -> None:
    bars = with_value(bars_of_closes(100.0, 100.0), "dividend", 1, 20.0)
    assert ignored_dividend(series_of(bars), 1) is not None


def test_the_first_dividend_of_a_history_can_be_repeated_in_it() -> None:
    bars = with_value(with_value(bars_of_closes(100.0, 100.0, 100.0), "dividend", 0, 3.0), "dividend", 2, 3.0)
    found = ignored_dividend(series_of(bars), 2)
    assert found is not None
    assert found[1].endswith("2 sessions after a similar one")
