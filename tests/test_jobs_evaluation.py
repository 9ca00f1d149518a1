"""The evaluation: comparisons by hand, causal, and a table that agrees with the record it is made of."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from arch import arch_model

from jobs.analysis.garch import garch_t, gjr_skewed_t
from jobs.scoring.distributions import crps_student_t, student_t_quantiles
from rnn.comparisons import LEVELS, METHODS, ewma_filtered, pinball_score, random_walk
from tests.conftest import Command

N = 1400


def series(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sigma = 0.01 * np.exp(0.5 * np.sin(np.arange(N) / 60))
    return rng.normal(0, sigma), sigma**2 * rng.gamma(4, 0.25, N)


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
@pytest.mark.parametrize("horizon", [1, 5])
def test_a_comparison_knows_nothing_after_its_origin(method: object, horizon: int) -> None:
    returns, variance = series()
    origins = np.array([1100, 1200])
    later, later_variance = returns.copy(), variance.copy()
    later[1201:], later_variance[1201:] = 9.0, 9.0
    ours = method(returns, variance, horizon, origins)  # type: ignore[operator]
    assert np.array_equal(ours, method(later, later_variance, horizon, origins))  # type: ignore[operator]
    assert (np.diff(ours, axis=1) > 0).all()


def test_the_random_walk_is_the_quantiles_of_the_last_thousand_sums() -> None:
    returns, variance = series()
    sums = np.array([returns[t - 2 : t + 1].sum() for t in range(1300 - 999, 1301)])
    assert np.allclose(random_walk(returns, variance, 3, np.array([1300]))[0], np.quantile(sums, LEVELS))


def test_filtered_history_follows_volatility() -> None:
    returns, variance = series()
    wild = returns.copy()
    wild[1290:1301] *= 5
    calm, high = (ewma_filtered(r, variance, 1, np.array([1300]))[0] for r in (returns, wild))
    assert (high[-1] - high[0]) > 2 * (calm[-1] - calm[0])


@pytest.mark.parametrize(("method", "order"), [(garch_t, 0), (gjr_skewed_t, 1)])
def test_garch_forecasts_are_the_packages_own(method: object, order: int) -> None:
    returns, variance = series()
    origins = np.array([1300, 1340])
    ours = method(returns, variance, 1, origins)  # type: ignore[operator]
    model = arch_model(100 * returns[1:1301], mean="Constant", vol="GARCH", p=1, o=order, q=1, dist="skewt" if order else "t")
    fit = model.fit(disp="off")
    again = arch_model(100 * returns[1:1341], mean="Constant", vol="GARCH", p=1, o=order, q=1, dist="skewt" if order else "t")
    shape = fit.params[-2:].to_numpy() if order else fit.params[-1:].to_numpy()
    spread = fit.model.distribution.ppf(LEVELS, shape)
    first = fit.forecast(horizon=1).variance.to_numpy()[-1, 0]
    second = again.fix(fit.params).forecast(horizon=1).variance.to_numpy()[-1, 0]
    for row, ahead, tolerance in ((ours[0], first, 1e-6), (ours[1], second, 1e-3)):
        assert np.allclose(100 * row, fit.params["mu"] + np.sqrt(ahead) * spread, rtol=tolerance, atol=1e-6)


def test_several_sessions_of_garch_sum_the_expected_variances() -> None:
    returns, variance = series()
    one, five = (garch_t(returns, variance, h, np.array([1300]))[0] for h in (1, 5))
    assert 1.8 < (five[-1] - five[0]) / (one[-1] - one[0]) < 2.8


def test_the_pinball_score_approaches_the_crps() -> None:
    rng = np.random.default_rng(1)
    value, location = rng.normal(0, 0.02, 4000), np.zeros(4000)
    scale, dof = np.full(4000, 0.015), np.full(4000, 6.0)
    quantiles = student_t_quantiles(location, scale, dof, LEVELS.tolist())
    assert pinball_score(quantiles, value).mean() == pytest.approx(
        float(crps_student_t(value, location, scale, dof).mean()), rel=0.05
    )
    # By hand: one level's loss at a miss of 1 is its weight; the mean over the grid of |1{y<q} - p| is 1/2 at the median.
    assert pinball_score(np.zeros((1, 19)), np.array([1.0]))[0] == pytest.approx(2 * 0.5)


def test_the_command_prints_every_method_on_the_same_origins(tickercast: Command, tmp_path: Path) -> None:
    asked = ("evaluate", "IBM", "MSFT", "--source", "sample", "--start", "2012-11-01", "--end", "2013-02-20", "--format", "csv")
    done = tickercast(*asked, "--workers", 1, TICKERCAST_TRAINING__PRIOR_EPOCHS="3")
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 2 * 3 * (1 + len(METHODS))
    assert {row["n"] for row in rows if row["horizon"] == "1" and row["last_origin"] == "2013-02-20"} == {"150", "76"}
    assert all(0.5 < float(row["ours_over_it"]) < 1.5 for row in rows)
    assert "config" in done.stderr
    assert not list(tmp_path.glob("tickercast-home*"))


def test_baselines_are_stored_once_beside_the_forecasts(tickercast: Command) -> None:
    span = ("backfill", "IBM", "--source", "sample", "--start", "2013-01-02", "--end", "2013-02-20", "--workers", 1)
    before = tickercast(*span, TICKERCAST_TRAINING__PRIOR_EPOCHS="3")
    forecasts = ("sql", "SELECT sum(scale), sum(q50), count(*) FROM forecast_history", "--format", "csv")
    plain = tickercast(*forecasts).stdout
    first, again = (tickercast(*span, "--baselines", TICKERCAST_TRAINING__PRIOR_EPOCHS="3") for _ in range(2))
    assert (before.returncode, first.returncode, again.returncode) == (0, 0, 0)
    assert "; 1020 baseline rows" in first.stderr  # 34 settled origins x 5 horizons x 6 methods
    assert "; 0 baseline rows" in again.stderr
    assert tickercast(*forecasts).stdout == plain
    rows = tickercast("sql", "SELECT name, n, ratio FROM baseline_skill WHERE horizon = 1", "--format", "csv").stdout
    table = {row["name"]: row for row in csv.DictReader(io.StringIO(rows))}
    assert len(table) == 5
    assert all(int(row["n"]) == 34 and 0.8 < float(row["ratio"]) < 1.2 for row in table.values())
    assert tickercast("verify").returncode == 0


def test_a_span_without_bars_before_it_is_told(tickercast: Command) -> None:
    done = tickercast("evaluate", "FB", "--source", "sample", "--start", "2013-01-02", "--end", "2013-01-10")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
