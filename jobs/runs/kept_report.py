"""The report that the daemon keeps up to date where `[web] report` names a folder: written again after every run.

A failure is a log line and is tried again in an hour: pages are never worth a forecast. Not here: what is in them (jobs.pages).
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from tickercast.jobs.errors import JobError
from tickercast.jobs.pages import require_libraries
from tickercast.jobs.terminal.logs import log_event
from tickercast.jobs.workspace.home import Home
from tickercast.storage.errors import StorageError
from tickercast.storage.paths import user_path
from tickercast.storage.reader import snapshot

MADE_FILE = "report-made"  # in the cache: the run that the pages show, and their folder
RETRY = timedelta(hours=1)
# Pages change with a run's forecasts, and with what it says of failures. Before the first forecast there is nothing to write.
NEWEST_RUN = """SELECT max(run_id) FROM run_summary WHERE finished_at IS NOT NULL AND EXISTS (
    SELECT 1 FROM run_summary WHERE forecasts > 0)"""


def refresh_report_when_due(home: Home, now: datetime) -> datetime | None:
    """Write the pages unless they show the newest run already, and return when to try again after a failure."""
    if not home.settings.web.report:
        return None
    folder = home.folder / user_path(home.settings.web.report)
    started = time.perf_counter()
    try:
        with snapshot(home.database) as connection:
            newest = connection.execute(NEWEST_RUN).fetchone()[0]
        made = f"{newest} {folder}"
        if newest is None or _made(home) == made:
            return None
        _write(home, folder, now)
        home.cache.mkdir(exist_ok=True)
        (home.cache / MADE_FILE).write_text(made)
    except (JobError, StorageError, OSError) as error:
        log_event("error", "report failed", error=str(error))
        return now + RETRY
    log_event("info", "report written", folder=folder, seconds=round(time.perf_counter() - started, 1))
    return None


def _made(home: Home) -> str:
    with suppress(OSError):
        return (home.cache / MADE_FILE).read_text()
    return ""


def _write(home: Home, folder: Path, now: datetime) -> None:
    require_libraries()
    from tickercast.jobs.pages.report import write_report  # loads Jinja2, which a daemon without a report need not

    write_report(home.place, folder, now, lambda _done, _total: None)
