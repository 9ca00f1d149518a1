"""Other models: each by hand or by its own package, each causal, and the score that compares them."""

from __future__ import annotations

import numpy as np
import pytest
from arch import arch_model

from tickercast.jobs.analysis.baselines import BASELINE_METHODS, GRID_LEVELS, Method, ewma_filtered, pinball_score, random_walk
from tickercast.jobs.analysis.garch import garch_t, gjr_skewed_t
from tickercast.jobs.scoring.distributions import crps_student_t, student_t_quantiles

N = 1400


def series(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sigma = 0.01 * np.exp(0.5 * np.sin(np.arange(N) / 60))
    return rng.normal(0, sigma), sigma**2 * rng.gamma(4, 0.25, N)


@pytest.mark.parametrize("method", BASELINE_METHODS.values(), ids=list(BASELINE_METHODS))
@pytest.mark.parametrize("horizon", [1, 5])
def test_a_method_reads_nothing_after_its_origin(method: Method, horizon: int) -> None:
    returns, variance = series()
    origins = np.array([1100, 1200])
    later, later_variance = returns.copy(), variance.copy()
    later[1201:], later_variance[1201:] = 9.0, 9.0
    ours = method(returns, variance, horizon, origins)
    assert np.array_equal(ours, method(later, later_variance, horizon, origins))
    assert (np.diff(ours, axis=1) > 0).all()


def test_the_random_walk_is_the_quantiles_of_the_last_thousand_sums() -> None:
    returns, variance = series()
    sums = np.array([returns[t - 2 : t + 1].sum() for t in range(1300 - 999, 1301)])
    assert np.allclose(random_walk(returns, variance, 3, np.array([1300]))[0], np.quantile(sums, GRID_LEVELS))


def test_filtered_history_follows_volatility() -> None:
    returns, variance = series()
    wild = returns.copy()
    wild[1290:1301] *= 5
    calm, high = (ewma_filtered(r, variance, 1, np.array([1300]))[0] for r in (returns, wild))
    assert (high[-1] - high[0]) > 2 * (calm[-1] - calm[0])


@pytest.mark.parametrize(("method", "order"), [(garch_t, 0), (gjr_skewed_t, 1)])
def test_garch_forecasts_are_the_packages_own(method: Method, order: int) -> None:
    returns, variance = series()
    origins = np.array([1300, 1340])
    ours = method(returns, variance, 1, origins)
    model = arch_model(100 * returns[1:1301], mean="Constant", vol="GARCH", p=1, o=order, q=1, dist="skewt" if order else "t")
    fit = model.fit(disp="off")
    again = arch_model(100 * returns[1:1341], mean="Constant", vol="GARCH", p=1, o=order, q=1, dist="skewt" if order else "t")
    shape = fit.params[-2:].to_numpy() if order else fit.params[-1:].to_numpy()
    spread = fit.model.distribution.ppf(GRID_LEVELS, shape)
    first = fit.forecast(horizon=1).variance.to_numpy()[-1, 0]
    second = again.fix(fit.params).forecast(horizon=1).variance.to_numpy()[-1, 0]
    for row, ahead, tolerance in ((ours[0], first, 1e-6), (ours[1], second, 1e-3)):
        assert np.allclose(100 * row, fit.params["mu"] + np.sqrt(ahead) * spread, rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize(("method", "order", "distribution"), [(garch_t, 0, "t"), (gjr_skewed_t, 1, "skewt")])
def test_several_sessions_of_garch_are_those_of_the_packages_own_simulation(
    method: Method, order: int, distribution: str
) -> None:
    returns, variance = series()
    ours = 100 * method(returns, variance, 5, np.array([1300]))[0]
    model = arch_model(100 * returns[1:1301], mean="Constant", vol="GARCH", p=1, o=order, q=1, dist=distribution)
    fit = model.fit(disp="off")
    np.random.seed(7)
    simulated = fit.forecast(horizon=5, method="simulation", simulations=40_000).simulations.values[-1].sum(axis=1)
    theirs = np.quantile(simulated, GRID_LEVELS)
    assert np.abs(ours - theirs).max() < 0.03 * (theirs[-1] - theirs[0])


def test_the_pinball_score_approaches_the_crps() -> None:
    rng = np.random.default_rng(1)
    value, location = rng.normal(0, 0.02, 4000), np.zeros(4000)
    scale, dof = np.full(4000, 0.015), np.full(4000, 6.0)
    quantiles = student_t_quantiles(location, scale, dof, GRID_LEVELS.tolist())
    assert pinball_score(quantiles, value).mean() == pytest.approx(
        float(crps_student_t(value, location, scale, dof).mean()), rel=0.05
    )
    # By hand: one level's loss at a miss of 1 is its weight; the mean over the grid of |1{y<q} - p| is 1/2 at the median.
    assert pinball_score(np.zeros((1, 19)), np.array([1.0]))[0] == pytest.approx(2 * 0.5)
