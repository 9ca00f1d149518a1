"""Two ways through a schedule of tickers' lives: day by day, and backfills in another order. Both leave the same record.

On days on which the reference fails, daily runs use its stored sessions. Backfills up to such days read no more of it either.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path

from tests.law_lives import DAYS, MEMBERS, REFERENCE, Life, Schedule, bars_of
from tests.price_builders import write_csv
from tickercast.jobs import clock
from tickercast.jobs.errors import JobError
from tickercast.jobs.prices.tickers import rename, track, untrack
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.workspace.home import Home
from tickercast.storage.database import Engine, open_writer, reading
from tickercast.storage.verify import HASHED, content_hash

STALE = """SELECT t.key, max(o.origin) FROM origins o JOIN tickers t ON t.id = o.ticker_id
WHERE t.exchange = 'XNYS' AND o.run_id = (SELECT max(id) FROM runs) AND o.origin > ? GROUP BY t.key"""
BEFORE_ALL_BARS = (date(2025, 1, 2), date(2025, 1, 2))  # a span in which nothing is due: the bars are stored all the same


@dataclass(slots=True)
class Way:
    """A home, its writer and the folder that its prices come from.

    symbols: of a life's own symbol, the present one. stale: of each ticker's key, the last origin that was made while the
    reference failed. known: the newest session of the reference on those days, "" for none; known_last: at the end.
    """

    home: Home
    engine: Engine
    folder: Path
    symbols: dict[str, str] = field(default_factory=dict)
    stale: dict[str, date] = field(default_factory=dict)
    known: str = ""
    known_last: str = ""

    def symbol_of(self, life: Life) -> str:
        """Return the present symbol of a life."""
        return self.symbols.get(life.symbol, life.symbol)


def settings_of(schedule: Schedule, folder: Path) -> str:
    """Return the settings of a home: small trainings, and prices from a folder. The bundled priors have five horizons."""
    horizons = 5 if schedule.prior == "bundled" else 3
    members = ", ".join(f'"{symbol}"' for symbol in MEMBERS)
    universe = f"[prior]\nuniverse = [{members}]\n" if schedule.prior == "universe" else ""
    return (
        f'[source]\nkind = "folder"\npath = "{folder}"\nadjustment = "split"\n'
        f'[model]\nhistory_sessions = 140\nhorizons = {horizons}\nprior = "{schedule.prior}"\n{universe}'
        "[training]\ncold_every = 7\ncold_epochs = 2\ntune_epochs = 1\nwindow = 40\nprior_every = 9\nprior_sessions = 300\n"
        f'prior_steps = 2\nlearns = "{schedule.learns}"\n'
        f"[compute]\nstack = {schedule.stack}\n"
    )


def day_by_day(way: Way, schedule: Schedule, set_clock: Callable[[datetime], None]) -> None:
    """Live through a schedule with one daily run a day."""
    for index, day in enumerate(DAYS):
        now = datetime.combine(day, time(schedule.hours[index]), UTC)
        set_clock(now)
        if index == schedule.renamed:
            _rename(way)
        for life in _present(schedule, index):
            symbol = way.symbol_of(life) if life is not schedule.successor else life.symbol
            _set_tracked(way, symbol, life.is_tracked(index), life.is_tracked(index - 1))
            _write(way, schedule, life, through=day, damaged=index in life.fails)
        _write_events(way, schedule, index)
        _write_reference(way, schedule, through=day, damaged=_reference_fails(schedule, index))
        with contextlib.suppress(JobError):
            run_once(way.home, way.engine, now=now, workers=1)
        _note_stale(way, schedule, index)


def in_another_order(way: Way, schedule: Schedule, daily: Way, spans: dict[str, tuple[date, date]]) -> None:
    """Leave the record of daily runs by backfills alone. spans: the first and the last origin of each ticker's key."""
    ordered = [schedule.lives[i] for i in schedule.order]
    for life in ordered:
        _write(way, schedule, life, through=DAYS[-1], damaged=False)
    _write_events(way, schedule, 0)
    if daily.stale:
        _write_reference(way, schedule, through=daily.known, damaged=False)
        for life in ordered:
            if life.symbol in daily.stale:
                _backfill(way, [life.symbol], (spans[life.symbol][0], daily.stale[life.symbol]))
    _write_reference(way, schedule, through=daily.known_last, damaged=False)
    if schedule.together:
        _backfill_together(way, schedule, {life.symbol: spans.get(life.symbol, BEFORE_ALL_BARS) for life in ordered})
    else:
        for life in ordered:
            _backfill(way, [life.symbol], spans.get(life.symbol))
    if schedule.renamed is not None:
        _rename(way)
        for life in _present(schedule, len(DAYS)):
            _write(way, schedule, life, through=DAYS[-1], damaged=False)
        _write_events(way, schedule, len(DAYS))
    if schedule.successor is not None:
        _backfill(way, ["AAA"], spans.get("AAA#2"))


def settle(way: Way, schedule: Schedule, spans: dict[str, tuple[date, date]]) -> None:
    """Fetch every ticker's last bars, so that all that is due is scored. No origin is added."""
    for life in _present(schedule, len(DAYS)):
        _write(way, schedule, life, through=DAYS[-1], damaged=False)
        key = "AAA#2" if life is schedule.successor else life.symbol
        symbol = life.symbol if life is schedule.successor else way.symbol_of(life)
        _backfill(way, [symbol], spans.get(key))


