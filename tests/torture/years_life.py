"""A daemon's life in simulated time, in one process of the program under torture: `python -m tests.torture.years_life PLAN.json`.

The daemon's own decisions and cycles run: its trigger, `Watch.check` and `cycle.look`. The clock, the prices and the faults are
simulated. Only the process of its own that a look has is left out, so that a leak in a look is seen too.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from tests.torture.years_market import appearances, lay_history, show
from tests.torture.years_resources import resources
from tickercast.jobs import clock
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.child import Look, Work
from tickercast.jobs.runs.daemon import _scheduler
from tickercast.jobs.runs.watch import Watch
from tickercast.jobs.terminal.logs import LogTarget, start_logging
from tickercast.jobs.workspace.home import Home, create_home
from tickercast.storage.database import open_writer, reading, upgrade_database
from tickercast.storage.verify import content_hash

SETTINGS = """
[source]
kind = "folder"
path = "{folder}"
adjustment = "split"
[schedule]
after_close_minutes = {after_close}
[model]
hidden = 2
horizons = 1
history_sessions = 130
prior = "none"
reference = "none"
events = false
recalibrate = false
[training]
cold_every = 63
cold_epochs = 1
warm_epochs = 0
window = 40
[compute]
workers = 1
"""
BROKEN_SETTINGS = "[model\n"
EARLY_LOOK_SHARE, RESTART_SHARE = 0.1, 0.01  # of the looks
WRONG_LOOKS_MINUTES = (1, 12)
SAMPLED_CYCLES = 50
USUAL_MINUTES = 45
BEGIN = time(12)  # of the first day, UTC
STORED = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM origins), (SELECT count(*) FROM scores)"
SPANS = """SELECT t.symbol, min(o.origin), max(o.origin) FROM origins o JOIN tickers t ON t.id = o.ticker_id
GROUP BY t.symbol ORDER BY t.symbol"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in a life. All instants are ISO texts in UTC.

    outages: when the daemon sleeps or is dead, (from, until). wrong: (from, until, seconds that the clock is off by). edits: (at,
    minutes after the close), 0 = a settings file that is broken for some hours. ends: the last session of tickers that end.
    """

    folder: str
    seed: str
    symbols: tuple[str, ...]
    first: str
    last: str
    outages: tuple[tuple[str, str], ...] = ()
    wrong: tuple[tuple[str, str, float], ...] = ()
    edits: tuple[tuple[str, int], ...] = ()
    ends: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Lived:
    """What a life was. same_as_backfill: whether a backfill over the same bars leaves the same record.

    samples: open files, threads, bytes of the log and of the WAL.
    """

    looks: int = 0
    cycles: int = 0
    restarts: int = 0
    stored_while_wrong: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    same_as_backfill: bool = False
    samples: list[tuple[int, ...]] = field(default_factory=list)


class OwnProcess(Watch):
    """The daemon's memory between looks, with looks that are no processes of their own."""

    def _in_child(self, work: Work) -> Look | None:
        return work(self.folder, self.database, self.stop)


