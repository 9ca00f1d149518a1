"""A config: every setting that shapes a forecast, and the id that names it. No other setting may change a forecast's bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache

from tickercast.jobs.errors import SettingsError
from tickercast.jobs.workspace.choices import Cell, Learns, Optimizer, Preset, PriceField, PriorKind, ReferenceKind, Schedule

FEWEST_SESSIONS = 130  # with fewer bars a volatility and its kurtosis cannot be estimated
SESSIONS_BEFORE_WINDOW = 30  # bars that a training needs in addition to its window
FEWEST_WINDOW = 21  # the density model leaves out the first 20 sessions of a window, so it needs one more (rnn.density)
ID_DIGITS = 16
BUNDLE = 2  # the version of the weight files in jobs/forecasting/bundled; raised whenever one of them changes
PRIOR_KEYS = ("prior", "universe", "bundle")


@dataclass(frozen=True, slots=True)
class Config:
    """The model and training settings of one forecast series.

    history_sessions: bars that a forecast reads (0 = all up to the chain's cold start, for preset article).
    reference: whether forecasts read the volatility index of their exchange, where it has one. events: whether they read company
    reports. assumed_sessions: how far ahead a report counts as announced where nobody recorded it.
    learns: what a ticker learns on top of a prior: one factor a horizon on its scale, or all params of its network.
    learned_sessions: bars that a cold start learns those factors from.
    recalibrate: whether the scale follows the ticker's own past errors.
    cold_every: sessions between fixed cold starts, by session index (0 = only a chain's first origin is cold).
    cold_epochs, warm_epochs: passes over the history. tune_epochs: passes of a cold start that begins from a prior.
    patience: epochs without a better validation loss before a training stops (0 = it never stops early).
    window: sessions that the network reads at once. truncation: sessions that a gradient flows back (0 = the whole window).
    prior: where cold starts begin: bundled, universe or none (from scratch). bundle: version of the bundled priors, 0 if unused.
    universe: members of the prior, sorted, empty if unused. prior_every: sessions between its fits, by session index.
    prior_sessions: bars of each member that it is fitted on. prior_steps: gradient steps of a fit, each on new windows.
    """

    preset: Preset
    cell: Cell
    layers: int
    hidden: int
    horizons: int
    field: PriceField
    history_sessions: int
    reference: ReferenceKind
    events: bool
    assumed_sessions: int
    learns: Learns
    learned_sessions: int
    cold_every: int
    cold_epochs: int
    warm_epochs: int
    optimizer: Optimizer
    schedule: Schedule
    learning_rate: float
    patience: int
    window: int
    truncation: int
    prior_every: int
    prior_sessions: int
    prior_steps: int
    prior_learning_rate: float
    tune_epochs: int
    recalibrate: bool
    prior: PriorKind = "none"
    universe: tuple[str, ...] = ()
    bundle: int = 0

    @property
    def fewest_sessions(self) -> int:
        """Return the number of bars that a forecast needs: enough for a volatility, its kurtosis and a training window."""
        return max(FEWEST_SESSIONS, self.window + SESSIONS_BEFORE_WINDOW)

    @property
    def settings_json(self) -> str:
        """Return the canonical JSON text, of which the id is a hash.

        A config without a prior has no keys of one, so it keeps the id that it had before these keys existed.
        """
        values = asdict(self)
        if self.prior == "none":
            values = {key: value for key, value in values.items() if key not in PRIOR_KEYS}
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @property
    def id(self) -> str:
        """Return the first 16 hexadecimal digits of the settings' sha256."""
        return _config_id(self)


@cache  # needed for every row of every forecast
def _config_id(config: Config) -> str:
    return hashlib.sha256(config.settings_json.encode()).hexdigest()[:ID_DIGITS]


def refuse_contradictions(config: Config) -> None:
    """Raise SettingsError where settings of a config contradict each other."""
    if config.preset == "article":
        if config.warm_epochs:
            raise SettingsError(f"training.warm_epochs is {config.warm_epochs}: preset article trains once; set it to 0")
        return
    if config.window < FEWEST_WINDOW:
        raise SettingsError(
            f"training.window is {config.window}: the density model needs at least {FEWEST_WINDOW} sessions, because the "
            f"first {FEWEST_WINDOW - 1} of a window do not count as targets"
        )
    read = {"model.history_sessions": config.history_sessions}
    if config.prior != "none" and config.learns == "scales":
        read["training.learned_sessions"] = config.learned_sessions
    for key, bars in read.items():
        if bars < config.fewest_sessions:
            raise SettingsError(
                f"{key} is {bars}: with training.window {config.window} the density model needs at least "
                f"{config.fewest_sessions} bars"
            )


PRESETS: dict[str, Config] = {
    "density": Config(
        preset="density",
        cell="gru",
        layers=1,
        hidden=32,
        horizons=5,
        field="close",
        history_sessions=504,
        reference="auto",
        events=True,
        assumed_sessions=5,
        learns="scales",
        learned_sessions=1512,
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
        prior_steps=250,
        prior_learning_rate=0.005,
        tune_epochs=1,
        recalibrate=False,
        prior="bundled",
        bundle=BUNDLE,
    ),
    "article": Config(
        preset="article",
        cell="elman",
        layers=1,
        hidden=50,
        horizons=1,
        field="open",
        history_sessions=0,
        reference="none",
        events=False,
        assumed_sessions=0,
        learns="network",
        learned_sessions=0,
        cold_every=0,
        cold_epochs=200,
        warm_epochs=0,
        optimizer="adam",
        schedule="half_cosine",
        learning_rate=0.01,
        patience=0,
        window=50,
        truncation=5,
        prior_every=0,
        prior_sessions=0,
        prior_steps=0,
        prior_learning_rate=0.0,
        tune_epochs=0,
        recalibrate=False,
    ),
}
