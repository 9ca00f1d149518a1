"""The state of a home at one instant: its tickers, its daemon, its disk, and the size of its store."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from tickercast.jobs.monitoring.backups import newest_backup
from tickercast.jobs.workspace.limits import Limits
from tickercast.jobs.workspace.lock_state import has_note, is_held
from tickercast.jobs.workspace.place import Place
from tickercast.storage import monitoring
from tickercast.storage.connection import Reader
from tickercast.storage.monitoring import DaemonRow, TickerFacts
from tickercast.storage.notices import NoticeRow, lasting_notices
from tickercast.storage.paths import user_path
from tickercast.storage.reader import snapshot
from tickercast.storage.sizes import database_size

Condition = Literal["fresh", "ended", "late", "failing", "quarantined", "suspended", "too short", "new", "not tracked"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
BROKEN: tuple[Condition, ...] = ("late", "failing", "quarantined")
# A ticker of an exchange whose sessions are not stored yet: longer than any weekend with holidays.
FIRST_DAYS = timedelta(days=4)
# Long enough to start a daemon, or `tickercast run`, after `track`.
FIRST_FORECASTS = timedelta(hours=1)
# A daemon writes every minute that it lives. While another command writes, it cannot.
LONGEST_SILENCE = timedelta(minutes=15)
GROWTH_DAYS = 30
LEAST_GROWTH_DAYS = 5
MEGABYTE = 10**6
MOST_FOLDERS = 500  # that are looked at for the size of the prices


@dataclass(frozen=True, slots=True)
class Disk:
    """Free and total bytes where the store is; bytes of the database and of the prices; new bytes a day where it is known.

    bucket: where the prices are that take no disk, "" for a folder. Their bytes are not counted: a listing takes long.
    on_server: whether the database is on a server, whose disk is not this one.
    """

    free: int
    total: int
    database: int
    prices: int
    growth: float | None = None
    bucket: str = ""
    on_server: bool = False

    @property
    def store(self) -> int:
        """Return the bytes of the whole store."""
        return self.database + self.prices


@dataclass(frozen=True, slots=True)
class HomeState:
    """What is known of a home.

    is_alive: whether a daemon runs now. is_hung: it runs and has written nothing for long. one_shot_run: when the newest
    `tickercast run` started. complete_run: when the newest daily run ended that failed for no ticker. backup: the newest one.
    lasting: the notices that last. progress: how far the run under way is, None where none is, or it has not said it yet.
    """

    now: datetime
    limits: Limits
    tickers: tuple[TickerFacts, ...]
    daemon: DaemonRow | None
    is_alive: bool
    is_hung: bool
    one_shot_run: datetime | None
    disk: Disk
    runs: tuple[tuple[str, str, int], ...]
    forecasts: int
    complete_run: datetime | None = None
    backup: datetime | None = None
    lasting: tuple[NoticeRow, ...] = ()
    progress: str | None = None

    @property
    def tracked(self) -> list[TickerFacts]:
        """Return the tickers that daily runs include."""
        return [ticker for ticker in self.tickers if ticker.tracked]

    @property
    def is_dead(self) -> bool:
        """Return whether a daemon should run and does not: it was not stopped, and no `tickercast run` has taken its place."""
        row = self.daemon
        if row is None or self.is_alive or row.state == "stopped":
            return False
        return self.one_shot_run is None or self.one_shot_run <= row.beat_at

    @property
    def is_unattended(self) -> bool:
        """Return whether no tracked ticker has a forecast an hour after it was added, and no daemon runs."""
        added = [ticker.added_at for ticker in self.found("new")]
        has_none = not any(ticker.last_origin for ticker in self.tracked)
        return bool(added) and has_none and not self.is_alive and self.now - min(added) >= FIRST_FORECASTS

    @property
    def is_disk_short(self) -> bool:
        """Return whether less is free than the settings want."""
        return self.disk.free < self.limits.disk_free_megabytes * MEGABYTE

    @property
    def disk_limit(self) -> str:
        """Return below what the disk is short, in words."""
        return f"less than notices.disk_free_megabytes = {self.limits.disk_free_megabytes:g}"

    def lasting_of(self, kind: str) -> list[NoticeRow]:
        """Return the notices of a kind that last."""
        return [notice for notice in self.lasting if notice.kind == kind]

    def found(self, condition: Condition) -> list[TickerFacts]:
        """Return the tickers in a condition."""
        return [ticker for ticker in self.tickers if condition_of(ticker, self.now) == condition]


def condition_of(ticker: TickerFacts, now: datetime) -> Condition:
    """Return the one word that says how a ticker is: of several, what keeps it from its next forecast."""
    if not ticker.tracked:
        return "not tracked"
    if ticker.held_bars:
        return "quarantined"
    if ticker.status == "suspended":
        return "suspended"
    if ticker.failures:
        return "failing"
    if ticker.status == "too_short":
        return "too short"
    if is_late(ticker, now):
        return "late"
    if not ticker.last_origin:
        return "new"
    return "ended" if ticker.source == "sample" and ticker.missed else "fresh"


def since_of(ticker: TickerFacts, condition: Condition) -> datetime | None:
    """Return since when a ticker is in a condition, where that is stored."""
    known = {"failing": ticker.failing_since, "late": ticker.missed_since, "quarantined": ticker.held_since}
    return known.get(condition)


def is_late(ticker: TickerFacts, now: datetime) -> bool:
    """Return whether a session has no forecast that should have one. The sample's prices end for ever, so it is never late."""
    if ticker.source == "sample" and ticker.last_origin:
        return False
    return ticker.missed > 0 or (not ticker.has_sessions and now - ticker.added_at > FIRST_DAYS)


