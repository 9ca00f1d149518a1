"""A daemon that can look at nothing, because settings or the database cannot be read, still tells its user, once.

Such looks are counted in a file of the cache, since the database may be what is broken. As many in a row as notices.failures are
told about. The first look that works again makes a notice of it, whose end is told like any other's.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from tickercast.jobs.monitoring.delivery import deliver, failures_text
from tickercast.jobs.monitoring.messages import message_of
from tickercast.jobs.terminal.logs import log_event
from tickercast.jobs.terminal.secrets import shortened
from tickercast.jobs.workspace.limits import read_limits
from tickercast.jobs.workspace.notice_urls import read_notice_urls
from tickercast.storage.notices import NoticeRow

FILE = Path("cache", "failing-looks.json")
SUBJECT = "daemon"
LONGEST_REASON = 500
SIZE = 8192  # bytes of the file: more than the longest reason takes with every character escaped


@dataclass(frozen=True, slots=True)
class FailingLooks:
    """The looks that failed in a row. began_at: the first one; told_at: when a user was told, None until then. ISO instants."""

    began_at: str
    count: int = 0
    told_at: str | None = None
    message: str = ""

    def notice(self) -> NoticeRow:
        """Return the notice about them."""
        told_at = None if self.told_at is None else datetime.fromisoformat(self.told_at)
        return NoticeRow("failing", SUBJECT, datetime.fromisoformat(self.began_at), self.message, told_at)


def count_failing_look(folder: Path, reason: str, now: datetime) -> None:
    """Count a look of the daemon of a home that could see nothing, and tell when there were too many in a row."""
    known = read_failing_looks(folder) or FailingLooks(now.isoformat())
    message = f"the daemon cannot work: {shortened(reason, LONGEST_REASON)}"
    known = replace(known, count=known.count + 1, message=message)
    urls = read_notice_urls(folder)
    if urls and known.told_at is None and known.count >= read_limits(folder).failures:
        failures = [delivery for delivery in deliver(urls, message_of([known.notice()], folder)) if delivery.problem]
        if len(failures) < len(urls):
            known = replace(known, told_at=now.isoformat())
        if failures:
            log_event("error", "notice not delivered", notices=1, error=failures_text(failures))
    try:
        _write(folder / FILE, json.dumps(asdict(known)))
    except OSError as error:
        log_event("error", "failure not entered", error=f"{folder / FILE}: {error.strerror}")


def read_failing_looks(folder: Path) -> FailingLooks | None:
    """Return the looks that failed in a row up to the last one, None where it worked."""
    with suppress(OSError, ValueError, TypeError):
        return FailingLooks(**json.loads((folder / FILE).read_text()))
    return None


def ended_failing_looks(folder: Path) -> NoticeRow | None:
    """Return the notice about looks that failed before this one, None where there is nothing to tell."""
    known = read_failing_looks(folder)
    is_news = known is not None and known.count >= read_limits(folder).failures
    return known.notice() if known is not None and is_news else None


def forget_failing_looks(folder: Path) -> None:
    """Start to count afresh."""
    with suppress(OSError):
        if not (folder / FILE).exists() or read_failing_looks(folder) is not None:
            _write(folder / FILE, "")


def _write(path: Path, text: str) -> None:
    """Write the file in place and in one size, so that it can also be written while the disk is full."""
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    with path.open("r+b") as file:
        file.write(text.encode().ljust(SIZE))
