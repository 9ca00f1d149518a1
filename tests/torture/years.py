"""Years of a daemon's life in simulated time: outages, wrong clocks, clock changes, late bars, edits. See years_life."""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.program import must_run
from tests.torture.years_life import BEGIN, USUAL_MINUTES, Plan
from tests.torture.years_market import appearances
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.exchanges.symbols import exchange_of
from tickercast.storage.database import reading
from tickercast.storage.verify import find_problems

NEW_YORK, ENDING, TOKYO, LONDON, CRYPTO, HONG_KONG = "NYA", "END", "7203.T", "ULVR.L", "BTC-USD", "0700.HK"
FIRST_YEAR, YEARS = 2027, 10
SHORT, QUARTERS, MEMORY, FAR = 0, range(1, 4 * YEARS + 1), 4 * YEARS + 1, 4 * YEARS + 2  # numbers of trials
LONGEST_OUTAGE = 30  # sessions
MOST_OUTAGE = 42  # sessions of a quarter
ZONES = ("America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Tokyo", "Pacific/Kiritimati")  # of the machine
MEMORY_SESSIONS = 500
DAY = 86_400.0
WRONG = (2 * 365 * DAY, -3 * 365 * DAY, DAY, -DAY, 7 * 3600.0)  # seconds that a clock is off by
WRONG_MINUTES = (25, 50)
MOST_LATE = timedelta(hours=8, minutes=40)  # the longest pause between two attempts, and a look
PROMPT = timedelta(minutes=10)  # where the bar is there when it is due
MOST_GROWTH_KB = 1024.0  # for 1,000 sessions
MOST_LOG_BYTES = 2_000  # for each cycle
MOST_WAL_BYTES = 8 << 20
ROWS = """SELECT t.symbol, o.origin, o.made_at FROM origins o JOIN tickers t ON t.id = o.ticker_id ORDER BY o.id"""
OWED = """SELECT count(*) FROM unscored u JOIN forecasts f ON f.origin_id = u.origin_id JOIN origins o ON o.id = u.origin_id
WHERE EXISTS (SELECT 1 FROM bars b WHERE b.ticker_id = o.ticker_id AND b.session = f.target)
AND EXISTS (SELECT 1 FROM bars b WHERE b.ticker_id = o.ticker_id AND b.session > f.target)"""


def prepare(_bench: Bench) -> None:
    """Do nothing: each life begins with a home of its own."""


def trial(bench: Bench, index: int) -> Outcome:
    """Live one life and return what was wrong with it."""
    return _parent(bench) if index == MEMORY else _life(bench, index)


def _parent(bench: Bench) -> Outcome:
    """Return whether what lives on of a daemon grows over many sessions."""
    with bench.scratch() as folder, (folder / "log").open("w", encoding="utf-8") as log:
        must_run(bench.build, folder / "home", "init")
        ended = subprocess.run(
            [sys.executable, "-m", "tests.torture.years_parent", "home", str(MEMORY_SESSIONS)],
            cwd=folder, env=bench.build.environment(), stdout=subprocess.PIPE, stderr=log, text=True, check=False,
        )  # fmt: skip
        if ended.returncode:
            return Outcome(0, broken=(f"years {MEMORY}: the daemon's code failed: {_end_of(folder / 'log')}",))
    broken = tuple(f"years {MEMORY}: {sentence}" for sentence in _growth(json.loads(ended.stdout)))
    return Outcome(0, {"looks in processes": MEMORY_SESSIONS}, broken)


def _life(bench: Bench, index: int) -> Outcome:
    with bench.scratch() as folder:
        plan = plan_of(bench, index, folder)
        lived = _live(bench, plan, folder, ZONES[index % len(ZONES)])
        if lived is None:
            return Outcome(0, broken=(f"years {index}: the daemon's code failed: {_end_of(folder / 'log')}",))
        rows = _rows(folder / "home" / "tickercast.db", ROWS)
        broken = [
            *lived["vanished"],
            *(f"a wrong clock stored rows: {sentence}" for sentence in lived["stored_while_wrong"]),
            *([] if lived["same_as_backfill"] else ["the record is not that of a backfill over the same bars"]),
            *_wrong_sessions(plan, rows),
            *_wrong_home(folder / "home"),
            *_bounds(lived),
        ]
        work = {
            "sessions forecast": len(rows),
            "cycles": lived["cycles"],
            "looks": lived["looks"],
            "scores": _rows(folder / "home" / "tickercast.db", "SELECT count(*) FROM scores")[0][0],
            "restarts": lived["restarts"],
        }
    return Outcome(len(plan.outages) + len(plan.wrong), work, tuple(f"years {index}: {sentence}" for sentence in broken))


