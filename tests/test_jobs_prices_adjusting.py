"""From split-adjusted to as traded, and dividends from an adjusted close. Expected values are arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.price_builders import bars_of_closes, with_value
from tickercast.jobs.prices.sources.adjusting import as_traded, implied_dividends
from tickercast.storage.bars import MOST_VOLUME


def test_prices_and_dividends_are_multiplied_by_later_splits_and_volumes_divided() -> None:
    # 2:1 on the third day and 3:1 on the fourth: the first two days traded at 6 times, the third at 3 times the price.
    bars = with_value(with_value(bars_of_closes(10.0, 20.0, 30.0, 40.0), "split", 2, 2.0), "split", 3, 3.0)
    bars = with_value(with_value(bars, "dividend", 1, 0.5), "dividend", 2, 0.25)
    traded = as_traded(with_value(bars, "volume", slice(None), 600))
    assert traded.close.tolist() == [60.0, 120.0, 90.0, 40.0]
    assert traded.dividend.tolist() == [0.0, 3.0, 0.75, 0.0]
    assert traded.volume.tolist() == [100, 100, 200, 600]
    assert traded.split.tolist() == [1.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(("field", "value"), [("open", 11.0), ("high", 12.0), ("low", 9.0), ("close", 10.0)])
def test_every_price_of_a_bar_is_multiplied(field: str, value: float) -> None:
    bars = with_value(bars_of_closes(10.0, 10.0), "split", 1, 4.0)
    assert getattr(as_traded(with_value(bars, field, 0, value)), field)[0] == 4 * value


def test_bars_without_splits_stay_as_they_are() -> None:
    bars = bars_of_closes(10.0, 11.0, 12.0)
    traded = as_traded(bars)
    assert (traded.close.tolist(), traded.volume.tolist()) == (bars.close.tolist(), bars.volume.tolist())


def test_a_reverse_split_lowers_the_earlier_prices_and_raises_their_volume() -> None:
    traded = as_traded(with_value(bars_of_closes(40.0, 40.0), "split", 1, 0.25))
    assert (traded.close.tolist(), traded.volume.tolist()) == ([10.0, 40.0], [4000, 1000])


def test_a_split_after_the_last_bar_multiplies_all_of_them() -> None:
    traded = as_traded(with_value(bars_of_closes(10.0, 10.0), "split", 1, 2.0), after=5.0)
    assert (traded.close.tolist(), traded.volume.tolist()) == ([100.0, 50.0], [100, 200])


def test_volumes_are_rounded_to_whole_shares() -> None:
    bars = with_value(bars_of_closes(10.0, 10.0), "volume", 0, 5)
    assert as_traded(with_value(bars, "split", 1, 3.0)).volume.tolist() == [2, 1000]  # 5 / 3 = 1.67
    assert as_traded(bars).volume.dtype == np.int64


def test_a_volume_beyond_all_bounds_is_capped() -> None:
    traded = as_traded(with_value(with_value(bars_of_closes(10.0, 10.0), "volume", 0, 2**61), "split", 1, 1e-5))
    assert traded.volume.tolist() == [MOST_VOLUME, 1000]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("volume", "splits"), [(10**18, 61), (0, 70)], ids=["overflow", "0 / 0"])
def test_absurd_splits_give_no_warning(volume: int, splits: int) -> None:
    # 1e-5 to the power of 61 is 1e-305, and to the power of 70 it is 0.
    bars = with_value(bars_of_closes(*[10.0] * (splits + 1)), "split", slice(1, None), 1e-5)
    assert as_traded(with_value(bars, "volume", slice(None), volume)).volume[-1] == volume


def implied(closes: list[float], adjusted: list[float], splits: list[float] | None = None) -> list[float]:
    return implied_dividends(np.array(closes), np.array(adjusted), np.array(splits or [1.0] * len(closes))).tolist()


def test_a_dividend_is_the_step_in_the_ratio_of_adjusted_to_plain_close() -> None:
    # 5 on a close of 100: the factor before the ex-date is 1 - 5/100 = 0.95.
    assert implied([100.0, 100.0, 96.0], [95.0, 95.0, 96.0]) == pytest.approx([0.0, 0.0, 5.0])


def test_two_dividends_multiply_in_the_adjusted_close() -> None:
    # 2 on 100, then 4 on 80: factors 0.98 * 0.95, 0.95, 1.
    assert implied([100.0, 80.0, 76.0], [93.1, 76.0, 76.0]) == pytest.approx([0.0, 2.0, 4.0])


def test_a_split_in_the_adjusted_close_is_no_dividend() -> None:
    # As traded 200 -> 100 at 2:1; the adjusted close is 100 throughout.
    assert implied([200.0, 100.0, 100.0], [100.0, 100.0, 100.0], [1.0, 2.0, 1.0]) == [0.0, 0.0, 0.0]


def test_a_dividend_on_the_day_of_a_split_is_per_new_share() -> None:
    # As traded 200, then 2:1 and a dividend of 4 per new share: the factor before is (1 - 4/100) / 2 = 0.48.
    assert implied([200.0, 96.0], [96.0, 96.0], [1.0, 2.0]) == pytest.approx([0.0, 4.0])


@pytest.mark.parametrize(("share", "expected"), [(1.9e-5, 0.0), (2.1e-5, 2.1e-3), (0.49, 49.0), (0.51, 0.0), (-0.05, 0.0)])
def test_a_dividend_of_less_than_noise_or_of_half_the_price_is_none(share: float, expected: float) -> None:
    assert implied([100.0, 100.0], [100.0 * (1 - share), 100.0])[1] == pytest.approx(expected, rel=1e-6)


def test_half_the_price_is_already_none() -> None:
    assert implied([100.0, 100.0], [50.0, 100.0]) == [0.0, 0.0]


@pytest.mark.parametrize(("share", "close"), [(0.52, 48.0), (0.6, 41.0), (0.6, 39.0), (0.82, 18.0), (0.97, 3.1)])
def test_a_special_dividend_above_half_the_price_is_one_where_the_price_falls_with_it(share: float, close: float) -> None:
    assert implied([100.0, close], [100.0 * (1 - share), close])[1] == pytest.approx(100 * share)


@pytest.mark.parametrize("ratio", [2, 3, 4, 10])
def test_a_split_that_only_the_adjusted_close_has_is_no_dividend(ratio: int) -> None:
    assert implied([100.0, 100 / ratio], [100 / ratio, 100 / ratio]) == [0.0, 0.0]


def test_a_missing_adjusted_close_implies_nothing() -> None:
    assert implied([100.0, 100.0, 100.0], [95.0, float("nan"), 100.0]) == [0.0, 0.0, 0.0]
