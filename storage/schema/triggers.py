"""Triggers that refuse to change a stored forecast, score or company event, and that list the unscored forecasts.

The migrations carry their own copy; a test compares the two.
"""

from __future__ import annotations

from storage.schema.base import FORECAST_KEY


def _refusal(table: str, action: str) -> str:
    return (
        f"CREATE TRIGGER {table}_refuse_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are never changed: {action} refused'); END"
    )


def _ignored_replacement(table: str, *key: str) -> str:
    stored = " AND ".join(f"{column} = NEW.{column}" for column in key)
    return (
        f"CREATE TRIGGER {table}_ignore_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {stored}) BEGIN SELECT RAISE(IGNORE); END"
    )


TRIGGERS = {
    f"{table}_refuse_{action.lower()}": _refusal(table, action)
    for table in ("forecasts", "scores")
    for action in ("UPDATE", "DELETE")
} | {
    "company_events_refuse_update": _refusal("company_events", "UPDATE"),
    # A ticker without forecasts can be forgotten, with its events.
    "company_events_refuse_delete": (
        "CREATE TRIGGER company_events_refuse_delete BEFORE DELETE ON company_events "
        "WHEN EXISTS (SELECT 1 FROM forecasts WHERE ticker_id = OLD.ticker_id) "
        "BEGIN SELECT RAISE(ABORT, 'company_events of a ticker with forecasts are kept: DELETE refused'); END"
    ),
    "company_events_ignore_replace": _ignored_replacement("company_events", "ticker_id", "kind", "date", "recorded_at"),
    # INSERT OR REPLACE deletes the stored row without a DELETE trigger.
    "forecasts_ignore_replace": _ignored_replacement("forecasts", *FORECAST_KEY),
    "scores_ignore_replace": _ignored_replacement("scores", *FORECAST_KEY, "revision"),
    "forecasts_are_unscored": (
        "CREATE TRIGGER forecasts_are_unscored AFTER INSERT ON forecasts BEGIN INSERT INTO unscored "
        "VALUES (NEW.ticker_id, NEW.config_id, NEW.origin, NEW.horizon, NEW.target); END"
    ),
    "scores_are_not_unscored": (
        "CREATE TRIGGER scores_are_not_unscored AFTER INSERT ON scores BEGIN DELETE FROM unscored "
        f"WHERE {' AND '.join(f'{column} = NEW.{column}' for column in FORECAST_KEY)}; END"
    ),
}
