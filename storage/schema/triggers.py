"""Triggers that refuse to change a stored forecast or score. The migrations carry their own copy; a test compares the two."""

from __future__ import annotations


def _refusal(table: str, action: str) -> str:
    return (
        f"CREATE TRIGGER {table}_refuse_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are never changed: {action} refused'); END"
    )


TRIGGERS = {
    f"{table}_refuse_{action.lower()}": _refusal(table, action)
    for table in ("forecasts", "scores")
    for action in ("UPDATE", "DELETE")
}
