"""The public views: the contract that people query. Columns may be added, never renamed. docs/sql.md is generated from here.

A database gets its views from the migrations, which carry their own copy of each statement; a test compares the two.
"""

from __future__ import annotations

from tickercast.storage.views.daemon import DAEMON, NOTICE
from tickercast.storage.views.definition import Column, Kind, View
from tickercast.storage.views.events import COMPANY_EVENT
from tickercast.storage.views.forecasts import FORECAST_HISTORY, LATEST_FORECAST, OUTCOME
from tickercast.storage.views.models import LOSS_CURVE, MODEL_LINEAGE, PRIOR, PRIOR_MEMBER
from tickercast.storage.views.prices import BAR, GATE, PRICE_FILE, RESTATEMENT
from tickercast.storage.views.risk import RISK
from tickercast.storage.views.runs import CONFIG, EVENT, FRESHNESS, RUN_SUMMARY, RUN_TICKER, SYMBOL_HISTORY
from tickercast.storage.views.scores import BASELINE_SKILL, CALIBRATION, SCORED_FORECAST, SKILL, WARM_START

__all__ = ["VIEWS", "Column", "Kind", "View"]

VIEWS = (
    LATEST_FORECAST,
    FORECAST_HISTORY,
    OUTCOME,
    SCORED_FORECAST,
    SKILL,
    RISK,
    LOSS_CURVE,
    MODEL_LINEAGE,
    PRIOR,
    PRIOR_MEMBER,
    WARM_START,
    BASELINE_SKILL,
    CALIBRATION,
    RUN_SUMMARY,
    RUN_TICKER,
    CONFIG,
    EVENT,
    FRESHNESS,
    SYMBOL_HISTORY,
    BAR,
    RESTATEMENT,
    GATE,
    PRICE_FILE,
    COMPANY_EVENT,
    DAEMON,
    NOTICE,
)
