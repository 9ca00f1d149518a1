"""The scaler of preset article: that of scikit-learn, fitted on the training part, on its share scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.preprocessing import MinMaxScaler

from tests.forecast_builders import sample
from tickercast.jobs.forecasting.article_model import ArticleModel
from tickercast.jobs.forecasting.inputs import history_of
from tickercast.jobs.workspace.config import PRESETS

CONFIG = PRESETS["article"]


def test_the_scaler_is_scikit_learns_of_the_opens() -> None:
    bars = sample("IBM").select(slice(-300, None))
    bars = replace(bars, split=np.ones(len(bars)))
    model = ArticleModel(CONFIG, [history_of(bars, "open")])
    (figures,) = model.initial_state([1], None).figures
    scaler = MinMaxScaler().fit(bars.open[:, None])
    assert np.isclose(figures["scale"], scaler.scale_[0], rtol=1e-12)
    assert np.isclose(figures["offset"], scaler.min_[0], rtol=1e-12)


def test_prices_after_a_split_stay_on_the_scale_of_the_training() -> None:
    bars = sample("IBM").select(slice(-300, None))
    split = np.ones(300)
    split[-10] = 2.0
    halved = np.where(np.arange(300) >= 290, bars.open / 2, bars.open)
    changed = replace(bars, split=split, open=halved)
    whole = ArticleModel(CONFIG, [history_of(replace(bars, split=np.ones(300)), "open")])
    state = whole.initial_state([1], None)
    state.figures[0]["trained_through"] = float(bars.session[280].astype(np.int64))
    after = ArticleModel(CONFIG, [history_of(changed, "open")])._scaled(state)
    assert np.allclose(after, whole._scaled(state), rtol=1e-6)
