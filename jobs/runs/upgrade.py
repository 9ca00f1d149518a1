"""What an upgrade of the schema leaves to compute: the risk of configs that an earlier version scored without it."""

from __future__ import annotations

from datetime import datetime

from tickercast.jobs.scoring.updates import refresh_risk
from tickercast.jobs.terminal.progress import each_with_progress
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.writer import writing_engine
from tickercast.storage import queries
from tickercast.storage.database import translated


def fill_risk(home: Home, now: datetime) -> None:
    """Compute the risk of each config that has forecasts and no risk. The caller holds the writer lock.

    A run refreshes the configs that it scores; those of the past would stay empty.
    """
    engine = writing_engine(home.database)
    try:
        with translated(home.database), engine.begin() as connection:
            for config_id in each_with_progress("risk", list(queries.configs_without_risk(connection))):
                refresh_risk(connection, config_id, computed_at=now)
    finally:
        engine.dispose()