def read_state(place: Place, limits: Limits, now: datetime, *, is_daemon: bool = False) -> HomeState:
    """Return the state of a home. is_daemon: this process is its daemon. Raises StorageError."""
    with snapshot(place.database) as connection:
        return state_of(connection, place, limits, now, is_daemon=is_daemon)


def state_of(connection: Reader, place: Place, limits: Limits, now: datetime, *, is_daemon: bool = False) -> HomeState:
    """Return the state of a home whose record a connection reads. is_daemon: this process is its daemon."""
    row = monitoring.daemon_row(connection)
    is_alive = is_daemon or _is_alive(connection, place, row, now)
    tickers = monitoring.ticker_facts(connection, now - limits.grace)
    forecasts, progress = monitoring.forecast_count(connection), monitoring.run_under_way(connection)
    has_backups = limits.backup_folder and place.database_file is not None
    backups = place.folder / user_path(limits.backup_folder) if has_backups else None
    if row is not None and not is_alive and not has_note(place.folder, "daemon"):
        row = replace(row, state="stopped")  # it could not write that itself, because another command was writing
    return HomeState(
        now,
        limits,
        tuple(tickers),
        daemon=row,
        is_alive=is_alive,
        is_hung=is_alive and _is_silent(connection, place, row, now),
        one_shot_run=monitoring.newest_one_shot_run(connection),
        disk=_disk(connection, place, forecasts, now),
        runs=tuple(monitoring.runs_by_status(connection)),
        forecasts=forecasts,
        complete_run=monitoring.newest_complete_run(connection),
        backup=newest_backup(place, backups, now),
        lasting=tuple(lasting_notices(connection)),
        progress=progress if is_held(place.folder, "writer", place.database, connection) is not False else None,
    )


def _is_alive(connection: Reader, place: Place, row: DaemonRow | None, now: datetime) -> bool:
    """Return whether a daemon runs: it holds its lock. Where that cannot be read, whether it has written lately."""
    held = is_held(place.folder, "daemon", place.database, connection)
    if held is None:
        return row is not None and row.state != "stopped" and now - row.beat_at < LONGEST_SILENCE
    return held


def _is_silent(connection: Reader, place: Place, row: DaemonRow | None, now: datetime) -> bool:
    """Return whether a daemon has written nothing for long, although nobody kept it from writing."""
    if row is None or now - row.beat_at <= LONGEST_SILENCE:
        return False
    return not is_held(place.folder, "writer", place.database, connection)


def _disk(connection: Reader, place: Place, forecasts: int, now: datetime) -> Disk:
    file = place.database_file
    folder = place.prices if isinstance(place.prices, Path) else None
    folders = (file.parent if file else place.folder, folder)
    usages = [shutil.disk_usage(path) for path in folders if path is not None and path.exists()]
    least = min(usages, key=lambda usage: usage.free)
    database = database_size(place.database, connection)
    recent, first = monitoring.daily_forecasts(connection, now - timedelta(days=GROWTH_DAYS))
    growth = None
    if first is not None and forecasts and (days := (now - first) / timedelta(days=1)) >= LEAST_GROWTH_DAYS:
        growth = database / forecasts * recent / days
    prices, bucket = (_folder_size(folder), "") if folder else (0, str(place.prices))
    return Disk(least.free, least.total, database, prices, growth, bucket, on_server=file is None)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _folder_size(folder: Path) -> int:
    """Return the bytes of the files below a folder. One that goes away meanwhile counts nothing.

    Of many tickers every so many folders are looked at and stand for the others: to look at all of them takes seconds.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return 0
    looked_at = paths[:: max(1, len(paths) // MOST_FOLDERS)]
    found = sum(_size(path) if path.is_file() else _size_below(path) for path in looked_at)
    return found * len(paths) // max(1, len(looked_at))


def _size_below(folder: Path) -> int:
    return sum(_size(Path(where) / name) for where, _, names in os.walk(folder) for name in names)
