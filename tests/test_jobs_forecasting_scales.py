"""Stacks of tickers that learn factors on a bundled prior: when the factors go, and which prior each kind of security has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy import stats

from tests.forecast_builders import moved, rows_of, sample, sessions, task_of
from tickercast.jobs.forecasting.density_model import ScaledModel, inputs_of
from tickercast.jobs.forecasting.inputs import ModelInput, history_of, visible_history
from tickercast.jobs.forecasting.model import ModelState, network_of, state_bytes, state_of_bytes
from tickercast.jobs.forecasting.stack import forecast_stack
from tickercast.jobs.forecasting.tasks import StackResult, StackTask
from tickercast.jobs.runs.bundle import as_prior, bundled_priors, matching_priors
from tickercast.jobs.workspace.config import PRESETS, Config
from tickercast.rnn.scales import Scales, newest_outputs, no_scales
from tickercast.rnn.state import State

CONFIG = PRESETS["density"]
DAYS = sessions("2016-01-12", "2016-01-14")
FAMILIES = {"stock": "stock", "fund": "fund", "index": "fund", "crypto": "crypto", "currency": "crypto"}


def task(days: Sequence[date], config: Config = CONFIG, tickers: Sequence[str] = ("IBM", "MSFT")) -> StackTask:
    """Return a task of stocks with the bundled priors. tickers: of the sample."""
    priors = tuple(as_prior(prior, config) for prior in matching_priors(config))
    bars = {f"{i} {ticker}": moved(sample(ticker)) for i, ticker in enumerate(tickers)}
    return replace(task_of(bars, days, config), priors=priors)


def scales_of(log_factor: float) -> Scales:
    """Return what makes each factor e to a power, learned from more targets than a record has."""
    information = np.full((1, CONFIG.horizons), 1e15)
    return Scales(information * log_factor, information, information)


def after(first: StackResult, task: StackTask, log_factor: float | None = None) -> StackResult:
    """Return what follows a first result. log_factor: what IBM has learned instead, None for nothing else."""
    parents = dict(first.parents)
    if log_factor is not None:
        content = state_bytes(ModelState(scales_of(log_factor), ({},)), "IBM", DAYS[0], task.config)
        parents[0] = replace(parents[0], checkpoint=content)
    return forecast_stack(replace(task, tickers=tuple(replace(t, parent=parents[t.ticker_id]) for t in task.tickers)))


@pytest.fixture(scope="module")
def first() -> StackResult:
    return forecast_stack(task(DAYS[:1]))


def test_factors_that_lose_against_the_prior_alone_go_and_nothing_is_learned_in_their_place(first: StackResult) -> None:
    drifted, sound = after(first, task(DAYS[1:]), log_factor=1.0), after(first, task(DAYS[1:]))
    models = {row.origin: row for row in drifted.models if row.ticker_id == 0}
    assert [(row.start, row.reason, row.epochs) for row in models.values()] == [("cold", "drift", 0), ("warm", "warm", 1)]
    assert (models[DAYS[1]].parent_id, models[DAYS[2]].parent_id) == (None, models[DAYS[1]].id)
    kept = state_of_bytes(drifted.parents[0].checkpoint).learned
    assert isinstance(kept, Scales)
    assert kept.targets.tolist() == [[1.0] * CONFIG.horizons]  # of the warm start after it
    assert [row for row in drifted.losses if row.model_id == models[DAYS[1]].id] == []
    assert {row.reason for row in sound.models} == {"warm"}
    assert rows_of(drifted, 1) == rows_of(sound, 1)


def test_where_factors_have_gone_the_forecast_is_that_of_the_prior_alone(first: StackResult) -> None:
    alone = forecast_stack(task(DAYS[1:2], replace(CONFIG, tune_epochs=0, warm_epochs=0)))
    drifted = after(first, task(DAYS[1:2]), log_factor=1.0)
    learned = after(first, task(DAYS[1:2]))
    numbers = [result.origins[0].numbers for result in (alone, drifted, learned)]
    assert numbers[0] == numbers[1]
    assert numbers[0] != numbers[2]


def loss_against_the_prior(prior: State, item: ModelInput, log_factor: float, window: int) -> float:
    """Return by how many nats a target a factor does worse than the prior alone one session ahead, on the newest 63 targets."""
    outputs = newest_outputs(prior, inputs_of(CONFIG, [item]), window)
    target, location, log_scale, dof = (
        getattr(outputs, name)[0, -64:-1, 0] for name in ("target", "location", "log_scale", "dof")
    )
    assert len(target) == 63
    alone, ours = (stats.t.logpdf(target, dof, location, np.exp(log_scale + log)).mean() for log in (0.0, log_factor))
    return float(alone - ours)


@pytest.mark.parametrize(("window", "read"), [(100, 100), (21, 84)])
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_factors_go_beyond_two_hundredths_of_a_nat_a_target_on_the_newest_63(direction: float, window: int, read: int) -> None:
    prior = network_of(state_of_bytes(bundled_priors()[0].content()))
    item = ModelInput(visible_history(history_of(moved(sample("IBM")), "close"), 320, CONFIG))
    model = ScaledModel(replace(CONFIG, window=window), inputs_of(CONFIG, [item]), prior, None)
    low, high = 0.0, 2.0 * direction
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if loss_against_the_prior(prior, item, middle, read) > 0.02 else (middle, high)
    for log_factor, expected in ((low * (1 - 1e-6), False), (high * (1 + 1e-6), True)):
        trained = model.train(ModelState(scales_of(log_factor), ({},)), 1, [1], prior)
        assert trained.drifted.tolist() == [expected]


def test_of_a_cold_start_nothing_drifts() -> None:
    prior = network_of(state_of_bytes(bundled_priors()[0].content()))
    inputs = inputs_of(CONFIG, [ModelInput(history_of(moved(sample("IBM")), "close"))])
    trained = ScaledModel(CONFIG, inputs, prior, inputs).train(ModelState(no_scales(1, 5), ({},)), 1, [1], prior)
    assert trained.drifted.tolist() == [False]


def test_each_kind_of_security_has_the_prior_of_its_family_and_the_bytes_that_it_has_alone() -> None:
    stack = task(DAYS[:2], tickers=["IBM"] * len(FAMILIES))
    stack = replace(stack, tickers=tuple(replace(t, kind=kind) for t, kind in zip(stack.tickers, FAMILIES, strict=True)))
    together = forecast_stack(stack)
    by_id = {as_prior(prior, CONFIG).model_id: (prior.family, str(prior.cutoff)) for prior in bundled_priors()}
    found = {stack.tickers[row.ticker_id].kind: by_id[row.prior_id or ""] for row in together.models}
    assert found == {kind: (family, "2016-01-01") for kind, family in FAMILIES.items()}
    alone = [rows_of(forecast_stack(replace(stack, tickers=(ticker,))), ticker.ticker_id) for ticker in stack.tickers]
    assert alone == [rows_of(together, ticker.ticker_id) for ticker in stack.tickers]
    # The bars are the same, so kinds of one family have equal forecasts, and families have different ones.
    numbers = {FAMILIES[stack.tickers[row.ticker_id].kind]: row.numbers for row in together.origins if row.origin == DAYS[0]}
    assert numbers["stock"] != numbers["fund"] != numbers["crypto"] != numbers["stock"]
