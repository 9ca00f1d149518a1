"""Moves exactly at a limit: each gate on the facts of a move, written down so that no rounding decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tickercast.jobs.prices.moves import JUMP_GATES, OVERNIGHT_GAP, RATIOS, SPLIT_LIKE, Move, Series, series_of
from tickercast.storage.bars import Bars, make_bars

LOG_2 = float(RATIOS[1])
ORDINARY = Move(
    log_return=-LOG_2, gap=-LOG_2, size=LOG_2, times=0.5, reported=np.array([]), tolerance=0.02, is_calm=True, is_near=True
)
SPLIT_NOT_APPLIED, _, SPLIT_NOT_TOLD, _, CALM_JUMP = (gate for _, gate in JUMP_GATES)


def two_bars() -> Bars:
    columns = {name: np.ones(2) for name in ("open", "high", "low", "close", "volume")}
    return make_bars(np.datetime64("2024-01-02") + np.arange(2), columns)


@pytest.mark.parametrize(("size", "seen"), [(SPLIT_LIKE / 2, True), (np.nextafter(SPLIT_LIKE / 2, 0), False)])
def test_a_reported_split_is_compared_with_moves_from_half_a_splits_size_on(size: float, seen: bool) -> None:
    move = replace(ORDINARY, size=float(size), reported=np.array([SPLIT_LIKE / 2]))
    assert (SPLIT_NOT_APPLIED(move) is not None) is seen


@pytest.mark.parametrize(("tolerance", "seen"), [(0.25, True), (np.nextafter(0.25, 0), False)])
def test_a_reported_split_explains_a_move_within_the_tolerance_and_at_it(tolerance: float, seen: bool) -> None:
    move = replace(ORDINARY, size=1.0, reported=np.array([0.75]), tolerance=float(tolerance))
    assert (SPLIT_NOT_APPLIED(move) is not None) is seen


@pytest.mark.parametrize(("tolerance", "seen"), [(0.25, True), (np.nextafter(0.25, 0), False)])
def test_an_untold_split_is_overnight_within_twice_the_tolerance_and_at_it(tolerance: float, seen: bool) -> None:
    move = replace(ORDINARY, size=0.75, gap=1.25, tolerance=float(tolerance))
    assert (SPLIT_NOT_TOLD(move) is not None) is seen


def test_a_move_at_exactly_a_ratio_is_like_a_split_without_any_tolerance() -> None:
    assert SPLIT_NOT_TOLD(replace(ORDINARY, tolerance=0.0)) is not None


def test_a_gap_at_exactly_the_limit_is_an_overnight_jump() -> None:
    at_limit = replace(ORDINARY, log_return=-OVERNIGHT_GAP, gap=-OVERNIGHT_GAP, size=OVERNIGHT_GAP)
    assert CALM_JUMP(at_limit) is not None
    assert CALM_JUMP(replace(at_limit, gap=-float(np.nextafter(OVERNIGHT_GAP, 0)))) is None


@pytest.mark.parametrize(("move", "gap", "found"), [(SPLIT_LIKE, 0.0, [1]), (0.0, OVERNIGHT_GAP, [1]), (0.34, 0.54, [])])
def test_a_move_or_a_gap_at_exactly_its_limit_is_looked_at(move: float, gap: float, found: list[int]) -> None:
    plain = series_of(two_bars())
    series = Series(plain.bars, np.array([np.nan, move]), np.array([np.nan, gap]), plain.ranges)
    assert series.suspicious().tolist() == found
