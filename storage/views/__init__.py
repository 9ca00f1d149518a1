"""The public views: the contract that people query. Columns may be added, never renamed. docs/sql.md is generated from here.

A database gets its views from the migrations, which carry their own copy of each statement; a test compares the two.
"""

from __future__ import annotations

from storage.views.definition import Column, View
from storage.views.forecasts import FORECAST_HISTORY, LATEST_FORECAST
from storage.views.models import LOSS_CURVE, MODEL_LINEAGE
from storage.views.prices import GATE, PRICE_FILE, RESTATEMENT
from storage.views.runs import FRESHNESS, RUN_SUMMARY
from storage.views.scores import BASELINE_SKILL, CALIBRATION, SCORED_FORECAST, SKILL, WARM_START

__all__ = ["VIEWS", "Column", "View"]

VIEWS = (
    LATEST_FORECAST,
    FORECAST_HISTORY,
    SCORED_FORECAST,
    SKILL,
    LOSS_CURVE,
    MODEL_LINEAGE,
    WARM_START,
    BASELINE_SKILL,
    CALIBRATION,
    RUN_SUMMARY,
    FRESHNESS,
    RESTATEMENT,
    GATE,
    PRICE_FILE,
)
