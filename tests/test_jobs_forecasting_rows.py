"""Rows of the record: published quantiles against SciPy, what is published at all, and each column's source."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from scipy import stats

from tickercast.jobs.forecasting.inputs import ModelInput, history_of
from tickercast.jobs.forecasting.model import ModelState, Trained
from tickercast.jobs.forecasting.rows import (
    are_publishable,
    forecast_numbers,
    loss_rows,
    model_row,
    origin_row,
    quantile_prices,
    recalibration_rows,
    twin_rows,
)
from tickercast.jobs.forecasting.tasks import Origin, OriginTask, Parent, Prior, TickerTask
from tickercast.jobs.workspace.config import PRESETS
from tickercast.rnn.density import ForecastDistribution
from tickercast.rnn.params import NetworkShape
from tickercast.rnn.state import cold_state
from tickercast.rnn.training import Curves
from tickercast.storage.bars import Bars, make_bars
from tickercast.storage.rows import FORECAST_NUMBERS

CONFIG = replace(PRESETS["density"], horizons=2)
RECORDED = datetime(2024, 3, 6, 22, 15, tzinfo=UTC)
TARGETS = (date(2024, 3, 7), date(2024, 3, 8))
# Two networks; all tests look at the second one, so that a row of the first would show.
FORECAST = ForecastDistribution(
    np.array([[9.0, 9.0], [0.001, -0.002]]), np.array([[9.0, 9.0], [0.02, 0.03]]), np.array([[9.0, 9.0], [4.0, np.nan]])
)
BASELINE = ForecastDistribution(
    np.array([[9.0, 9.0], [0.0, 0.0]]), np.array([[9.0, 9.0], [0.025, 0.035]]), np.array([[9.0, 9.0], [5.0, 7.0]])
)
PARENT = Parent("parent", date(2024, 3, 5), 3, "ancestor", "hash before", b"")
PRIOR = Prior("prior", date(2024, 3, 1), b"")


def bars() -> Bars:
    close = np.array([98.0, 99.0, 100.0])
    columns = {"open": close - 1, "high": close + 2, "low": close - 2, "close": close, "volume": np.ones(3)}
    early = make_bars(np.datetime64("2024-03-04") + np.arange(3), columns).recorded(RECORDED, "sample")
    return replace(early, recorded_at=early.recorded_at - np.array([0, 0, 60_000_000]).astype("timedelta64[us]"))


def task(reason: str = "warm", parent: Parent | None = PARENT, prior: Prior | None = PRIOR) -> OriginTask:
    ticker = TickerTask(7, "IBM", "as_traded", bars(), frozenset({date(2024, 3, 6)}), parent)
    origin = Origin(date(2024, 3, 6), 1234, TARGETS)
    model_input = ModelInput(history_of(bars(), "close"))
    return OriginTask(ticker, origin, model_input, "hash now", None, "hash of the training", reason, parent, prior, 42)


def trained() -> Trained:
    training = Curves(
        train_loss=np.array([[9.0, 1.5], [9.0, 1.25], [9.0, np.nan]]),
        validation_loss=np.array([[9.0, 2.5], [9.0, np.nan], [9.0, np.nan]]),
        gradient_norm=np.array([[9.0, 0.5], [9.0, 0.25], [9.0, np.nan]]),
        epochs=np.array([3, 2]),
        updates=np.array([30, 20]),
        faults=("", ""),
        learning_rates=(0.1, 0.05, 0.025),
    )
    return Trained(
        training, ModelState(cold_state([1, 2], NetworkShape(1, 1, 1)), ({}, {})), np.array([False, False]), seconds=0.125
    )


def published() -> list[dict[str, float | None]]:
    """Return the numbers of the second network's forecasts, by name, at each horizon."""
    rows = forecast_numbers([9.0, 100.0], FORECAST, BASELINE)[1]
    return [dict(zip(FORECAST_NUMBERS, row, strict=True)) for row in rows]


