"""Triggers that refuse to change a stored origin, forecast, score or company event, and that list the unscored origins.

The migrations carry their own copy; a test compares the two.
"""

from __future__ import annotations

from tickercast.storage.schema.base import FORECAST_KEY, ORIGIN_KEY


def _refusal(table: str, action: str) -> str:
    return (
        f"CREATE TRIGGER {table}_refuse_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are never changed: {action} refused'); END"
    )


def _ignored_replacement(table: str, *key: str) -> str:
    return (
        f"CREATE TRIGGER {table}_ignore_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {_equals_new(*key)}) BEGIN SELECT RAISE(IGNORE); END"
    )


def _equals_new(*columns: str) -> str:
    return " AND ".join(f"{column} = NEW.{column}" for column in columns)


TRIGGERS = {
    f"{table}_refuse_{action.lower()}": _refusal(table, action)
    for table in ("origins", "forecasts", "scores")
    for action in ("UPDATE", "DELETE")
} | {
    "company_events_refuse_update": _refusal("company_events", "UPDATE"),
    # A ticker without forecasts can be forgotten, with its events.
    "company_events_refuse_delete": (
        "CREATE TRIGGER company_events_refuse_delete BEFORE DELETE ON company_events "
        "WHEN EXISTS (SELECT 1 FROM origins WHERE ticker_id = OLD.ticker_id) "
        "BEGIN SELECT RAISE(ABORT, 'company_events of a ticker with forecasts are kept: DELETE refused'); END"
    ),
    "company_events_ignore_replace": _ignored_replacement("company_events", "ticker_id", "kind", "date", "recorded_at"),
    # INSERT OR REPLACE deletes the stored row without a DELETE trigger.
    "origins_ignore_replace": (
        "CREATE TRIGGER origins_ignore_replace BEFORE INSERT ON origins WHEN EXISTS (SELECT 1 FROM origins WHERE id = NEW.id) "
        f"OR EXISTS (SELECT 1 FROM origins WHERE {_equals_new(*ORIGIN_KEY)}) BEGIN SELECT RAISE(IGNORE); END"
    ),
    "forecasts_ignore_replace": _ignored_replacement("forecasts", *FORECAST_KEY),
    "scores_ignore_replace": _ignored_replacement("scores", *FORECAST_KEY, "revision"),
    "origins_are_unscored": (
        "CREATE TRIGGER origins_are_unscored AFTER INSERT ON origins BEGIN INSERT INTO unscored VALUES (NEW.id); END"
    ),
}
