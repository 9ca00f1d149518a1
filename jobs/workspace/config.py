"""A config: every setting that shapes a forecast, and the id that names it. Nothing else may change a forecast's bytes.

Called by settings (which resolves one), advance and the commands that write.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

Preset = Literal["density", "article"]
Field = Literal["close", "open"]

# Fewer bars leave too little to estimate a volatility and its kurtosis.
FEWEST_SESSIONS = 130


@dataclass(frozen=True, slots=True)
class Config:
    """The model and training settings of one forecast series.

    history_sessions: bars a forecast may see (0 = all up to the chain's cold start, for the article's one training).
    cold_every: sessions between fixed cold starts, by calendar number (0 = only a chain's first origin is cold).
    cold_epochs, warm_epochs: passes over the history. window: sessions fed to the network at once. truncation: sessions
    a gradient flows back (0 = all of the window). patience: epochs without a better validation loss before a training
    stops (0 = it never does). prior_every: sessions between fits of the pooled prior, by calendar number (0 = none);
    prior_sessions: bars of each member that it learns from. tune_epochs: passes of a cold start that begins from a prior.
    recalibrate: whether the scale follows the ticker's own misses.
    """

    preset: Preset
    cell: str
    layers: int
    hidden: int
    horizons: int
    field: Field
    history_sessions: int
    market_ticker: str
    cold_every: int
    cold_epochs: int
    warm_epochs: int
    optimizer: str
    schedule: str
    learning_rate: float
    patience: int
    window: int
    truncation: int
    prior_every: int
    prior_sessions: int
    prior_epochs: int
    prior_learning_rate: float
    tune_epochs: int
    recalibrate: bool

    @property
    def fewest_sessions(self) -> int:
        """Return how many bars a forecast needs: enough for a volatility, its kurtosis and a training window."""
        return max(FEWEST_SESSIONS, self.window + 30)

    @property
    def settings_json(self) -> str:
        """Return the canonical text that the id is a hash of."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @property
    def id(self) -> str:
        """Return the first 16 hexadecimal digits of the settings' sha256."""
        return _config_id(self)


@cache  # asked for every row of every forecast
def _config_id(config: Config) -> str:
    return hashlib.sha256(config.settings_json.encode()).hexdigest()[:16]


PRESETS: dict[str, Config] = {
    "density": Config(
        preset="density",
        cell="gru",
        layers=1,
        hidden=16,
        horizons=5,
        field="close",
        history_sessions=504,
        market_ticker="",
        cold_every=63,
        cold_epochs=20,
        warm_epochs=1,
        optimizer="adam",
        schedule="constant",
        learning_rate=0.0001,
        patience=0,
        window=100,
        truncation=0,
        prior_every=252,
        prior_sessions=2500,
        prior_epochs=100,
        prior_learning_rate=0.01,
        tune_epochs=5,
        recalibrate=False,
    ),
    "article": Config(
        preset="article",
        cell="elman",
        layers=1,
        hidden=50,
        horizons=1,
        field="open",
        history_sessions=0,
        market_ticker="",
        cold_every=0,
        cold_epochs=200,
        warm_epochs=0,
        optimizer="adam",
        schedule="half_cosine",
        learning_rate=0.01,
        patience=0,
        window=50,
        truncation=0,
        prior_every=0,
        prior_sessions=0,
        prior_epochs=0,
        prior_learning_rate=0.0,
        tune_epochs=0,
        recalibrate=False,
    ),
}
