"""Turns trained models and predictions into rows of the record, and tells the chains what now serves them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from tickercast.jobs.forecasting.chains import Chains
from tickercast.jobs.forecasting.identity import model_id_of
from tickercast.jobs.forecasting.model import ForecastModel, Prediction, Trained, state_bytes
from tickercast.jobs.forecasting.recalibration import PastForecast, scale_factors
from tickercast.jobs.forecasting.rows import (
    are_publishable,
    forecast_numbers,
    last_price,
    loss_rows,
    model_row,
    origin_row,
    recalibration_rows,
    twin_rows,
)
from tickercast.jobs.forecasting.tasks import OriginTask, StackResult, TickerTask, TrainingEvent
from tickercast.jobs.workspace.config import Config
from tickercast.rnn.density import ForecastDistribution
from tickercast.storage.rows import CheckpointRow, ModelRow


class StackRecorder:
    """Collects the rows of a stack. Models are recorded before the forecasts that they make."""

    def __init__(self, config: Config, chains: Chains) -> None:
        self.config, self.chains = config, chains
        self.result = StackResult()

    def record_models(self, tasks: Sequence[OriginTask], features: str, trained: Trained) -> None:
        """Record each training as its chain's newest model. One that diverged leaves an event, and its parent serves."""
        for k, task in enumerate(tasks):
            fault = trained.training.faults[k]
            if fault:
                self._note(task, f"{task.reason} training diverged ({fault}) and is not used; the parent's params serve")
                continue
            state = trained.state.one(k)
            content = state_bytes(state, task.ticker.key, task.origin.session, self.config)
            row = self._model_row(task, trained, k, "chain", features, content)
            self.result.models.append(row)
            self.result.losses.extend(loss_rows(row.id, trained.training, k))
            self.chains.extend(task, row, state, CheckpointRow(row.id, row.checkpoint_sha256, content))

    def record_twins(self, tasks: Sequence[OriginTask], model: ForecastModel, trained: Trained) -> None:
        """Record what each warm chain would have forecast after a cold start at the same origin."""
        forecast = model.predict(trained.state).forecast
        publishable = are_publishable(forecast)
        for k, task in enumerate(tasks):
            if trained.training.faults[k] or not publishable[k] or task.ticker.ticker_id not in self.chains.parents:
                continue
            content = state_bytes(trained.state.one(k), task.ticker.key, task.origin.session, self.config)
            self.result.models.append(self._model_row(task, trained, k, "twin", model.features, content))
            self.result.twins.extend(twin_rows(task, forecast, k, self.config))

    def publish(self, tasks: Sequence[OriginTask], prediction: Prediction) -> None:
        """Record the forecast of each ticker that has a model. A forecast that cannot be published ends its chain."""
        forecast, pasts = self._recalibrated(tasks, prediction.forecast)
        publishable = are_publishable(forecast)
        last_prices = [last_price(task, self.config) for task in tasks]
        numbers = forecast_numbers(last_prices, forecast, prediction.baseline)
        for k, task in enumerate(tasks):
            parent = self.chains.parents.get(task.ticker.ticker_id)
            if parent is None:
                continue  # its first training diverged
            if not publishable[k]:
                self._note(task, "the forecast is not finite or absurdly wide and is not published")
                self.chains.end(task.ticker.ticker_id)
                continue
            if self.config.recalibrate:
                raw_scale = prediction.forecast.scale[k]
                self.result.recalibrations.extend(recalibration_rows(task, pasts[k][-1].factor, raw_scale, self.config))
            self.chains.note_published(task, pasts[k])
            self.result.origins.append(origin_row(task, numbers[k], model_id=parent.model_id, config=self.config))

    def finish(self, tickers: Sequence[TickerTask], fingerprint: str) -> StackResult:
        """Return what was recorded, with each chain's newest model in the order of the tickers."""
        parents = self.chains.parents
        self.result.parents = {t.ticker_id: parents[t.ticker_id] for t in tickers if t.ticker_id in parents}
        self.result.checkpoints = [row for rows in self.chains.checkpoints.values() for row in rows]
        self.result.fingerprint = fingerprint
        return self.result

    def _recalibrated(
        self, tasks: Sequence[OriginTask], forecast: ForecastDistribution
    ) -> tuple[ForecastDistribution, list[tuple[PastForecast, ...]]]:
        """Return the forecast with recalibrated scales, and for each task the newest published forecasts, this one included."""
        parents = [self.chains.parents.get(task.ticker.ticker_id) for task in tasks]
        pasts = [parent.past if parent else () for parent in parents]
        if not self.config.recalibrate:
            return forecast, pasts
        scale = forecast.scale.copy()
        for k, task in enumerate(tasks):
            factor = scale_factors(task.input.history, pasts[k], self.config.horizons)
            scale[k] *= factor
            made = PastForecast(task.origin.session, forecast.location[k], scale[k], forecast.dof[k], factor)
            pasts[k] = (*pasts[k], made)[-self.config.horizons :]
        return replace(forecast, scale=scale), pasts

    def _model_row(self, task: OriginTask, trained: Trained, k: int, role: str, features: str, content: bytes) -> ModelRow:
        model_id = model_id_of(
            task.ticker.key, task.origin.session, self.config,
            role=role, reason=task.reason, input_sha256=task.model_sha256,
            parent_id=None if task.is_cold or task.parent is None else task.parent.model_id,
            prior_id=task.prior_id,
        )  # fmt: skip
        sha256 = hashlib.sha256(content).hexdigest()
        return model_row(task, trained, k, model_id=model_id, role=role, features=features, sha256=sha256, config=self.config)

    def _note(self, task: OriginTask, message: str) -> None:
        self.result.events.append(TrainingEvent(task.ticker.ticker_id, task.origin.session, message))
