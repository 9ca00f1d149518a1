"""Notices: what is worth one is stored once when it begins and once when it ends, and told in one message a look.

The table `notices` remembers, so a restart tells nothing twice. The writer lock is held while a message is sent, which takes at
most LONGEST_SECONDS: so no other process sends it too. What could not be sent is tried again at a later look, after a pause that
grows to six hours; it fails no forecast.
Not here: what is worth a notice (jobs.monitoring.conditions), or how a message is sent (jobs.monitoring.delivery).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from tickercast.jobs import clock
from tickercast.jobs.clock import utc_minute
from tickercast.jobs.errors import Interrupted, JobError, LockHeld, RecordAhead, SettingsError, UsageError
from tickercast.jobs.monitoring.conditions import (
    Found,
    changes,
    damage,
    disk_condition,
    next_late,
    outside_intervals,
    ticker_conditions,
)
from tickercast.jobs.monitoring.delivery import Delivery, deliver, failures_text, unknown_urls
from tickercast.jobs.monitoring.messages import message_of
from tickercast.jobs.monitoring.state import state_of
from tickercast.jobs.runs.failing_looks import count_failing_look, ended_failing_looks, forget_failing_looks
from tickercast.jobs.runs.instants import refuse_record_ahead
from tickercast.jobs.runs.scheduled_backup import are_wanted, backup_state
from tickercast.jobs.terminal.logs import log_event
from tickercast.jobs.terminal.progress import show_line
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.home import Home, open_home
from tickercast.jobs.workspace.limits import Limits
from tickercast.jobs.workspace.writer import UPKEEP_WAIT_SECONDS, open_for_writing
from tickercast.storage import writes
from tickercast.storage.database import Engine, reading
from tickercast.storage.errors import StorageError
from tickercast.storage.monitoring import ticker_facts
from tickercast.storage.notices import EVENT, NoticeRow, new_outcomes, newest_failed_delivery, unfinished_notices
from tickercast.storage.reader import snapshot

CHECKED_FILE = "checked-notice-urls"  # in the cache
LATER = timedelta(minutes=5)  # after another process that writes, and after the first failed delivery
LONGEST_PAUSE = timedelta(hours=6)
TOLD_FOR = timedelta(days=3)  # what has ended is old news then


@dataclass(frozen=True, slots=True)
class Known:
    """What is known at an instant. lasting: the notices that last. untold: those whose beginning or end nobody was told of."""

    begun: list[NoticeRow]
    ended: list[NoticeRow]
    untold: list[NoticeRow]
    lasting: list[NoticeRow]
    failed_at: datetime | None
    next_late: datetime | None

    @property
    def is_changed(self) -> bool:
        """Return whether a notice begins or ends."""
        return bool(self.begun or self.ended)


@dataclass(frozen=True, slots=True)
class Told:
    """How telling went. again_at: when to do so again at the latest. sent: notices in the message; failures: URLs without it."""

    again_at: datetime | None
    sent: int = 0
    failures: Sequence[Delivery] = ()


def tell_when_due(home: Home, now: datetime) -> datetime | None:
    """Tell what is new, log how that went, and return when to do so again at the latest.

    While the database cannot be used, or the clock is wrong, nothing is judged: it counts as a look that failed.
    """
    try:
        with reading(home.database) as connection:
            refuse_record_ahead(connection)
        told = tell(home, now)
    except (RecordAhead, StorageError, OSError) as error:
        count_failing_look(home.folder, str(error), now)
        raise
    for unknown in _unknown_urls(home):
        log_event("error", "notice URL refused", error=failures_text([unknown]))
    if told.failures:
        log_event("error", "notice not delivered", notices=told.sent, error=failures_text(told.failures))
    elif told.sent:
        log_event("info", "notice delivered", notices=told.sent)
    return told.again_at


@contextmanager
def told_at_end(folder: Path, now: datetime | None) -> Iterator[None]:
    """Tell what is new after a daily run in a home, also after one that failed. now: as at which instant, None = the present.

    What goes wrong with it is one line on stderr, and changes nothing about how the run ended.
    """
    try:
        yield
    except (UsageError, SettingsError, LockHeld, Interrupted):  # nothing was done, or a user waits for the end
        raise
    except Exception:
        _tell_after_run(folder, now)
        raise
    _tell_after_run(folder, now)


def _tell_after_run(folder: Path, now: datetime | None) -> None:
    try:
        home = open_home(folder)
        told = tell(home, now or clock.now())
        for unknown in _unknown_urls(home):
            show_line(f"warning: {failures_text([unknown])}")
    except (JobError, StorageError, OSError) as error:
        show_line(f"notices failed: {error}")
        return
    if told.sent:
        show_line(f"not delivered: {failures_text(told.failures)}" if told.failures else f"told: {counted(told.sent, 'notice')}")


def tell(home: Home, now: datetime) -> Told:
    """Store which notices begin and end, and send what nobody was told of."""
    urls = home.settings.notices.plain_urls()
    known = _known(home, now)
    if not known.is_changed:
        forget_failing_looks(home.folder)
    if not known.is_changed and not (urls and known.untold and _retry_at(known, now) <= now):
        return Told(_again_at(known, now) if urls else known.next_late)
    try:
        with open_for_writing(home.folder, command="notices", wait_seconds=UPKEEP_WAIT_SECONDS) as (_, engine):
            return _store_and_send(home, urls, engine, now)
    except LockHeld:
        return Told(now + LATER)


def _store_and_send(home: Home, urls: Sequence[str], engine: Engine, now: datetime) -> Told:
    """Store and send what is new, with the writer lock held."""
    known = _known(home, now)
    with engine.begin() as connection:
        writes.begin_notices(connection, known.begun)
        writes.end_notices(connection, known.ended, now)
    forget_failing_looks(home.folder)
    if not urls or not known.untold or _retry_at(known, now) > now:
        return Told(_again_at(known, now) if urls else known.next_late)
    failures = [delivery for delivery in deliver(urls, message_of(known.untold, home.folder, known.lasting)) if delivery.problem]
    is_told = len(failures) < len(urls)
    with engine.begin() as connection:
        if is_told:
            writes.mark_told(connection, known.untold, now)
        if failures:
            writes.record_event(connection, EVENT, f"not delivered: {failures_text(failures)}", at=now)
    after = replace(known, untold=[]) if is_told else replace(known, failed_at=now)
    return Told(_again_at(after, now), len(known.untold), failures)


def _again_at(known: Known, now: datetime) -> datetime | None:
    """Return when to look again for notices: when a ticker becomes late, or when to send again what is untold."""
    chances = [known.next_late, _retry_at(known, now) if known.untold else None]
    return min((at for at in chances if at is not None), default=None)


def _unknown_urls(home: Home) -> list[Delivery]:
    return unknown_urls(home.settings.notices.plain_urls(), home.cache / CHECKED_FILE)


def _known(home: Home, now: datetime) -> Known:
    limits = _limits(home)
    with snapshot(home.database) as connection:
        state = state_of(connection, home.place, limits, now, is_daemon=True)
        tickers = ticker_facts(connection, now)
        unfinished = unfinished_notices(connection)
        failed_at = newest_failed_delivery(connection)
        lasting = [row for row in unfinished if row.ended_at is None]
        damaged = {row.subject for row in lasting if row.kind == "integrity"}
        found = [
            *ticker_conditions(tickers, limits, now),
            *disk_condition(state),
            *damage(connection, home.prices, tickers, damaged),
            *_backup_condition(home, now),
            *_settings_condition(home),
            *outside_intervals(new_outcomes(connection, now - TOLD_FOR) if home.settings.notices.outside_interval else []),
        ]
    begun, ended = changes(lasting, found, now)
    if (looks := ended_failing_looks(home.folder)) is not None:
        begun.append(replace(looks, ended_at=now))
    gone = {(row.kind, row.subject, row.began_at) for row in ended}
    rows = [replace(row, ended_at=now) if (row.kind, row.subject, row.began_at) in gone else row for row in unfinished]
    every = [*begun, *rows]
    return Known(
        begun,
        ended,
        untold=[row for row in every if _is_news(row, now)],
        lasting=[row for row in every if row.ended_at is None],
        failed_at=failed_at,
        next_late=next_late(tickers, limits, now),
    )


def _limits(home: Home) -> Limits:
    """Return the limits of the settings in force, which are not those of a file that is not valid."""
    notices = home.settings.notices
    return Limits(
        after_close_minutes=home.settings.schedule.after_close_minutes, late_hours=notices.late_hours,
        failures=notices.failures, disk_free_megabytes=notices.disk_free_megabytes,
    )  # fmt: skip


def _settings_condition(home: Home) -> Iterator[Found]:
    """Yield that the settings file is not valid, so that the settings before stay in force."""
    if home.refused:
        yield Found("failing", "settings", f"the settings file is not valid, and the settings before serve: {home.refused}")


def _backup_condition(home: Home, now: datetime) -> Iterator[Found]:
    """Yield that the newest scheduled backup failed, or that none was made for twice the time between two."""
    if not are_wanted(home):
        return
    try:
        with reading(home.database) as connection:
            state = backup_state(home, connection, now)
    except (JobError, OSError) as error:
        yield Found("backup", "backup", f"no backup can be made: {error}")
        return
    if state is None:
        return
    every = home.settings.backup.every_hours
    if state.failed_at is not None:
        yield Found("backup", "backup", f"the backup of {utc_minute(state.failed_at)} failed: {state.message}")
    elif now - (state.newest or home.settings_changed_at()) > timedelta(hours=2 * every):
        newest = f"the newest is of {utc_minute(state.newest)}" if state.newest else "there is none"
        yield Found("backup", "backup", f"a backup is overdue: {newest}, and one is wanted every {counted(every, 'hour')}")


def _is_news(row: NoticeRow, now: datetime) -> bool:
    """Return whether nobody was told of a notice's beginning or end and somebody should be."""
    if row.ended_at is None:
        return row.told_at is None
    return row.end_told_at is None and now - row.ended_at < TOLD_FOR


def _retry_at(known: Known, now: datetime) -> datetime:
    """Return when to send what is untold: now, or after a failure in as long as it has been untold, five minutes at least."""
    changed = [row.ended_at if row.ended_at and row.told_at else row.began_at for row in known.untold]
    if known.failed_at is None or known.failed_at > now or max(changed) > known.failed_at:
        return now
    return known.failed_at + min(max(known.failed_at - min(changed), LATER), LONGEST_PAUSE)
