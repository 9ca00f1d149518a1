"""The gates on a bar's move: jumps, each threshold with a case just inside and one just outside, by hand arithmetic.

The history of most cases closes at 100 and 101 in turn, so each move is log(1.01) = 0.00995. One usual move is then
1.4826 * 0.00995 = 0.01475, a rare move 8 * 0.01475 = 0.118, and a move may be 3 * 0.01475 = 0.0443 away from a split's ratio.
A range is ordinary up to 3 * log(1.01 / 0.99) = 0.0600, a volume up to 5 * 1000.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.price_builders import Day, at, bars_of_closes, jump_code, jump_message, with_value
from tickercast.jobs.prices.moves import series_of

# --- what a series is ---


def test_moves_gaps_and_ranges_are_logs() -> None:
    bars = with_value(bars_of_closes(100.0, 110.0), "open", 1, 104.0)
    series = series_of(with_value(with_value(bars, "high", 1, 112.0), "low", 1, 103.0))
    assert np.isnan([series.moves[0], series.gaps[0]]).all()
    assert series.moves[1] == pytest.approx(np.log(1.10))
    assert series.gaps[1] == pytest.approx(np.log(1.04))
    assert series.ranges[1] == pytest.approx(np.log(112 / 103))


def test_moves_and_gaps_are_after_reported_splits_and_dividends() -> None:
    bars = with_value(with_value(bars_of_closes(200.0, 99.0), "split", 1, 2.0), "dividend", 1, 10.0)
    series = series_of(with_value(bars, "open", 1, 95.0))
    assert series.moves[1] == pytest.approx(np.log(99 / 90))
    assert series.gaps[1] == pytest.approx(np.log(95 / 90))


@pytest.mark.parametrize(
    ("opens", "log_return", "expected"),
    [
        (100.0, 0.3499, []), (100.0, 0.3501, [1]), (100.0, -0.3499, []), (100.0, -0.3501, [1]),
        (173.3, 0.1, []), (173.4, 0.1, [1]), (57.70, 0.1, []), (57.69, 0.1, [1]),  # 100 * exp(+-0.55) = 173.33, 57.69
    ],
)  # fmt: skip
def test_a_move_of_035_or_an_overnight_gap_of_055_is_suspicious(opens: float, log_return: float, expected: list[int]) -> None:
    bars = with_value(bars_of_closes(100.0, at(1.0, log_return)), "open", 1, opens)
    assert series_of(bars).suspicious().tolist() == expected


@pytest.mark.parametrize(("dividend", "split", "expected"), [(2.0, 1.0, []), (2.01, 1.0, [3]), (1.0, 2.0, []), (1.01, 2.0, [3])])
def test_a_dividend_above_two_percent_of_the_price_before_is_paying(dividend: float, split: float, expected: list[int]) -> None:
    bars = bars_of_closes(10.0, 1000.0, 100.0, 100.0, 10.0)
    assert series_of(with_value(with_value(bars, "dividend", 3, dividend), "split", 3, split)).paying().tolist() == expected


def test_a_dividend_of_the_first_bar_has_no_price_before() -> None:
    assert series_of(with_value(bars_of_closes(100.0, 100.0), "dividend", 0, 50.0)).paying().tolist() == []


# --- jumps ---


@pytest.mark.parametrize(
    ("close", "code"),
    [
        (499.9, None), (500.1, "jump"), (20.01, None), (19.99, "jump"),
        (4999.0, "jump"), (5001.0, "hundredfold"), (19999.0, "hundredfold"), (20001.0, "jump"),
        (2.001, "jump"), (1.999, "hundredfold"), (0.5001, "hundredfold"), (0.4999, "jump"),
    ],
)  # fmt: skip
def test_a_factor_of_5_is_a_jump_and_one_of_50_to_200_is_a_hundredfold(close: float, code: str | None) -> None:
    assert jump_code(Day(close, opens=100.0, width=0.9)) == code


def test_a_factor_of_exactly_5_is_a_jump_and_exactly_50_and_200_are_hundredfold() -> None:
    codes = [jump_code(Day(close, opens=100.0, width=0.9)) for close in (500.0, 5000.0, 20000.0)]
    assert codes == ["jump", "hundredfold", "hundredfold"]


@pytest.mark.parametrize("close", [10000.0, 1.0])
def test_a_hundredfold_price_is_named_so_even_though_100_is_a_split_ratio(close: float) -> None:
    assert jump_code(Day(close)) == "hundredfold"


@pytest.mark.parametrize(
    ("day", "message"),
    [
        (Day(650.0, opens=100.0, width=0.9), "the close is 6.5 times the one before"),
        (Day(10000.0), "the close is 100 times the one before, as when pence are read as pounds"),
        (Day(50.0), "the close is 0.5 times the one before, as at a split of 2:1, and none is reported"),
        (Day(150.0), "the close is 1.5 times the one before, as at a split of 1:1.5, and none is reported"),
        (Day(56.0), "the close is 0.56 times the one before, all of it overnight, on ordinary volume and range"),
        (
            Day(100.0, split=2.0),
            "a split of 2:1 is reported, and the close is 2 times the one before beyond it: "
            "the source has not applied it to earlier prices, or it has applied it twice",
        ),
        (
            Day(100.0, split=0.25),
            "a split of 1:4 is reported, and the close is 0.25 times the one before beyond it: "
            "the source has not applied it to earlier prices, or it has applied it twice",
        ),
    ],
)
def test_a_message_states_the_move(day: Day, message: str) -> None:
    assert jump_message(day) == message


def test_an_ordinary_move_has_no_verdict() -> None:
    assert jump_code(Day(101.0)) is None


# --- what is ordinary ---


@pytest.mark.parametrize(("volume", "code"), [(7500, "split not told"), (7501, None)])
def test_the_ordinary_volume_is_the_median_of_sixty_bars(volume: int, code: str | None) -> None:
    # 90 bars of 2000, then 30 of 1000: the median of the last 60 is 1500, of one bar more 2000, of one less 1000.
    history = bars_of_closes(*(100.0, 101.0) * 59, 100.0, 100.0)
    history = with_value(with_value(history, "volume", slice(None), 2000), "volume", slice(-30, None), 1000)
    assert jump_code(Day(150.0, volume=volume), history) == code


@pytest.mark.parametrize(
    ("closes", "logs_away", "code"),
    [
        ((100.0,), 0.0499, "split not told"), ((100.0,), 0.0501, None),  # no move is known
        ((101.0, 100.0), 0.0499, "split not told"), ((101.0, 100.0), 0.0501, None),  # one move is too few
        ((100.0, 101.0, 100.0), 0.0442, "split not told"), ((100.0, 101.0, 100.0), 0.0443, None),
    ],
)  # fmt: skip
def test_a_usual_move_of_two_percent_is_assumed_until_two_moves_are_known(
    closes: tuple[float, ...], logs_away: float, code: str | None
) -> None:
    assert jump_code(Day(at(1.5, logs_away)), bars_of_closes(*closes)) == code


def test_the_assumed_usual_move_makes_a_move_of_sixteen_percent_rare() -> None:
    assert jump_code(Day(100.0, split=1.2), bars_of_closes(100.0)) == "split not applied"  # log(1.2) = 0.18


# --- overnight gaps ---


@pytest.mark.parametrize(("log_return", "code"), [(-0.5501, "jump"), (-0.5499, None), (0.5501, "jump"), (0.5499, None)])
def test_an_overnight_gap_of_055_on_an_ordinary_day_is_a_jump(log_return: float, code: str | None) -> None:
    assert jump_code(Day(at(1.0, log_return))) == code


@pytest.mark.parametrize(("log_return", "code"), [(-0.5101, "jump"), (-0.5099, None), (-0.6899, "jump"), (-0.6901, None)])
def test_at_most_15_percent_of_the_gap_may_follow_in_the_session(log_return: float, code: str | None) -> None:
    # The gap is 0.6, so the whole move is 0.51 to 0.69. It is too far from the gap to be called a split near log(2) = 0.693.
    assert jump_code(Day(at(1.0, log_return), opens=at(1.0, -0.6))) == code


@pytest.mark.parametrize(
    "day",
    [
        Day(at(1.0, -0.6), width=0.2),
        Day(at(1.0, -0.6), volume=10_000),
        Day(at(1.0, -0.6), days=11),
        Day(at(1.0, -0.6), opens=99.0),
    ],
    ids=["wide range", "large volume", "after a long pause", "in the session"],
)
def test_a_crash_is_no_jump(day: Day) -> None:
    assert jump_code(day) is None