def test_each_published_quantile_is_the_price_that_the_return_stays_below_with_that_probability() -> None:
    row = published()[0]
    levels = {"q05": 0.05, "q10": 0.10, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q90": 0.90, "q95": 0.95}
    expected = {name: 100.0 * np.exp(stats.t.ppf(level, 4.0, 0.001, 0.02)) for name, level in levels.items()}
    assert {name: row[name] for name in levels} == pytest.approx(expected, rel=1e-12)


def test_without_degrees_of_freedom_the_quantiles_are_those_of_a_normal() -> None:
    row = published()[1]
    levels = {"q05": 0.05, "q10": 0.10, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q90": 0.90, "q95": 0.95}
    expected = {name: 100.0 * np.exp(stats.norm.ppf(level, -0.002, 0.03)) for name, level in levels.items()}
    assert {name: row[name] for name in levels} == pytest.approx(expected, rel=1e-12)
    assert row["dof"] is None


def test_the_quantile_prices_of_a_network_are_a_row_a_horizon() -> None:
    prices = quantile_prices([9.0, 50.0], FORECAST)
    assert prices.shape == (2, 2, 7)
    assert prices[1, :, 3] == pytest.approx([50 * np.exp(0.001), 50 * np.exp(-0.002)])


def test_the_numbers_of_a_forecast_are_those_of_its_distribution_and_the_baselines() -> None:
    first, second = published()
    assert (first["location"], first["scale"], first["dof"]) == (0.001, 0.02, 4.0)
    assert (first["baseline_location"], first["baseline_scale"], first["baseline_dof"]) == (0.0, 0.025, 5.0)
    assert (second["baseline_scale"], second["baseline_dof"], second["location"], second["scale"]) == (0.035, 7.0, -0.002, 0.03)


def test_a_network_alone_has_the_numbers_that_it_has_in_a_stack() -> None:
    alone = [ForecastDistribution(d.location[1:], d.scale[1:], d.dof[1:]) for d in (FORECAST, BASELINE)]
    assert forecast_numbers([100.0], *alone)[0] == forecast_numbers([9.0, 100.0], FORECAST, BASELINE)[1]


def test_no_number_is_a_negative_zero_because_sqlite_has_none() -> None:
    flat = ForecastDistribution(np.full((1, 1), -0.0), np.ones((1, 1)), np.ones((1, 1)))
    assert [str(value) for value in forecast_numbers([1.0], flat, flat)[0][0] if value == 0] == ["0.0", "0.0"]


def test_an_origins_row_says_what_its_forecasts_were_made_from() -> None:
    row = origin_row(task(), [[1.0], [2.0]], model_id="m", config=CONFIG)
    assert (row.targets, row.numbers) == (TARGETS, [[1.0], [2.0]])
    assert (row.ticker_id, row.config_id, row.origin, row.field) == (7, CONFIG.id, date(2024, 3, 6), "close")
    assert (row.last_price, row.input_sha256, row.price_basis, row.model_id) == (100.0, "hash now", "as_traded", "m")


def test_known_at_is_when_the_newest_record_among_the_bars_was_made() -> None:
    assert origin_row(task(), [], model_id="m", config=CONFIG).known_at == RECORDED


def test_a_forecast_of_the_open_starts_from_the_last_open() -> None:
    row = origin_row(task(), [], model_id="m", config=replace(CONFIG, field="open"))
    assert (row.field, row.last_price) == ("open", 99.0)


@pytest.mark.parametrize(
    ("location", "scale", "expected"),
    [
        ([0.0, 0.0], [0.02, 0.03], True),
        ([0.999, -0.999], [0.999, 0.999], True),
        ([1.0, 0.0], [0.02, 0.03], False),
        ([0.0, -1.0], [0.02, 0.03], False),
        ([np.nan, 0.0], [0.02, 0.03], False),
        ([0.0, np.inf], [0.02, 0.03], False),
        ([0.0, 0.0], [0.0, 0.03], False),
        ([0.0, 0.0], [0.02, -0.03], False),
        ([0.0, 0.0], [1.0, 0.03], False),
        ([0.0, 0.0], [0.02, np.nan], False),
        ([0.0, 0.0], [np.inf, 0.03], False),
    ],
)
def test_a_forecast_is_published_when_it_is_finite_and_no_wider_than_a_price_can_be(
    location: list[float], scale: list[float], expected: bool
) -> None:
    forecast = ForecastDistribution(np.array([[0.0, 0.0], location]), np.array([[0.1, 0.1], scale]), np.full((2, 2), 5.0))
    assert are_publishable(forecast).tolist() == [True, expected]


def test_a_twin_is_stored_unscored_under_its_own_name() -> None:
    first, second = twin_rows(task(), FORECAST, 1, CONFIG)
    assert (first.ticker_id, first.config_id, first.origin, first.name) == (7, CONFIG.id, date(2024, 3, 6), "cold twin")
    assert (first.horizon, first.location, first.scale, first.dof, first.crps) == (1, 0.001, 0.02, 4.0, None)
    assert (second.horizon, second.location, second.scale, second.dof, second.crps) == (2, -0.002, 0.03, None, None)


def test_a_recalibration_keeps_the_factor_and_the_scale_before_it() -> None:
    first, second = recalibration_rows(task(), np.array([1.25, 0.75]), np.array([0.02, 0.03]), CONFIG)
    assert (first.ticker_id, first.config_id, first.origin) == (7, CONFIG.id, date(2024, 3, 6))
    assert (first.horizon, first.scale_factor, first.raw_scale) == (1, 1.25, 0.02)
    assert (second.horizon, second.scale_factor, second.raw_scale) == (2, 0.75, 0.03)


def test_a_warm_model_continues_its_parent() -> None:
    row = model_row(task(), trained(), 1, model_id="m", role="chain", features="f", sha256="s", config=CONFIG)
    assert (row.start, row.reason, row.parent_id, row.depth, row.cold_ancestor_id) == ("warm", "warm", "parent", 4, "ancestor")
    assert (row.id, row.ticker_id, row.config_id, row.origin, row.role) == ("m", 7, CONFIG.id, date(2024, 3, 6), "chain")
    assert (row.prior_id, row.epochs, row.updates, row.seed, row.seconds) == ("prior", 2, 20, 42, 0.125)
    assert (row.input_sha256, row.features, row.checkpoint_sha256) == ("hash of the training", "f", "s")


@pytest.mark.parametrize("reason", ["schedule", "twin", "drift", "restatement", "command"])
def test_a_cold_model_begins_a_chain_of_its_own_whatever_came_before(reason: str) -> None:
    row = model_row(task(reason), trained(), 1, model_id="m", role="chain", features="f", sha256="s", config=CONFIG)
    assert (row.start, row.reason, row.parent_id, row.depth, row.cold_ancestor_id) == ("cold", reason, None, 0, "m")


def test_a_model_without_a_prior_names_none() -> None:
    first = task("first origin", parent=None, prior=None)
    row = model_row(first, trained(), 1, model_id="m", role="chain", features="f", sha256="s", config=CONFIG)
    assert (row.start, row.prior_id, row.parent_id) == ("cold", None, None)


def test_losses_are_a_row_an_epoch_that_the_network_took() -> None:
    first, second = loss_rows("m", trained().training, 1)
    assert (first.model_id, first.epoch, first.train_loss, first.validation_loss) == ("m", 0, 1.5, 2.5)
    assert (first.gradient_norm, first.learning_rate) == (0.5, 0.1)
    assert (second.epoch, second.train_loss, second.validation_loss, second.gradient_norm) == (1, 1.25, None, 0.25)
    assert second.learning_rate == 0.05