class Life:
    """A home, its clock and its daemon.

    now: the true instant. error: how far the machine's clock is ahead of it. is_edited: whether the settings have changed since
    the last look.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.rng = plan, random.Random(f"{plan.seed}/life")
        self.prices = Path(plan.folder) / "market"
        self.now = datetime.combine(date.fromisoformat(plan.first), BEGIN, UTC)
        self.error = timedelta(0)
        self.is_edited = False
        self.lived = Lived()
        started = self.now
        setattr(clock, "now", lambda: self.now + self.error)  # noqa: B010
        setattr(clock, "uptime", lambda: self.now - started)  # noqa: B010
        self.home = self._new_home()
        self.watch = self._new_watch()

    def live(self) -> None:
        """Live to the end: look when the daemon's trigger fires, unless it sleeps or is dead."""
        asleep = False
        for at, kind, value in self._happenings():
            while not asleep and (fire := self._next_fire()) < at:
                self.now = fire
                self._look()
            self.now = max(self.now, at)
            if kind == "bar":
                show(self.prices, value)
            elif kind == "outage":
                asleep = value
                self._restart(0.5)
            elif kind == "clock":
                self.error = timedelta(seconds=value)
            else:
                self._write_settings(value)
                self.is_edited = True

    def compare_with_backfill(self) -> None:
        """Backfill another home over the same bars, and compare the records."""
        twin = self._home_in("twin")
        with reading(self.home.database) as connection:
            spans = connection.exec_driver_sql(SPANS).fetchall()
        for symbol, first, last in spans:
            for home in (twin, self.home):  # the one that lived has all origins: only what became due is scored
                request = BackfillRequest((symbol,), date.fromisoformat(first), date.fromisoformat(last), workers=1)
                _backfill(home, request)
        with reading(self.home.database) as lived, reading(twin.database) as other:
            self.lived.same_as_backfill = content_hash(lived) == content_hash(other)

    def _happenings(self) -> Iterator[tuple[datetime, str, Any]]:
        """Yield all that happens to the daemon, in order."""
        plan = self.plan
        first, last = date.fromisoformat(plan.first), date.fromisoformat(plan.last)
        ends = {symbol: date.fromisoformat(day) for symbol, day in plan.ends}
        happenings: list[tuple[datetime, str, Any]] = [
            (bar.at, "bar", bar) for bar in appearances(list(plan.symbols), first, last, ends, plan.seed)
        ]
        for begin, end in plan.outages:
            happenings += [(_instant(begin), "outage", True), (_instant(end), "outage", False)]
        for begin, end, seconds in plan.wrong:
            happenings += [(_instant(begin), "clock", seconds), (_instant(end), "clock", 0.0)]
        for begin, minutes in plan.edits:
            happenings.append((_instant(begin), "edit", minutes))
        end_of_all = datetime.combine(last + timedelta(days=3), time(12), UTC)
        yield from sorted([*happenings, (end_of_all, "edit", USUAL_MINUTES)], key=lambda each: each[0])

    def _next_fire(self) -> datetime:
        """Return the true instant of the next fire of the daemon's trigger that matters, some before it is due among them.

        Fires at which the daemon would only compare two instants are left out.
        """
        machine = self.now + self.error
        wanted = max(self.watch.look_at or machine, machine) + timedelta(microseconds=1)
        if self.is_edited:
            wanted = machine
        elif self.error:
            wanted = machine + timedelta(minutes=self.rng.uniform(*WRONG_LOOKS_MINUTES))
        elif self.rng.random() < EARLY_LOOK_SHARE:
            wanted = machine + (wanted - machine) * self.rng.random()
        fire: datetime = self.trigger.get_next_fire_time(None, wanted)
        return fire.astimezone(UTC) - self.error

    def _look(self) -> None:
        before, self.is_edited = self._stored(), False
        self.watch.check()
        after = self._stored()
        self.lived.looks += 1
        self.lived.cycles += after["runs"] > before["runs"]
        if self.error and after != before:
            self.lived.stored_while_wrong.append(f"{self.now:%Y-%m-%d %H:%M}, clock off by {self.error}: {before} -> {after}")
        if any(after[name] < before[name] for name in before):
            self.lived.vanished.append(f"{self.now:%Y-%m-%d %H:%M}: {before} -> {after}")
        if self.lived.cycles >= SAMPLED_CYCLES * (len(self.lived.samples) + 1):
            self.lived.samples.append(_sample(self.home))
        self._restart(RESTART_SHARE)

    def _stored(self) -> dict[str, int]:
        """Return the numbers of rows, read as an outsider would."""
        with closing(sqlite3.connect(self.home.database)) as connection:
            return dict(zip(("runs", "origins", "scores"), connection.execute(STORED).fetchone(), strict=True))

    def _restart(self, share: float) -> None:
        """Start the daemon anew with a probability: it forgets what it remembers between two looks."""
        if not self.error and self.rng.random() < share:  # a daemon that starts with a wrong clock cannot know it
            self.watch = self._new_watch()
            self.lived.restarts += 1

    def _new_home(self) -> Home:
        lay_history(self.prices, list(self.plan.symbols), date.fromisoformat(self.plan.first), self.plan.seed)
        home = self._home_in("home")
        engine = open_writer(home.database)
        track(home, engine, self.plan.symbols)
        engine.dispose()
        return home

    def _home_in(self, name: str) -> Home:
        folder = Path(self.plan.folder) / name
        folder.mkdir()
        self._write_settings(USUAL_MINUTES, name)
        home = create_home(folder)
        upgrade_database(home.database)
        return home

    def _new_watch(self) -> Watch:
        watch = OwnProcess(self.home.folder, self.home.database, LogTarget("json"))
        self.trigger = _scheduler(watch.check).get_jobs()[0].trigger
        return watch

    def _write_settings(self, after_close: int, name: str = "home") -> None:
        path = Path(self.plan.folder) / name / "tickercast.toml"
        text = SETTINGS.format(folder=self.prices, after_close=after_close) if after_close else BROKEN_SETTINGS
        path.write_text(text, encoding="utf-8")
        os.utime(path, times=(self.now.timestamp(), self.now.timestamp()))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _backfill(home: Home, request: BackfillRequest) -> None:
    engine = open_writer(home.database)
    try:
        backfill_span(home, engine, request)
    finally:
        engine.dispose()


def _sample(home: Home) -> tuple[int, ...]:
    """Return this process's open files and threads, and the bytes of its log and of the database's WAL."""
    wal = home.database.with_name(f"{home.database.name}-wal")
    return (*resources()[1:], os.fstat(sys.stderr.fileno()).st_size, wal.stat().st_size if wal.exists() else 0)


def main() -> None:
    """Live through the plan in a file, and print what the life was."""
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    start_logging("json")
    life = Life(plan)
    life.live()
    life.compare_with_backfill()
    sys.stdout.write(json.dumps(asdict(life.lived)))


if __name__ == "__main__":
    main()
