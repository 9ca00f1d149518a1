"""Explain: why the newest forecast differs from the one before, by recomputing it with one thing changed at a time.

There are four forecasts: the earlier one as stored; with the bars as known now; with the newest bar too; with the params that
serve now, which is the newest forecast. The three differences between them add up exactly. Nothing is written.
Not here: the words and the table for people (jobs.cli.explain_table).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tickercast.jobs import clock
from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.exchanges.symbols import parse_symbol
from tickercast.jobs.forecasting.context import Events, Reference
from tickercast.jobs.forecasting.inputs import ContextReader, ModelInput, history_of, visible_history
from tickercast.jobs.forecasting.model import network_of, state_of_bytes
from tickercast.jobs.forecasting.presets import model_for
from tickercast.jobs.forecasting.rows import quantile_prices
from tickercast.jobs.prices.tickers import stored_ticker
from tickercast.jobs.runs.spans import session_days
from tickercast.jobs.runs.stored_context import stored_events, stored_reference
from tickercast.jobs.workspace.config import Config
from tickercast.jobs.workspace.home import Home
from tickercast.rnn.density import ForecastDistribution
from tickercast.rnn.state import State
from tickercast.storage import queries
from tickercast.storage.bar_files import read_bars
from tickercast.storage.bars import BarHistory, as_known
from tickercast.storage.database import Connection, reading
from tickercast.storage.rows import QUANTILE_LEVELS


@dataclass(frozen=True, slots=True)
class ExplainedChange:
    """The change of one figure at one horizon: before + the three parts = now.

    what: `scale` and `location` in log returns, `width` = q95 - q05 as a share of the last price.
    """

    horizon: int
    what: str
    before: float
    restated_bars: float
    new_bar: float
    new_weights: float
    now: float


COLUMNS = tuple(field.name for field in fields(ExplainedChange))


@dataclass(frozen=True, slots=True)
class Explanation:
    """The changes at each horizon, between which origins, and the training of the newest one.

    trained: whether the newest origin has params of its own; reason: why they were trained, or why there are none.
    """

    ticker: str
    origins: tuple[date, date]
    changes: list[ExplainedChange]
    trained: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Inputs:
    """All that is read of the record for an explanation. Of each pair the earlier one comes first."""

    origins: tuple[date, date]
    models: tuple[queries.ServingModel, queries.ServingModel]
    contents: tuple[bytes, bytes]  # the checkpoints of the models
    known_at: datetime | None  # when the newest bar was recorded that the earlier forecast used
    history: BarHistory
    ticker: queries.TickerRow
    events: Events | None
    reference: Reference | None
    priors: tuple[State | None, State | None]


def explain(home: Home, symbol: str) -> Explanation:
    """Return what changed a ticker's forecast at its newest origin. Raises UsageError where there is nothing to compare."""
    symbol, config = parse_symbol(symbol), home.settings.config()
    with reading(home.database) as connection:
        inputs = _read_inputs(connection, home, symbol, config)
    (earlier, newest), (old, new), (prior_before, prior_now) = inputs.origins, inputs.contents, inputs.priors
    with threadpool_limits(1):
        forecasts = (
            _forecast(inputs, config, old, prior_before, earlier, inputs.known_at),
            _forecast(inputs, config, old, prior_before, earlier, None),
            _forecast(inputs, config, old, prior_before, newest, None),
            _forecast(inputs, config, new, prior_now, newest, None),
        )
    changes = []
    for h in range(config.horizons):
        changes.append(_change(h, "scale", [forecast.scale for forecast in forecasts]))
        changes.append(_change(h, "location", [forecast.location for forecast in forecasts]))
        changes.append(_change(h, "width", [_widths(forecast) for forecast in forecasts]))
    before, now = inputs.models
    return Explanation(symbol, inputs.origins, changes, now.model_id != before.model_id, now.reason)


def _read_inputs(connection: Connection, home: Home, symbol: str, config: Config) -> _Inputs:
    ticker = stored_ticker(connection, symbol)
    origins = sorted(queries.committed_origins(connection, ticker.id, config.id))[-2:]
    file = queries.current_file(connection, ticker.id)
    if len(origins) < 2 or file is None:
        raise UsageError(
            f"{symbol}: needs two forecast dates under the active config, found {len(origins)}; "
            f"run `tickercast backfill {symbol}`"
        )
    before, now = (queries.serving_model(connection, ticker.id, config.id, origin) for origin in origins)
    if before is None or now is None or before.content is None or now.content is None:
        raise UsageError(f"{symbol}: the params behind the forecasts of {origins[0]} are no longer kept; nothing to explain")
    return _Inputs(
        origins=(origins[0], origins[1]),
        models=(before, now),
        contents=(before.content, now.content),
        known_at=queries.known_at(connection, ticker.id, config.id, origins[0]),
        history=read_bars(home.prices, file.path, file.sha256),
        ticker=ticker,
        events=stored_events(connection, ticker.id, clock.now()) if config.events else None,
        reference=stored_reference(connection, home.prices, ticker.exchange, clock.now()) if config.reference == "auto" else None,
        priors=(_prior(connection, before), _prior(connection, now)),
    )


def _prior(connection: Connection, model: queries.ServingModel) -> State | None:
    """Return the prior that a model's chain began from."""
    content = queries.checkpoint_content(connection, model.prior_id) if model.prior_id else None
    return network_of(state_of_bytes(content)) if content else None


def _forecast(
    inputs: _Inputs, config: Config, checkpoint: bytes, prior: State | None, origin: date, known_at: datetime | None
) -> ForecastDistribution:
    """Return the distributions that a checkpoint gives at an origin, with the bars as known at an instant (None = now)."""
    bars = as_known(inputs.history, known_at=known_at, through=origin)
    visible = visible_history(history_of(bars, config.field), len(bars), config)
    calendar = session_days(exchange_calendar(inputs.ticker.exchange), visible.bars.session[0].item(), origin)
    context = ContextReader(calendar, inputs.reference, config.assumed_sessions).known(visible, inputs.events)
    model = model_for(config, [ModelInput(visible, context)], prior)
    return model.predict(state_of_bytes(checkpoint)).forecast


def _change(h: int, what: str, figures: Sequence[NDArray[np.floating]]) -> ExplainedChange:
    """Return the change of one figure at horizon h + 1. figures: arrays (1, horizons) of the four forecasts, in order."""
    values = [float(figure[0, h]) for figure in figures]
    restated_bars, new_bar, new_weights = np.diff(values).tolist()
    return ExplainedChange(h + 1, what, values[0], restated_bars, new_bar, new_weights, values[-1])


def _widths(forecast: ForecastDistribution) -> NDArray[np.floating]:
    """Return (1, horizons): the 5-95 % range of the price as a share of the last price."""
    prices = quantile_prices([1.0], forecast)
    names = list(QUANTILE_LEVELS)
    widths: NDArray[np.floating] = prices[..., names.index("q95")] - prices[..., names.index("q05")]
    return widths