def plan_of(bench: Bench, index: int, folder: Path) -> Plan:
    """Draw what happens in a trial: some days around a clock change, a quarter, or a far future."""
    rng = bench.rng("years", index)
    seed = f"{bench.seed}/{index}"
    if index == SHORT:
        symbols, first, last, outages = (NEW_YORK, CRYPTO), date(FIRST_YEAR, 3, 11), date(FIRST_YEAR, 3, 18), (2,)
    elif index in QUARTERS:
        year, quarter = divmod(index - 1, 4)
        symbols = (NEW_YORK, TOKYO, LONDON, *([ENDING] if quarter == 1 else []))
        first = date(FIRST_YEAR + year, 3 * quarter + 1, 1)
        last = first + timedelta(days=89)
        outages = _outages(rng, 2 + index % 2, quarter)
    else:
        symbols, first, last, outages = (NEW_YORK, TOKYO, HONG_KONG), date(2061, 3, 1), date(2061, 4, 15), (5,)
    return _with_faults(rng, Plan(str(folder), seed, symbols, str(first), str(last)), outages)


def _outages(rng: random.Random, number: int, quarter: int) -> tuple[int, ...]:
    """Draw the lengths of outages in a quarter, one of the longest each year. They leave sessions for the daemon to live in."""
    while True:
        drawn = tuple(int((LONGEST_OUTAGE + 1) ** rng.random()) for _ in range(number))
        if quarter == 0:
            drawn = (LONGEST_OUTAGE, *drawn[1:])
        if sum(drawn) <= MOST_OUTAGE:
            return drawn


def _with_faults(rng: random.Random, plan: Plan, outages: tuple[int, ...]) -> Plan:
    """Return a plan with outages of some numbers of sessions at random, a wrong clock and edits of the settings."""
    calendar = exchange_calendar(exchange_of(plan.symbols[0]))
    first, last = date.fromisoformat(plan.first), date.fromisoformat(plan.last)
    sessions = calendar.span(first, last, 0)[0].days.tolist()
    spare = len(sessions) - sum(outages) - 3 * len(outages)
    cuts = sorted(rng.randint(0, spare) for _ in outages)
    spans, used = [], 2
    for cut, length in zip(cuts, rng.sample(outages, len(outages)), strict=True):
        begin = _at_random(rng, sessions[cut + used])
        spans.append((begin.isoformat(), (begin + (sessions[cut + used + length] - sessions[cut + used])).isoformat()))
        used += length + 3
    free = [day for day in sessions[1:-1] if not any(begin[:10] <= str(day) <= end[:10] for begin, end in spans)]
    wrong_at = _at_random(rng, rng.choice(free))
    wrong_end = wrong_at + timedelta(minutes=rng.uniform(*WRONG_MINUTES))
    edited = _at_random(rng, rng.choice(free))
    mended = edited + timedelta(hours=rng.uniform(1, 20))
    return Plan(
        plan.folder, plan.seed, plan.symbols, plan.first, plan.last,
        outages=tuple(spans),
        wrong=((wrong_at.isoformat(), wrong_end.isoformat(), rng.choice(WRONG)),),
        edits=((edited.isoformat(), 0), (mended.isoformat(), rng.choice((30, USUAL_MINUTES)))),
        ends=((ENDING, str(first + (last - first) * rng.uniform(0.2, 0.8))),) if ENDING in plan.symbols else (),
    )  # fmt: skip


def _at_random(rng: random.Random, day: date) -> datetime:
    return datetime.combine(day, time(rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59)), UTC)


def _live(bench: Bench, plan: Plan, folder: Path, zone: str) -> dict[str, Any] | None:
    """Return what the process of a life prints, on a machine in a time zone. None where it failed."""
    (folder / "plan.json").write_text(json.dumps(asdict(plan)), encoding="utf-8")
    with (folder / "log").open("w", encoding="utf-8") as log:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.torture.years_life", "plan.json"],
            cwd=folder, env=bench.build.environment(TZ=zone), stdout=subprocess.PIPE, stderr=log, text=True, check=False,
        )  # fmt: skip
    found: dict[str, Any] | None = json.loads(ended.stdout) if ended.returncode == 0 else None
    return found


