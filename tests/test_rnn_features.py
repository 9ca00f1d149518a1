"""Inputs, targets and baseline of the density network against arithmetic by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

import numpy as np
import pytest

from tests.rnn_builders import inputs_of, measures_of
from tickercast.rnn.context import CALENDAR_NAMES
from tickercast.rnn.features import ContextMeasures, bar_measures, density_inputs, ewma, stack_measures, unit_scale


def test_the_measures_of_two_bars_are_those_by_hand() -> None:
    """Garman-Klass: log(high / low)^2 / 2 - (2 log 2 - 1) log(close / open)^2, with logs of 0.02 and 0.01 on the first bar.

    0.0004 / 2 - 0.386294 x 0.0001 = 0.000161371. The second bar has no range. It comes after a split of 2, so its 1999
    shares are log(2000) - log(2) = log(1000) in the first bar's.
    """
    logs = {"open_": [0.0, 0.0], "high": [0.015, 0.0], "low": [-0.005, 0.0], "close": [0.01, 0.0]}
    unknown = np.array([np.nan, 0.1])
    bars = {name: np.exp(np.array(values)) for name, values in logs.items()}
    measures = bar_measures(**bars, volume=np.array([999, 1999]), log_return=unknown, split=np.array([1.0, 2.0]), gap=2 * unknown)
    assert np.allclose(measures.range_variance, [0.000161371, 0.0], atol=1e-9)
    assert np.allclose(measures.log_volume, np.log([1000.0, 1000.0]))
    assert np.array_equal(measures.log_return, unknown, equal_nan=True)
    assert np.array_equal(measures.gap, 2 * unknown, equal_nan=True)


def test_stacked_measures_are_those_of_each_history() -> None:
    measures = measures_of(2, 5)
    names = ("log_return", "range_variance", "gap", "log_volume")
    one, two = (replace(measures, **{name: getattr(measures, name)[k] for name in names}) for k in range(2))
    stacked = stack_measures([one, two])
    assert all(getattr(stacked, name).tobytes() == getattr(measures, name).tobytes() for name in names)


def test_a_target_is_the_return_over_its_horizon_in_units_of_volatility() -> None:
    measures, inputs = measures_of(1, 60), inputs_of(1, 60, 3)
    summed = measures.log_return[0, 41:44].sum()
    assert np.isclose(inputs.targets[0, 40, 2], summed / (inputs.sigma[0, 40] * np.sqrt(3)), rtol=1e-12)


def test_targets_after_the_last_session_are_zero() -> None:
    targets = inputs_of(1, 60, 3).targets[0]
    assert (targets[-3:] != 0).tolist() == [[True, True, False], [True, False, False], [False, False, False]]


def test_the_baselines_standard_deviation_grows_with_the_root_of_the_horizon() -> None:
    inputs = inputs_of(2, 60, 5)
    deviation = inputs.baseline_scale / unit_scale(inputs.baseline_dof)
    assert np.allclose(deviation, inputs.sigma[:, -1:] * np.sqrt([1, 2, 3, 4, 5]), rtol=1e-12)


def test_bars_without_a_range_tell_the_close_alone_and_one_such_bar_a_standstill() -> None:
    measures = measures_of(1, 60)
    variance = np.full((1, 60), 1e-4)
    variance[0, [20, 30, 31, 32]] = 0.0
    inputs = density_inputs(replace(measures, range_variance=variance), 3, np.float64)
    ranges, gaps = (inputs.features[0, :, inputs.names.index(name)] for name in ("range", "overnight gap"))
    assert np.flatnonzero(ranges == 0).tolist() == np.flatnonzero(gaps == 0).tolist() == [31, 32]
    assert ranges[20] == ranges[30] < ranges[21:30].min()


@pytest.mark.parametrize("later", [2.0, -0.5])
def test_later_bars_change_no_feature(later: float) -> None:
    measures = measures_of(1, 80)
    changed = measures.log_return.copy()
    changed[:, 60:] = later
    before, after = (density_inputs(each, 2).features for each in (measures, replace(measures, log_return=changed)))
    assert before[:, :60].tobytes() == after[:, :60].tobytes()


@pytest.mark.parametrize("n", [1, 31, 32, 33, 504])
def test_the_weighted_mean_in_blocks_is_the_one_step_by_step(n: int) -> None:
    values, first = np.random.default_rng(n).normal(0, 1, (4, n)), np.array([0.5, -1.0, 0.0, 2.0])
    steps = accumulate(values.T, lambda level, value: 0.94 * level + 0.06 * value, initial=first)
    assert np.allclose(ewma(values, first), np.array(list(steps)[1:]).T, rtol=1e-12, atol=1e-14)


def test_a_rows_weighted_mean_has_the_bytes_it_has_alone() -> None:
    values, first = np.random.default_rng(0).normal(0, 1, (4, 100)), np.ones(4)
    assert ewma(values[1:2], first[1:2]).tobytes() == ewma(values, first)[1:2].tobytes()


def test_the_newest_sessions_alone_have_the_bytes_that_they_have_among_all() -> None:
    measures = measures_of(3, 300)
    reports = (np.array([30, 120, 210, 290, 303]), None, np.array([250]))
    reference = np.where(np.arange(300) < 100, np.nan, 20.0) * np.ones((3, 1))
    context = ContextMeasures(reference, np.ones((3, 300, len(CALENDAR_NAMES))), reports)
    whole, part = (density_inputs(measures, 5, context=context, newest=newest) for newest in (None, 100))
    for name in ("features", "targets", "unit_ratio", "sigma"):
        assert np.array_equal(getattr(whole, name)[:, -100:], getattr(part, name))
    assert np.array_equal(whole.baseline_scale, part.baseline_scale)
