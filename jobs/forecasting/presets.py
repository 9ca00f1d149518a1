"""Which model a config's preset names."""

from __future__ import annotations

from collections.abc import Sequence

from tickercast.jobs.forecasting.article_model import ArticleModel
from tickercast.jobs.forecasting.density_model import density_model
from tickercast.jobs.forecasting.inputs import ModelInput
from tickercast.jobs.forecasting.model import ForecastModel
from tickercast.jobs.workspace.config import Config
from tickercast.rnn.state import State


def model_for(
    config: Config, inputs: Sequence[ModelInput], prior: State | None = None, longer: Sequence[ModelInput] | None = None
) -> ForecastModel:
    """Return the model of a config's preset, for some inputs of equal length.

    prior: the network that all of them began from, if any. longer: what a cold start of the same tickers learns from.
    """
    if config.preset == "article":
        return ArticleModel(config, [item.history for item in inputs])
    return density_model(config, inputs, prior, longer)