def _wrong_sessions(plan: Plan, rows: list[tuple[Any, ...]]) -> Iterator[str]:
    """Yield what is wrong with the sessions that were forecast: each once, in order, after its close, in time."""
    ends = {symbol: date.fromisoformat(day) for symbol, day in plan.ends}
    shown = appearances(list(plan.symbols), date.fromisoformat(plan.first), date.fromisoformat(plan.last), ends, plan.seed)
    pauses = [*plan.outages, *((begin, end) for begin, end, _ in plan.wrong)]
    pauses += [(begin, plan.edits[place + 1][0]) for place, (begin, minutes) in enumerate(plan.edits) if not minutes]
    began = datetime.combine(date.fromisoformat(plan.first), BEGIN, UTC)
    for symbol in plan.symbols:
        calendar = exchange_calendar(exchange_of(symbol))
        own = [(date.fromisoformat(origin), datetime.fromisoformat(made)) for name, origin, made in rows if name == symbol]
        found = [session for session, _ in own]
        expected = {bar.session: bar.at for bar in shown if bar.symbol == symbol}
        yield from (f"{symbol}: session {day} was never forecast" for day in expected if day not in found)
        yield from (f"{symbol}: session {day} was forecast twice" for day in set(found) if found.count(day) > 1)
        if found != sorted(found):
            yield f"{symbol}: sessions were not forecast in order"
        yield from (
            f"{symbol}: session {day} was forecast before its close" for day, made in own if made < calendar.close_at(day)
        )
        for day, made in own:
            shown_at, due = expected.get(day, made), max(began, calendar.close_at(day) + timedelta(minutes=USUAL_MINUTES))
            if made > _latest(*((due, PROMPT) if shown_at <= due else (shown_at, MOST_LATE)), pauses):
                yield f"{symbol}: session {day} was forecast late, at {made}"


def _latest(due: datetime, pause: timedelta, pauses: list[tuple[str, str]]) -> datetime:
    """Return until when a forecast that is due at an instant may come, where the daemon does nothing in some pauses."""
    until = due + pause
    for begin, end in sorted(pauses):
        if datetime.fromisoformat(begin) < until and datetime.fromisoformat(end) > due:
            until = max(until, datetime.fromisoformat(end) + MOST_LATE)
    return until


def _wrong_home(home: Path) -> Iterator[str]:
    """Yield what is wrong with a home at the end: problems that verify finds, owed scores, files that should be gone."""
    database, prices = home / "tickercast.db", home / "prices"
    with reading(database) as connection:
        yield from (line for line in find_problems(connection, prices) if not line.startswith("rows recorded later"))
    owed = _rows(database, OWED)[0][0]
    if owed:
        yield f"{owed} forecasts were not scored"
    yield from (f"{path.relative_to(home)} was left" for path in home.rglob("*") if "tmp" in path.name or path.suffix == ".new")
    for folder in prices.iterdir():
        files = list(folder.glob("*")) if folder.is_dir() else []
        if len(files) > 4:
            yield f"{folder.name} has {len(files)} price files"


def _growth(samples: list[list[int]]) -> Iterator[str]:
    """Yield whether memory grows, by the median of the slopes between all pairs of samples (Theil and Sen)."""
    settled = samples[len(samples) // 5 :]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for place, a in enumerate(settled) for b in settled[place + 1 :]]
    growth = 1000 * statistics.median(slopes)
    if growth > MOST_GROWTH_KB:
        yield f"memory grew by {growth:.0f} KB for 1,000 sessions"
    yield from _changes([sample[2:] for sample in settled])


def _changes(samples: list[list[int]]) -> Iterator[str]:
    """Yield whether the number of open files or of threads changed."""
    for place, name in enumerate(("open files", "threads")):
        numbers = {sample[place] for sample in samples}
        if len(numbers) > 1:
            yield f"the number of {name} was not constant: {sorted(numbers)}"


def _bounds(lived: dict[str, Any]) -> Iterator[str]:
    samples = lived["samples"]
    yield from _changes(samples[1:])
    if samples and samples[-1][2] > MOST_LOG_BYTES * lived["looks"]:
        yield f"the log has {samples[-1][2]} bytes after {lived['looks']} looks"
    if any(sample[3] > MOST_WAL_BYTES for sample in samples):
        yield f"the WAL grew to {max(sample[3] for sample in samples)} bytes"


def _rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8").strip().rpartition("\n")[2][:300]


HARNESS = Harness(
    name="years",
    promise="each session is forecast exactly once, in order and in time, whatever the clock and the outages",
    faults="outages and wrong clocks",
    trials=FAR + 1,
    short_trials=1,
    full_trials=FAR + 1,
    prepare=prepare,
    trial=trial,
    work=("sessions forecast", "scores", "restarts"),
)
