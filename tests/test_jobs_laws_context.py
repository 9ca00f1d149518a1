"""The laws with context: a reference and events in a folder give the same record day by day and in one go, alone and together.

The forecasts are those of the default settings: factors on a bundled prior.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forecast_builders import hash_of, moved, sample, sessions
from tests.price_builders import bars_of_closes, write_csv
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.workspace.home import Home
from tickercast.storage.bars import Bars
from tickercast.storage.database import open_writer, reading
from tickercast.storage.queries import read_view

pytestmark = pytest.mark.slow

Make = Callable[[str, str], Home]
COLUMNS = ("ticker", "origin", "horizon", "location", "scale", "dof", "q05", "q95", "input_sha256", "model_id", "context")
TICKERS = ("IBM", "MSFT")
DAYS = sessions("2016-01-11", "2016-01-25")
COLD = DAYS[5]
# Of these sessions the index of one alone is divisible by its own.
SETTINGS = f"[model]\nhistory_sessions = 260\n[training]\ncold_every = {exchange_calendar('XNYS').session_index(COLD)}\n"


def vix() -> Bars:
    """Return a reference that moves between 12 and 32, until after the last day."""
    days = np.array(sessions("2014-01-02", "2016-02-01"), "datetime64[D]")
    bars = bars_of_closes(*(22 + 10 * np.sin(np.arange(len(days)) / 7)).tolist())
    return replace(bars, session=days)


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """Return a folder of two tickers, a reference, and reports that were recorded before and among the ten sessions."""
    folder = tmp_path / "feed"
    for ticker in TICKERS:
        write_csv(folder, ticker, moved(sample(ticker), count=400))
    write_csv(folder, "^VIX", vix())
    past = [f"{ticker},{day},,2015-0{1 + i}-01T00:00Z" for ticker in TICKERS for i, day in enumerate(reports_until(DAYS[0]))]
    ahead = [f"IBM,{DAYS[5]},,{DAYS[2]}T12:00Z", f"IBM,{DAYS[6]},,{DAYS[4]}T12:00Z", f"MSFT,{DAYS[9]},,{DAYS[3]}T23:30Z"]
    write_events(folder, *past, *ahead)
    return folder


def reports_until(last: date) -> list[date]:
    """Return the days of eight quarterly reports, the newest three months before a day."""
    return [last - timedelta(days=91 * i) for i in reversed(range(1, 9))]


def write_events(folder: Path, *lines: str) -> None:
    (folder / "events.csv").write_text("\n".join(["ticker,date,kind,recorded_at", *lines]))


def day_by_day(home: Home, feed: Path, tickers: Sequence[str], *, before: Callable[[date], object] | None = None) -> Home:
    """Do the daily run of each day. before: is called with it first."""
    engine = open_writer(home.database)
    track(home, engine, tickers, source=f"folder:{feed}", adjustment="as_traded")
    for day in DAYS:
        if before is not None:
            before(day)
        run_once(home, engine, now=datetime.combine(day, time(23), UTC), workers=1)
    engine.dispose()
    return home


def in_one_go(home: Home, feed: Path, tickers: Sequence[str], days: Sequence[date] = DAYS) -> Home:
    engine = open_writer(home.database)
    request = BackfillRequest(tuple(tickers), days[0], days[-1], source=f"folder:{feed}", adjustment="as_traded", workers=1)
    backfill_span(home, engine, request)
    engine.dispose()
    return home


def forecasts_of(home: Home) -> list[tuple[Any, ...]]:
    with reading(home.database) as connection:
        answer = read_view(connection, "forecast_history")
    places = [answer.columns.index(name) for name in COLUMNS]
    return sorted(tuple(row[place] for place in places) for row in answer.rows)


def reasons_of(home: Home) -> list[str]:
    """Return the reasons of IBM's models, in order."""
    with reading(home.database) as connection:
        query = "SELECT reason FROM model_lineage WHERE ticker = 'IBM' AND role = 'chain' ORDER BY origin"
        return list(connection.exec_driver_sql(query).scalars())


def test_daily_is_backfill_with_a_reference_and_events(make_home: Make, feed: Path) -> None:
    daily = day_by_day(make_home("daily", SETTINGS), feed, TICKERS)
    backfill = in_one_go(make_home("backfill", SETTINGS), feed, TICKERS)
    assert forecasts_of(daily) == forecasts_of(backfill)
    assert hash_of(daily) == hash_of(backfill)
    assert {row[-1] for row in forecasts_of(daily)} == {"recorded"}
    assert reasons_of(daily) == ["first origin", *["warm"] * 4, "schedule", *["warm"] * 4]


def test_a_ticker_with_context_has_the_forecasts_alone_that_it_has_among_others(make_home: Make, feed: Path) -> None:
    together = in_one_go(make_home("together", SETTINGS), feed, TICKERS, DAYS[:4])
    alone = in_one_go(make_home("alone", SETTINGS), feed, ["MSFT"], DAYS[:4])
    assert [row for row in forecasts_of(together) if row[0] == "MSFT"] == forecasts_of(alone) != []


@pytest.mark.parametrize("file", ["^VIX.csv", "events.csv"])
def test_each_kind_of_context_reaches_the_forecasts(make_home: Make, feed: Path, file: str) -> None:
    with_it = in_one_go(make_home("with", SETTINGS), feed, ["IBM"], DAYS[:2])
    (feed / file).unlink()
    without = in_one_go(make_home("without", SETTINGS), feed, ["IBM"], DAYS[:2])
    assert [row[4] for row in forecasts_of(with_it)] != [row[4] for row in forecasts_of(without)]


def test_context_that_ends_in_the_middle_of_a_chain_changes_no_earlier_row_and_the_chain_stays_warm(
    make_home: Make, feed: Path
) -> None:
    """The files are gone before the third day. From the sixth the newest report is older than 110 days, from the seventh the
    reference is older than a week."""
    ending = [f"IBM,{day - timedelta(days=12)},,2015-01-01T00:00Z" for day in reports_until(DAYS[0])]
    write_events(feed, *ending)
    kept = in_one_go(make_home("kept", SETTINGS), feed, ["IBM"])

    def remove_on_the_third(day: date) -> None:
        for name in ("^VIX.csv", "events.csv") if day == DAYS[2] else ():
            (feed / name).unlink()

    gone = day_by_day(make_home("gone", SETTINGS), feed, ["IBM"], before=remove_on_the_third)
    write_events(feed, *ending)
    write_csv(feed, "^VIX", vix().through(DAYS[1]))
    again = in_one_go(make_home("again", SETTINGS), feed, ["IBM"])
    assert reasons_of(gone) == ["first origin", *["warm"] * 4, "schedule", *["warm"] * 4]
    assert hash_of(gone) == hash_of(again)
    earlier, later = ([row for row in forecasts_of(kept) if (row[1] <= str(DAYS[1])) is which] for which in (True, False))
    assert [row for row in forecasts_of(gone) if row[1] <= str(DAYS[1])] == earlier
    assert {row[1] for row in later if row in forecasts_of(gone)} == set()
    assert [row[-1] for row in forecasts_of(gone) if row[2] == 1] == ["recorded"] * 5 + ["none"] * 5
