"""The gates on a bar's move: splits, each threshold with a case just inside and one just outside, by hand arithmetic.

The history of most cases closes at 100 and 101 in turn, so each move is log(1.01) = 0.00995. One usual move is then
1.4826 * 0.00995 = 0.01475, a rare move 8 * 0.01475 = 0.118, and a move may be 3 * 0.01475 = 0.0443 away from a split's ratio.
A range is ordinary up to 3 * log(1.01 / 0.99) = 0.0600, a volume up to 5 * 1000.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.price_builders import CALM_BARS, CALM_CLOSES, Day, at, bars_of_closes, jump_code, jump_message, with_value
from tickercast.jobs.prices.moves import jump_of
from tickercast.storage.bars import Bars

# --- splits that are not reported ---


@pytest.mark.parametrize("ratio", ["1.5", "2", "3", "4", "5", "6", "7", "8", "10", "12", "15", "20", "25", "30", "40"])
def test_every_usual_ratio_is_recognised_in_both_directions(ratio: str) -> None:
    rise, fall = Day(at(float(ratio))), Day(at(1 / float(ratio)))
    assert (jump_code(rise), jump_code(fall)) == ("split not told", "split not told")
    assert f"as at a split of 1:{ratio}," in jump_message(rise)
    assert f"as at a split of {ratio}:1," in jump_message(fall)


def test_a_split_of_50_is_recognised_below_the_factor_of_a_hundredfold_price() -> None:
    assert "as at a split of 1:50, and none is reported" in jump_message(Day(4900.0))  # log(50 / 49) = 0.0202


@pytest.mark.parametrize(
    ("logs_away", "code"), [(0.0442, "split not told"), (0.0443, None), (-0.0442, "split not told"), (-0.0443, None)]
)
def test_a_move_near_a_ratio_is_a_split_and_one_further_away_is_not(logs_away: float, code: str | None) -> None:
    assert jump_code(Day(at(1.5, logs_away))) == code


@pytest.mark.parametrize(
    ("closes", "logs_away", "code"),
    [
        # 3 * 1.4826 * log(1.001) = 0.0044: the tolerance is at least 0.02.
        ((100.0, 100.1), 0.0199, "split not told"), ((100.0, 100.1), 0.0201, None),
        # 3 * 1.4826 * log(1.03) = 0.131: it is at most 0.05.
        ((100.0, 103.0), 0.0499, "split not told"), ((100.0, 103.0), 0.0501, None),
    ],
)  # fmt: skip
def test_the_tolerance_has_a_floor_and_a_ceiling(closes: tuple[float, float], logs_away: float, code: str | None) -> None:
    assert jump_code(Day(at(1.5, logs_away)), bars_of_closes(*closes * 20, 100.0)) == code


@pytest.mark.parametrize(
    ("part", "code"), [(0.0884, "split not told"), (0.0887, None), (-0.0884, "split not told"), (-0.0887, None)]
)
def test_a_split_comes_overnight_within_twice_the_tolerance(part: float, code: str | None) -> None:
    assert jump_code(Day(150.0, opens=at(1.5, part))) == code


@pytest.mark.parametrize(("usual", "code"), [(0.0341, "split not told"), (0.0343, None)])
def test_a_split_is_at_least_eight_usual_moves(usual: float, code: str | None) -> None:
    # log(1.5) / 8 / 1.4826 = 0.03419.
    assert jump_code(Day(150.0), bars_of_closes(*(100.0, at(1.0, usual)) * 20, 100.0)) == code


@pytest.mark.parametrize(
    ("history_width", "width", "code"),
    [
        (0.01, 0.0299, "split not told"), (0.01, 0.0301, None),  # log(1.03 / 0.97) = 0.0600
        (0.001, 0.0249, "split not told"), (0.001, 0.0251, None),  # never less than 0.05: log(1.025 / 0.975) = 0.0500
    ],
)  # fmt: skip
def test_the_range_at_a_split_is_ordinary(history_width: float, width: float, code: str | None) -> None:
    assert jump_code(Day(150.0, width=width), bars_of_closes(*CALM_CLOSES, width=history_width)) == code


@pytest.mark.parametrize(
    ("close", "volume", "code"),
    [
        (150.0, 5000, "split not told"), (150.0, 5001, None),
        (100 / 1.5, 7499, "split not told"), (100 / 1.5, 7501, None),  # 1.5 times as many shares
    ],
)  # fmt: skip
def test_the_volume_at_a_split_is_ordinary_for_the_new_number_of_shares(close: float, volume: int, code: str | None) -> None:
    assert jump_code(Day(close, volume=volume)) == code


def test_any_volume_is_ordinary_where_there_was_none_before() -> None:
    assert jump_code(Day(150.0, volume=10**9), with_value(CALM_BARS, "volume", slice(None), 0)) == "split not told"


def test_a_volume_of_one_share_before_is_compared() -> None:
    assert jump_code(Day(150.0, volume=6), with_value(CALM_BARS, "volume", slice(None), 1)) is None


@pytest.mark.parametrize(("days", "code"), [(10, "split not told"), (11, None)])
def test_a_move_over_more_than_ten_days_is_not_called_a_split(days: int, code: str | None) -> None:
    assert jump_code(Day(150.0, days=days)) == code


def test_a_large_move_over_more_than_ten_days_is_still_a_jump() -> None:
    assert jump_code(Day(500.0, days=11)) == "jump"


# --- splits that are reported ---


def test_a_split_that_the_price_follows_is_no_jump() -> None:
    assert jump_code(Day(50.0, split=2.0)) is None


@pytest.mark.parametrize("split", [2.0, 20.0, 0.1])
def test_a_reported_split_without_a_move_is_not_applied(split: float) -> None:
    assert jump_code(Day(100.0, split=split)) == "split not applied"


def test_a_split_that_is_applied_twice_is_found_by_the_size_of_the_move() -> None:
    assert jump_code(Day(25.0, split=2.0)) == "split not applied"


def split_before(sessions: int, ratio: float = 2.0) -> Bars:
    """Return calm bars, the last at 100, with a split some sessions before the next bar that the price followed."""
    index = len(CALM_CLOSES) - sessions
    closes = np.array(CALM_CLOSES) * np.where(np.arange(len(CALM_CLOSES)) < index, ratio, 1.0)
    return with_value(bars_of_closes(*closes), "split", index, ratio)


@pytest.mark.parametrize(("sessions", "code"), [(1, "split not applied"), (10, "split not applied"), (11, "split not told")])
def test_a_split_counts_as_reported_for_ten_sessions(sessions: int, code: str) -> None:
    assert jump_code(Day(50.0), split_before(sessions)) == code


@pytest.mark.parametrize(
    ("logs_away", "code"), [(0.0442, "split not applied"), (0.0443, None), (-0.0442, "split not applied"), (-0.0443, None)]
)
def test_a_move_near_a_reported_split_is_that_split(logs_away: float, code: str | None) -> None:
    assert jump_code(Day(at(1.0, logs_away), split=1.5), CALM_BARS) == code


@pytest.mark.parametrize(("log_return", "code"), [(0.1751, "split not applied"), (0.1749, None)])
def test_a_move_of_less_than_0175_is_not_compared_with_a_reported_split(log_return: float, code: str | None) -> None:
    assert jump_code(Day(at(1.0, log_return)), split_before(5, ratio=1.2)) == code


@pytest.mark.parametrize(("ratio", "code"), [(1.192, "split not applied"), (1.191, None)])
def test_a_reported_split_of_less_than_0175_explains_nothing(ratio: float, code: str | None) -> None:
    # log(1.192) = 0.1756, log(1.191) = 0.1748; the move of 0.18 is near both.
    assert jump_code(Day(at(1.0, 0.18)), split_before(5, ratio=ratio)) == code


@pytest.mark.parametrize(
    ("ratio", "code"), [(4.0, None), (5.0, "split not applied"), (0.2, "split not applied"), (8.0, "split not applied")]
)
def test_on_a_wide_range_only_a_move_by_5_is_compared_with_a_reported_split(ratio: float, code: str | None) -> None:
    assert jump_code(Day(100.0, split=ratio, width=0.5)) == code


def test_of_two_reported_splits_the_nearer_one_is_named() -> None:
    history = with_value(split_before(3, ratio=3.0), "split", -2, 2.0)
    assert jump_message(Day(200.0), history).startswith("a split of 2:1 is reported")
    assert jump_message(Day(300.0), history).startswith("a split of 3:1 is reported")


def test_a_split_that_is_reported_on_a_later_bar_explains_nothing() -> None:
    series = Day(100.0, split=2.0).after(bars_of_closes(*CALM_CLOSES, 50.0))
    assert jump_of(series, len(CALM_CLOSES)) == ("split not told", jump_message(Day(50.0)))


def test_a_split_on_the_first_bar_of_a_history_is_reported() -> None:
    history = with_value(bars_of_closes(100.0), "split", 0, 2.0)
    assert jump_code(Day(50.0), history) == "split not applied"


@pytest.mark.parametrize(
    ("split", "shown"), [(1.5, "1.5:1"), (2.0, "2:1"), (20.0, "20:1"), (0.5, "1:2"), (0.75, "1:1.33333"), (0.1, "1:10")]
)
def test_a_reported_split_is_shown_as_a_ratio(split: float, shown: str) -> None:
    assert jump_message(Day(100.0, split=split)).startswith(f"a split of {shown} is reported")
