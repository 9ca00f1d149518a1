"""Random lives of tickers over some weeks, their prices, the reports of their companies, and the reference that they read.

The weeks lie around the end of 2026, where the library's calendars of some exchanges end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zlib import crc32

import numpy as np
from hypothesis import strategies as st

from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.exchanges.symbols import exchange_of
from tickercast.storage.bars import Bars, make_bars

FIRST_DAY = date(2026, 12, 23)
DAYS = tuple(FIRST_DAY + timedelta(days=i) for i in range(12))
HISTORY = 150  # sessions before the first day
SYMBOLS = ("AAA", "BBB", "CCC", "DDD.T", "EEE.BO")
MEMBERS = ("BBB", "CCC", "DDD.T")  # of the universe that a prior is fitted on
HOURS = (5, 12, 23)  # in UTC: after Tokyo's day before, after Bombay's close, after New York's
CRASH = 0.3
LONG_AGO = datetime(2026, 1, 5, 12, tzinfo=UTC)  # when past reports were recorded
REFERENCE = "^VIX"

Report = tuple[date, datetime]  # of a report, and when it was recorded


@dataclass(frozen=True, slots=True)
class Life:
    """What happens to one ticker, by index of day. None: it does not happen.

    listed_from: sessions of history before the first day, negative where its first bar comes later. tracked: (from, until) days.
    fails: days on which its file is damaged. crash: day of a fall that the gates quarantine. kind: of security, empty where its
    file does not say. reports: of its company.
    """

    symbol: str
    listed_from: int = HISTORY
    ends: int | None = None
    pause: tuple[int, int] | None = None
    tracked: tuple[tuple[int, int], ...] = ((0, len(DAYS)),)
    fails: frozenset[int] = frozenset()
    crash: int | None = None
    kind: str = ""
    reports: tuple[Report, ...] = ()

    def is_tracked(self, day: int) -> bool:
        """Return whether it is tracked on a day."""
        return any(begin <= day < end for begin, end in self.tracked)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The lives, when AAA becomes AAAX and a new company takes its symbol, and the other way through them.

    hour: of each day's run, UTC. prior, learns: the settings. order: of the backfills. workers, stack: of the backfills.
    reference: the life of New York's volatility index; its file is damaged on consecutive days.
    """

    lives: tuple[Life, ...]
    renamed: int | None
    successor: Life | None
    hours: tuple[int, ...]
    reference: Life | None
    prior: str
    learns: str
    order: tuple[int, ...]
    together: bool
    workers: int
    stack: int


@st.composite
def reports(draw: st.DrawFn) -> tuple[Report, ...]:
    """Draw a company's reports: four past ones, the next one, and another date for it, recorded some days later."""
    last = draw(st.integers(-105, -1))
    past = [(FIRST_DAY + timedelta(days=last - 91 * i), LONG_AGO) for i in reversed(range(4))]
    ahead: list[Report] = []
    announced, day = draw(st.none() | st.integers(-3, 8)), draw(st.integers(1, 25))
    if announced is not None:
        ahead = [(FIRST_DAY + timedelta(days=day), _recorded(draw, announced))]
        if draw(st.booleans()):
            moved = FIRST_DAY + timedelta(days=day + draw(st.integers(-8, 8)))
            ahead.append((moved, _recorded(draw, announced + draw(st.integers(1, 4)))))
    return (*past, *ahead)


def _recorded(draw: st.DrawFn, day: int) -> datetime:
    """Draw an instant of a day, before or after any exchange's close."""
    return datetime.combine(FIRST_DAY + timedelta(days=day), time(draw(st.sampled_from((3, 13, 22)))), UTC)


@st.composite
def references(draw: st.DrawFn, can_fail: bool) -> Life:
    """Draw what happens to the reference."""
    begin, pause = draw(st.integers(0, len(DAYS) - 1)), draw(st.none() | st.integers(-60, 6))
    days = draw(st.integers(0, 5)) if can_fail else 0
    return Life(
        REFERENCE,
        listed_from=draw(st.sampled_from((HISTORY, HISTORY, 30))),
        ends=draw(st.none() | st.none() | st.integers(1, len(DAYS) - 1)),
        pause=None if pause is None else (pause, pause + draw(st.integers(1, 12))),
        fails=frozenset(range(begin, min(begin + days, len(DAYS)))),
    )


