"""Which model a config's preset names."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.forecasting.article_model import ArticleModel
from jobs.forecasting.density_model import density_model
from jobs.forecasting.inputs import ModelInput
from jobs.forecasting.model import ForecastModel
from jobs.workspace.config import Config


def model_for(config: Config, inputs: Sequence[ModelInput]) -> ForecastModel:
    """Return the model of a config's preset, for some inputs of equal length."""
    if config.preset == "article":
        return ArticleModel(config, [item.history for item in inputs])
    return density_model(config, inputs)
