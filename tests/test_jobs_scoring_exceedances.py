"""Kupiec's and Christoffersen's tests against the R package rugarch 1.5-6 (VaRTest, R 4.2.2) and arithmetic by hand."""

from __future__ import annotations

from itertools import pairwise
from math import log

import numpy as np
import pytest
from scipy import stats

from tickercast.jobs.scoring.exceedances import christoffersen, conditional_coverage, kupiec

# n, level, the positions of the exceedances, then uc.LRstat, uc.LRp, cc.LRstat and cc.LRp as rugarch prints them.
RUGARCH = [
    (250, 0.01, [40, 41, 200], 0.0949401227, 0.7579883214, 5.5201751282, 0.0632862265),
    (250, 0.01, [10, 60, 100, 140, 170, 200, 230], 5.4969904478, 0.0190492309, 5.9020056153, 0.0522872456),
    (250, 0.05, list(range(10, 250, 20)), 0.0213240252, 0.8838996943, 1.2370336605, 0.5387428925),
    (500, 0.05, [i for i in range(500) if i * i % 97 < 8], 37.7009806148, 0.0000000008, 68.4240959956, 0.0),
    (1000, 0.01, [i for i in range(1000) if i * i % 97 < 2], 30.9342028980, 0.0000000267, 154.7617664932, 0.0),
    (600, 0.05, [*range(10), *range(100, 110), *range(300, 310)], 0.0, 1.0, 186.0939117688, 0.0),
]


def transitions(n: int, at: list[int]) -> list[int]:
    """Return the counts n00, n01, n10, n11 of n outcomes with exceedances at some positions."""
    hits = [int(i in at) for i in range(n)]
    pairs = list(pairwise(hits))
    return [pairs.count(pair) for pair in ((0, 0), (0, 1), (1, 0), (1, 1))]


@pytest.mark.parametrize(("n", "level", "at", "statistic", "p_value"), [case[:5] for case in RUGARCH])
def test_kupiec_is_that_of_rugarch(n: int, level: float, at: list[int], statistic: float, p_value: float) -> None:
    assert kupiec(len(at), n, level) == pytest.approx((statistic, p_value), abs=2e-10)


@pytest.mark.parametrize(("n", "level", "at", "statistic", "p_value"), [(*case[:3], *case[5:]) for case in RUGARCH])
def test_conditional_coverage_is_that_of_rugarch(n: int, level: float, at: list[int], statistic: float, p_value: float) -> None:
    of_number, _ = kupiec(len(at), n, level)
    independence, _ = christoffersen(*transitions(n, at))
    assert conditional_coverage(of_number, independence) == pytest.approx((statistic, p_value), abs=2e-10)


def test_kupiec_by_hand_without_an_exceedance() -> None:
    # No exceedance: the likelihood ratio is (1 - level) ** n over 1.
    statistic, p_value = kupiec(0, 100, 0.05)
    assert statistic == pytest.approx(-200 * log(0.95))
    assert p_value == pytest.approx(stats.chi2.sf(-200 * log(0.95), 1))


def test_christoffersen_by_hand() -> None:
    # 1 of 4 after none, 1 of 2 after one, 2 of 6 altogether.
    apart = log(1 / 4) + 3 * log(3 / 4) + log(1 / 2) + log(1 / 2)
    together = 2 * log(2 / 6) + 4 * log(4 / 6)
    statistic, p_value = christoffersen(3, 1, 1, 1)
    assert statistic == pytest.approx(2 * (apart - together))
    assert p_value == pytest.approx(stats.chi2.sf(2 * (apart - together), 1))


@pytest.mark.parametrize("counts", [(99, 0, 0, 0), (98, 1, 0, 0), (0, 0, 1, 9)])
def test_independence_is_not_known_where_only_one_kind_of_outcome_is_followed(counts: tuple[int, ...]) -> None:
    statistic, p_value = christoffersen(*counts)
    assert np.isnan([statistic, p_value]).all()


def test_many_tests_at_once_are_those_made_alone() -> None:
    x, n = np.array([3, 0, 12]), np.array([250, 100, 250])
    alone = [kupiec(a, b, 0.05) for a, b in zip(x.tolist(), n.tolist(), strict=True)]
    assert np.column_stack(kupiec(x, n, 0.05)).tolist() == [[float(s), float(p)] for s, p in alone]