@st.composite
def lives(draw: st.DrawFn, symbol: str) -> Life:
    """Draw what happens to one ticker."""
    day = st.integers(1, len(DAYS) - 1)
    begin, end = sorted((draw(st.integers(0, 5)), draw(st.integers(6, len(DAYS)))))
    tracked: tuple[tuple[int, int], ...] = ((begin, end),)
    if draw(st.booleans()) and end - begin > 5:
        gap = draw(st.integers(begin + 2, end - 3))
        tracked = ((begin, gap), (draw(st.integers(gap + 1, end - 1)), end))
    pause = draw(st.none() | st.none() | st.tuples(st.integers(-90, 8), st.integers(1, 90)))
    return Life(
        symbol,
        listed_from=draw(st.sampled_from((HISTORY, HISTORY, 136, 122))),
        ends=draw(st.none() | st.none() | day),
        pause=(pause[0], pause[0] + pause[1]) if pause else None,
        tracked=tracked,
        fails=draw(st.frozensets(day, max_size=4)),
        crash=draw(st.none() | st.none() | st.none() | day),
        kind=draw(st.sampled_from(("", "stock", "fund", "crypto"))),
        reports=draw(reports() | st.just(())),
    )


@st.composite
def schedules(draw: st.DrawFn, prior: str) -> Schedule:
    """Draw a schedule of three to five tickers under a kind of prior."""
    count = draw(st.integers(3, len(SYMBOLS)))
    chosen = draw(st.permutations(SYMBOLS))[:count]
    renamed = draw(st.none() | st.integers(3, 6)) if "AAA" in chosen else None
    drawn = [draw(lives(symbol)) for symbol in chosen]
    if renamed:  # only a stored ticker can be renamed
        drawn = [
            replace(life, tracked=((0, life.tracked[0][1]), *life.tracked[1:])) if life.symbol == "AAA" else life
            for life in drawn
        ]
    together = draw(st.booleans())
    successor = Life("AAA", tracked=((renamed + 1, len(DAYS)),)) if renamed and draw(st.booleans()) else None
    # A universe's prior, or a ticker that begins after a rename, would need further backfills with what was known.
    can_fail = prior != "universe" and successor is None
    return Schedule(
        lives=tuple(drawn),
        renamed=renamed,
        successor=successor,
        hours=tuple(draw(st.sampled_from(HOURS)) for _ in DAYS),
        reference=draw(references(can_fail) | st.none()),
        prior=prior,
        learns=draw(st.sampled_from(("scales", "scales", "network"))),
        order=tuple(draw(st.permutations(range(count)))),
        together=together,
        workers=draw(st.sampled_from((1, 2))) if together else 1,  # a pool takes seconds to start
        stack=draw(st.integers(1, 4)),
    )


@cache
def bars_of(life: Life, name: str) -> Bars:
    """Return all bars of a life: a random walk of its own on the sessions of its exchange. name: what it is drawn from."""
    calendar = exchange_calendar(exchange_of(life.symbol))
    first = calendar.session_offset(_session_from(life.symbol, FIRST_DAY), -life.listed_from)
    days = [day for day in _sessions(life.symbol, first) if life.ends is None or day <= DAYS[life.ends]]
    if life.pause is not None:
        begin, end = (FIRST_DAY + timedelta(days=offset) for offset in life.pause)
        days = [day for day in days if not begin <= day < end] or days[:1]
    rng = np.random.default_rng(crc32(name.encode()))
    moves = rng.normal(0, 0.012, 400)[: len(days)]
    close = 100 * np.exp(np.cumsum(moves))
    if life.crash is not None:
        close = np.where(np.array(days) >= DAYS[life.crash], close * CRASH, close)
    spread = np.exp(np.abs(rng.normal(0, 0.004, 400)[: len(days)]))
    volume = rng.integers(10_000, 20_000, 400)[: len(days)]
    values = {"open": close, "high": close * spread, "low": close / spread, "close": close, "volume": volume}
    return make_bars(np.array(days, dtype="datetime64[D]"), values)


def _session_from(symbol: str, day: date) -> date:
    """Return the first session of a symbol's exchange on a day or after it."""
    calendar = exchange_calendar(exchange_of(symbol))
    return next(
        d for d in (day + timedelta(days=i) for i in range(15)) if calendar.are_sessions(np.array([d], "datetime64[D]"))[0]
    )


def _sessions(symbol: str, first: date) -> list[date]:
    """Return the sessions of a symbol's exchange from a day to the last of the schedule."""
    calendar = exchange_calendar(exchange_of(symbol))
    days = np.arange(np.datetime64(first), np.datetime64(DAYS[-1]) + 1)
    sessions: list[date] = days[calendar.are_sessions(days)].tolist()
    return sessions
