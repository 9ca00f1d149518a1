"""The tables, as typed SQLAlchemy classes: keys, checks and foreign keys. A class has its table's name in the singular.

Views are in storage.views; changes of a released schema are in migrations. Sessions are exchange dates; instants are UTC.
Prices are in the ticker's currency on its price basis. Returns, location, scale, errors and CRPS are natural-log returns
(0.01 = 1 %).
"""

from __future__ import annotations

from tickercast.storage.schema.base import FORECAST_KEY, Base
from tickercast.storage.schema.daemon import DaemonState, Notice
from tickercast.storage.schema.digests import Digest
from tickercast.storage.schema.events import CompanyEvent, ContextRequest
from tickercast.storage.schema.forecasts import BaselineForecast, Forecast, Origin, Recalibration
from tickercast.storage.schema.models import Checkpoint, FeatureSet, Loss, Model, Prior, PriorMember
from tickercast.storage.schema.prices import Bar, GateVerdict, PriceFile, Restatement
from tickercast.storage.schema.runs import Config, Event, Run, RunTicker
from tickercast.storage.schema.scores import DateSum, RiskTest, Score, ScoreSum, SkillTest, Unscored, Unsummed
from tickercast.storage.schema.tickers import ExchangeSession, Symbol, Ticker
from tickercast.storage.schema.triggers import TRIGGERS

__all__ = [
    "FORECAST_KEY",
    "TRIGGERS",
    "Bar",
    "Base",
    "BaselineForecast",
    "Checkpoint",
    "CompanyEvent",
    "Config",
    "ContextRequest",
    "DaemonState",
    "DateSum",
    "Digest",
    "Event",
    "ExchangeSession",
    "FeatureSet",
    "Forecast",
    "GateVerdict",
    "Loss",
    "Model",
    "Notice",
    "Origin",
    "PriceFile",
    "Prior",
    "PriorMember",
    "Recalibration",
    "Restatement",
    "RiskTest",
    "Run",
    "RunTicker",
    "Score",
    "ScoreSum",
    "SkillTest",
    "Symbol",
    "Ticker",
    "Unscored",
    "Unsummed",
]
