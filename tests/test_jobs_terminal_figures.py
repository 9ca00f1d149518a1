"""Numbers as people read them: nothing but zero is shown as zero, and zero has no sign."""

from __future__ import annotations

import pytest

from tickercast.jobs.terminal.figures import (
    basis_points,
    decimals_of,
    p_text,
    p_value,
    percent,
    price_decimals,
    price_text,
    rounded,
)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.0, 4, "0.0000"), (-0.0, 4, "0.0000"), (9.99994, 4, "9.9999"), (-9.5, 4, "-9.5000"), (1234567.891, 2, "1234567.89"),
        (0.00882, 4, "0.0088"), (0.00004, 4, "4e-05"), (-3.21e-7, 6, "-3.21e-07"), (0.004, 2, "0.004"), (1e300, 2, "1e+300"),
        (float("inf"), 2, "inf"), (float("nan"), 2, "nan"),
    ],
)  # fmt: skip
def test_a_rounded_number_never_becomes_zero(value: float, decimals: int, text: str) -> None:
    assert rounded(value, decimals) == text


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([10.0, 5123.5], 2), ([412.3, 0.5], 4), ([0.0088, 0.0089], 6), ([0.0, 1.0], 4), ([], 4), ([float("nan"), 20.0], 2)],
)
def test_the_smallest_number_of_a_column_decides_its_decimals(values: list[float], decimals: int) -> None:
    assert decimals_of(values) == decimals


@pytest.mark.parametrize(
    ("value", "text"), [(0.0312, "+3.1"), (-0.0262, "-2.6"), (0.0004, "0.0"), (-0.0004, "0.0"), (0.0, "0.0")]
)
def test_percent_has_a_sign_where_it_is_not_zero(value: float, text: str) -> None:
    assert percent(value, signed=True) == text


def test_percent_has_as_many_decimals_as_asked() -> None:
    assert percent(0.81234) == "81.2"
    assert percent(0.81234, 2) == "81.23"


@pytest.mark.parametrize(("value", "text"), [(0.0088, "88.0"), (0.0089, "89.0"), (0.00882, "88.2"), (-1e-9, "0.0")])
def test_a_score_in_basis_points_tells_0088_from_0089(value: float, text: str) -> None:
    assert basis_points(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "< 0.001"), (0.00099, "< 0.001"), (0.001, "0.001"), (0.5192, "0.519")])
def test_a_p_value_is_never_zero(value: float, text: str) -> None:
    assert p_value(value) == text


@pytest.mark.parametrize(
    ("price", "decimals"), [(551.69, 2), (10.0, 2), (9.36, 4), (1.0843, 4), (0.5, 4), (0.0123, 5), (0.00001234, 8)]
)
def test_a_small_price_has_four_digits(price: float, decimals: int) -> None:
    assert price_decimals(price) == decimals


def test_a_price_has_the_decimals_of_the_price_it_is_compared_with() -> None:
    assert (price_text(1234.5), price_text(9.87654, 12.0), price_text(0.01234)) == ("1,234.50", "9.88", "0.01234")


def test_a_p_value_in_a_sentence_has_its_letter() -> None:
    assert (p_text(0.0321), p_text(1e-7)) == ("p = 0.032", "p < 0.001")