def origins_of(home: Home) -> dict[str, tuple[date, date]]:
    """Return the first and the last origin of each ticker's key."""
    query = "SELECT t.key, min(o.origin), max(o.origin) FROM origins o JOIN tickers t ON t.id = o.ticker_id GROUP BY t.key"
    with reading(home.database) as connection:
        rows = connection.exec_driver_sql(query).fetchall()
    return {key: (date.fromisoformat(first), date.fromisoformat(last)) for key, first, last in rows}


def differences(one: Home, other: Home) -> list[str]:
    """Return the first rows of the record that one home has and the other has not."""
    found = []
    with reading(one.database) as ours, reading(other.database) as theirs:
        if content_hash(ours) == content_hash(theirs):
            return []
        for query in HASHED:
            a, b = ({tuple(row) for row in connection.exec_driver_sql(query)} for connection in (ours, theirs))
            found += [
                f"only in {name}: {row}" for name, rows in (("one", a - b), ("other", b - a)) for row in sorted(rows, key=str)[:3]
            ]
    return found


@contextlib.contextmanager
def opened(home: Home, folder: Path) -> Iterator[Way]:
    """Yield a way through a schedule with an empty folder of prices."""
    folder.mkdir()
    engine = open_writer(home.database)
    try:
        yield Way(home, engine, folder)
    finally:
        engine.dispose()


def _backfill_together(way: Way, schedule: Schedule, spans: dict[str, tuple[date, date]]) -> None:
    """Backfill the tickers of each span in one run."""
    for span in dict.fromkeys(spans.values()):
        symbols = [symbol for symbol, own in spans.items() if own == span]
        _backfill(way, symbols, span, workers=schedule.workers if len(symbols) > 1 else 1)


def _backfill(way: Way, symbols: Sequence[str], span: tuple[date, date] | None, *, workers: int = 1) -> None:
    request = BackfillRequest(tuple(symbols), *(span or BEFORE_ALL_BARS), workers=workers)
    with contextlib.suppress(JobError):
        backfill_span(way.home, way.engine, request, now=clock.now())


def _present(schedule: Schedule, index: int) -> list[Life]:
    has_successor = schedule.successor is not None and schedule.renamed is not None and index > schedule.renamed
    return [*schedule.lives, *([schedule.successor] if has_successor and schedule.successor else [])]


def _set_tracked(way: Way, symbol: str, wanted: bool, before: bool) -> None:
    if wanted and not before:
        track(way.home, way.engine, [symbol])
    elif before and not wanted:
        untrack(way.engine, [symbol])


def _write(way: Way, schedule: Schedule, life: Life, *, through: date, damaged: bool) -> None:
    """Write a life's file as it is at the end of a day; before its first bar there is none."""
    is_successor = life is schedule.successor
    symbol = life.symbol if is_successor else way.symbol_of(life)
    bars = bars_of(life, f"{life.symbol} {is_successor}").through(through)
    if damaged:
        (way.folder / f"{symbol}.csv").write_text("not,a\nprice,file\n")
    elif len(bars):
        write_csv(way.folder, symbol, bars, life.kind)


def _write_events(way: Way, schedule: Schedule, index: int) -> None:
    """Write the reports of all companies of a day, those too that are recorded later: an import refuses them until then."""
    present = _present(schedule, index)
    symbols = [life.symbol if life is schedule.successor else way.symbol_of(life) for life in present]
    lines = [
        f"{symbol},{day},{at.isoformat()}" for symbol, life in zip(symbols, present, strict=True) for day, at in life.reports
    ]
    (way.folder / "events.csv").write_text("\n".join(["ticker,date,recorded_at", *lines]))


def _write_reference(way: Way, schedule: Schedule, *, through: date | str, damaged: bool) -> None:
    """Write the reference's file as it is at the end of a day; none before its first bar."""
    if schedule.reference is not None and through:
        _write(way, schedule, schedule.reference, through=date.fromisoformat(str(through)), damaged=damaged)


def _reference_fails(schedule: Schedule, index: int) -> bool:
    return schedule.reference is not None and index in schedule.reference.fails


def _note_stale(way: Way, schedule: Schedule, index: int) -> None:
    """Note what is stored of the reference, and the origins that the day's run made without its newest sessions."""
    if schedule.reference is None:
        return
    query = "SELECT max(b.session) FROM bars b JOIN tickers t ON t.id = b.ticker_id WHERE t.symbol = ?"
    with reading(way.home.database) as connection:
        way.known_last = connection.exec_driver_sql(query, (REFERENCE,)).scalar() or ""
        if _reference_fails(schedule, index):
            way.known = way.known_last
            rows = connection.exec_driver_sql(STALE, (way.known,)).fetchall()
            way.stale |= {key: date.fromisoformat(origin) for key, origin in rows}


def _rename(way: Way) -> None:
    """Give AAA the symbol AAAX, in the record where it is stored, and in the folder."""
    way.symbols["AAA"] = "AAAX"
    file = way.folder / "AAA.csv"
    if file.exists():
        file.rename(way.folder / "AAAX.csv")
    with contextlib.suppress(Exception):
        rename(way.engine, "AAA", "AAAX")
