"""A daemon whose trigger is the machine's local midnight, in place of each minute: the years notice it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import years
from tests.torture.builds import Sabotage
from tests.torture.controls import Control, sentence_that_notices

pytestmark = pytest.mark.slow
NAME = "a local-midnight trigger"
DAEMON = "jobs/runs/daemon.py"
LOCAL_MIDNIGHT = (
    Sabotage(NAME, DAEMON, "triggers.interval import IntervalTrigger", "triggers.cron import CronTrigger"),
    Sabotage(
        NAME,
        DAEMON,
        "IntervalTrigger(seconds=CHECK_EVERY_SECONDS, timezone=UTC)",
        "CronTrigger(hour=0, minute=0)",
    ),
)


def test_a_local_midnight_trigger_is_noticed(tmp_path: Path) -> None:
    control = Control(LOCAL_MIDNIGHT, years.HARNESS, 1, "was forecast late")
    assert sentence_that_notices(control, tmp_path) is not None
