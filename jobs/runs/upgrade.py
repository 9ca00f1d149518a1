"""What an upgrade of the schema leaves to compute: sums of scores, skill and risk that an earlier version had not."""

from __future__ import annotations

from datetime import datetime

from tickercast.jobs.scoring.updates import refresh_risk, refresh_skill_and_risk
from tickercast.jobs.terminal.progress import each_with_progress
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.writer import writing_engine
from tickercast.storage import queries
from tickercast.storage.database import translated


def fill_skill_and_risk(home: Home, now: datetime) -> None:
    """Compute skill and risk of each config whose sums are not computed, and the risk of each that has forecasts and no risk.

    The caller holds the writer lock. Without this the next run would compute the sums, and the risk only of what it scores.
    """
    engine = writing_engine(home.database)
    try:
        with translated(home.database), engine.begin() as connection:
            for config_id in each_with_progress("skill", queries.configs_behind(connection)):
                refresh_skill_and_risk(connection, config_id, computed_at=now)
            for config_id in each_with_progress("risk", list(queries.configs_without_risk(connection))):
                refresh_risk(connection, config_id, computed_at=now)
    finally:
        engine.dispose()
