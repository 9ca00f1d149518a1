"""Daily runs in batches: their order, retries at the end, and the same record whatever the batches and whatever kills them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from time import monotonic

import pytest
import sqlalchemy as sa

from tests.loopback_yahoo import LoopbackYahoo, Reply, loopback_yahoo
from tests.price_builders import day_of, sample_bars, write_csv
from tests.price_homes import PriceHome
from tests.processes import wait_until
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.jobs.prices import commit_group
from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.prices.ingest import Ingest
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.backlog import daily_due_sessions
from tickercast.jobs.runs.batches import Batch, BatchLimits
from tickercast.jobs.runs.feed import Feed
from tickercast.jobs.runs.fetch_order import by_waiting_time
from tickercast.jobs.runs.request_thread import RequestThread
from tickercast.jobs.runs.run import run_options, run_over, tracked_symbols
from tickercast.jobs.workspace.home import Home, open_home
from tickercast.storage import writes
from tickercast.storage.database import Engine, open_writer, reading
from tickercast.storage.verify import content_hash, find_problems

pytestmark = pytest.mark.slow

NOW = datetime(2012, 6, 8, 23, tzinfo=UTC)
THURSDAY, FRIDAY = day_of("2012-06-07"), day_of("2012-06-08")
NAMES = tuple("ABCDEFGH")
MakeHome = Callable[..., PriceHome]


@pytest.fixture
def server() -> Iterator[LoopbackYahoo]:
    with loopback_yahoo() as state:
        for number, name in enumerate(NAMES):
            state.serve(name, sample_bars(("IBM", "MSFT", "AAPL")[number % 3], "2011-06-01"))
        yield state


def run_in_batches(
    home: Home, engine: Engine, day: date, most: int | None, stop: threading.Event | None = None, ahead: int = 1
) -> str:
    """Do a daily run at the end of a day in batches of so many tickers at most, and return its closing line."""
    config = home.settings.config()
    options = run_options(home, kind="run", now=datetime.combine(day, time(23), UTC), config=config, workers=1)
    options = replace(options, batch=BatchLimits(None, most, ahead=ahead))
    return run_over(
        home, engine, Sources(home), options, tracked_symbols(engine),
        lambda bars, committed: daily_due_sessions(bars, committed, config.fewest_sessions), stop=stop,
    )  # fmt: skip


def run_here(home: PriceHome, day: date, most: int | None) -> str:
    home.server.today = day
    return run_in_batches(home.home, home.engine, day, most)


def run_elsewhere(folder: Path, day: date, most: int) -> None:
    home = open_home(folder)
    run_in_batches(home, open_writer(home.database), day, most)


def hash_of(home: PriceHome) -> str:
    with reading(home.home.database) as connection:
        assert find_problems(connection, home.home.prices) == []
        return content_hash(connection)


def hash_after_two_days(home: PriceHome, most: int | None) -> str:
    run_here(home, THURSDAY, most)
    run_here(home, FRIDAY, most)
    return hash_of(home)


def transactions_of_a_day(home: PriceHome) -> tuple[int, int]:
    """Return how many transactions were begun and committed on the second of two days."""
    run_here(home, THURSDAY, None)
    counts: Counter[str] = Counter()
    for name in ("begin", "commit"):
        sa.event.listen(home.engine, name, lambda _, name=name: counts.update([name]))
    home.server.today = FRIDAY
    run_in_batches(home.home, home.engine, FRIDAY, None, ahead=8)
    return counts["begin"], counts["commit"]


def requested(server: LoopbackYahoo) -> list[str]:
    """Return the tickers whose bars were requested, each request without those for time zones."""
    return [request.split()[0] for request in server.chart_requests if not request.endswith("1d")]


def test_batches_of_any_size_leave_the_same_record(price_home: MakeHome) -> None:
    homes = {most: price_home(*NAMES, name=f"home{most}") for most in (1, 7, None)}
    hashes = {most: hash_after_two_days(home, most) for most, home in homes.items()}
    assert hashes[1] == hashes[None]
    assert hashes[7] == hashes[None]
    assert len(homes[7].rows("run_summary", "run_id")) == 2


def test_many_live_tickers_are_looked_up_and_committed_together(price_home: MakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_group, "LONGEST_WAIT", 600.0)
    few, many = price_home(*NAMES[:2], name="few"), price_home(*NAMES, name="many")
    assert transactions_of_a_day(many) == transactions_of_a_day(few)


def test_answers_wait_for_each_other_until_they_are_many_or_some_seconds_are_over() -> None:
    seconds = iter((10.0, 12.9, 13.0, 20.0, 20.0))
    group = commit_group.CommitGroup[int](lambda: next(seconds))
    group.add(1)
    assert (group.is_due, group.is_due, group.take(), group.is_due) == (False, True, [1], False)
    for number in range(commit_group.AT_ONCE):
        group.add(number)
    assert group.is_due


def test_who_has_waited_longest_comes_first_and_who_failed_last(price_home: MakeHome) -> None:
    home = price_home("A", "B", "C")
    run_here(home, THURSDAY, None)
    track(home.home, home.engine, ["D"])  # it waits since now, years after the session of Friday
    home.server.today = FRIDAY
    run_in_batches(home.home, home.engine, FRIDAY, None)
    with home.engine.begin() as connection:
        writes.update_ticker(connection, 2, last_error="it failed")
    track(home.home, home.engine, ["E"])
    assert by_waiting_time(home.engine, ["A", "B", "C", "D", "E"], 45) == ["A", "C", "D", "E", "B"]


def test_a_ticker_behind_by_two_sessions_is_fetched_before_those_behind_by_one(price_home: MakeHome) -> None:
    home = price_home("A", "B")
    home.server.today = day_of("2012-06-06")
    home.run(day_of("2012-06-06"))
    del home.server.served["B"]
    home.server.faults = []
    home.server.today = THURSDAY
    with pytest.raises(SomeTickersFailed):
        run_here(home, THURSDAY, None)
    home.server.serve("B", sample_bars("MSFT", "2011-06-01"))
    with home.engine.begin() as connection:
        writes.update_ticker(connection, 2, last_error=None)
    home.server.chart_requests.clear()
    run_here(home, FRIDAY, None)
    assert requested(home.server) == ["B", "A"]


def test_a_ticker_that_fails_is_retried_after_all_others(price_home: MakeHome) -> None:
    home = price_home("A", "B", "C")
    home.server.faults = [Reply(500, b"oops")]
    line = run_here(home, FRIDAY, 1)
    assert line.startswith("3 of 3 tickers, 15 new forecasts")
    assert home.server.requested_tickers() == ["A", "B", "C"]
    assert requested(home.server)[-1] == "A"


def test_a_429_slows_the_run_down_and_is_one_remark_of_its_line(price_home: MakeHome) -> None:
    home = price_home("A", "B", "C")
    home.server.faults = [Reply(429, b"Too Many Requests", (("Retry-After", "0"),))]
    line = run_here(home, FRIDAY, None)
    assert line.startswith("3 of 3 tickers, 15 new forecasts")
    assert "; Yahoo responded 429 1 time: as few as 5e+02 requests a second were sent" in line


@pytest.mark.sqlite_file
def test_a_run_killed_between_batches_keeps_those_before_and_is_resumed(price_home: MakeHome) -> None:
    names = NAMES[:5]
    home, whole = price_home(*names), price_home(*names, name="whole")
    hash_after_two_days(whole, None)
    run_here(home, THURSDAY, None)
    home.server.today = FRIDAY
    reply = home.server.reply
    home.server.reply = lambda path, query: replace(reply(path, query), wait=0.05)  # type: ignore[method-assign]
    process = multiprocessing.get_context("spawn").Process(target=run_elsewhere, args=(home.home.folder, FRIDAY, 1))
    process.start()
    wait_until(lambda: (str(FRIDAY),) in home.rows("forecast_history", "origin"))
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    done = len({ticker for ticker, origin in home.rows("forecast_history", "ticker", "origin") if origin == str(FRIDAY)})
    assert 0 < done < len(names)
    home.server.reply = reply  # type: ignore[method-assign]
    home.server.chart_requests.clear()
    run_here(home, FRIDAY, 1)
    assert len(requested(home.server)) < len(names)
    assert hash_of(home) == hash_of(whole)


def test_a_stop_between_two_requests_ends_the_run_with_what_is_there(price_home: MakeHome) -> None:
    home = price_home(*NAMES)
    stop = threading.Event()
    reply = home.server.reply

    def stop_after_some(path: str, query: dict[str, list[str]]) -> Reply:
        if len(home.server.requested_tickers()) == 5:
            stop.set()
        return replace(reply(path, query), wait=0.05)

    home.server.today = FRIDAY
    home.server.reply = stop_after_some  # type: ignore[method-assign]
    run_in_batches(home.home, home.engine, FRIDAY, 1, stop)
    assert home.rows("run_summary", "status") == [("interrupted",)]
    assert 0 < len(home.rows("latest_forecast", "ticker")) / 5 < 5


def test_tickers_of_files_come_in_batches_too_the_first_with_all_that_must_be_in_it(price_home: MakeHome, tmp_path: Path) -> None:
    home, stop, folder = price_home(), threading.Event(), tmp_path / "own"
    for name in NAMES:
        write_csv(folder, name, sample_bars("IBM", "2012-03-01").through(FRIDAY))
    track(home.home, home.engine, NAMES, source=f"folder:{folder}", adjustment="as_traded")
    feed = Feed(
        NAMES, Ingest(home.engine, home.home.prices, Sources(home.home), NOW, 15, None), RequestThread(stop), first="HGFE",
        order=list, clock=lambda: NOW, limits=BatchLimits(None, 3), stop=stop, told=lambda *_: None,
    )  # fmt: skip
    batches = [("".join(sorted(batch.ingested)), batch.is_last) for batch in feed.batches()]
    assert batches == [("EFGH", False), ("ABC", False), ("D", True)]


def test_as_many_requests_are_ahead_as_some_seconds_of_the_pace() -> None:
    assert [BatchLimits.at_pace(pace).ahead for pace in (0.1, 2.0, 10.0, 1000.0)] == [16, 16, 80, 256]


def test_the_first_batch_is_full_sooner_than_the_others() -> None:
    eleven_seconds_old = monotonic() - 11
    first, later = Batch(NOW, eleven_seconds_old, is_first=True), Batch(NOW, eleven_seconds_old)
    assert (BatchLimits().are_reached(first), BatchLimits().are_reached(later)) == (True, False)
