"""The laws with context: a reference and events in a folder give the same record day by day and in one go, alone and together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.prices.tickers import track
from jobs.runs.backfill import BackfillRequest, backfill_span
from jobs.runs.daily import run_once
from jobs.workspace.home import Home
from storage.database import open_writer, reading
from storage.queries import read_view
from tests.forecast_builders import SMALL_SETTINGS, hash_of, ten_sessions
from tests.price_builders import bars_of_closes, sample_bars, write_csv

pytestmark = pytest.mark.slow

Make = Callable[[str, str], Home]
COLUMNS = ("ticker", "origin", "horizon", "location", "scale", "dof", "q05", "q95", "input_sha256", "model_id", "context")
TICKERS = ("IBM", "MSFT")


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """Return a folder of two tickers, a reference that moves between 12 and 32, and reports that were recorded before and among
    the ten sessions."""
    folder = tmp_path / "feed"
    for ticker in TICKERS:
        write_csv(folder, ticker, sample_bars(ticker, "2010-01-04"))
    bars = sample_bars("IBM", "2010-01-04")
    level = 22 + 10 * np.sin(np.arange(len(bars)) / 7)
    index = bars_of_closes(*level.tolist())
    index.session[:] = bars.session
    write_csv(folder, "^VIX", index)
    days = ten_sessions()
    past = [f"{ticker},{year}-{month:02}-17,,{year}-{month:02}-01T00:00Z" for ticker in TICKERS for year in (2011, 2012)
            for month in (1, 4, 7, 10)]  # fmt: skip
    ahead = [f"IBM,{days[5]},,{days[2]}T12:00Z", f"IBM,{days[6]},,{days[4]}T12:00Z", f"MSFT,{days[9]},,{days[3]}T23:30Z"]
    (folder / "events.csv").write_text("\n".join(["ticker,date,kind,recorded_at", *past, *ahead]))
    return folder


def day_by_day(home: Home, feed: Path, tickers: Sequence[str], days: Sequence[date]) -> Home:
    engine = open_writer(home.database)
    track(home, engine, tickers, source=f"folder:{feed}", adjustment="as_traded")
    for day in days:
        run_once(home, engine, now=datetime.combine(day, time(23), UTC), workers=1)
    engine.dispose()
    return home


def in_one_go(home: Home, feed: Path, tickers: Sequence[str], days: Sequence[date]) -> Home:
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


def test_daily_is_backfill_with_a_reference_and_events(make_home: Make, feed: Path) -> None:
    days = ten_sessions()
    daily = day_by_day(make_home("daily", SMALL_SETTINGS), feed, TICKERS, days)
    backfill = in_one_go(make_home("backfill", SMALL_SETTINGS), feed, TICKERS, days)
    assert forecasts_of(daily) == forecasts_of(backfill)
    assert hash_of(daily) == hash_of(backfill)
    assert {row[-1] for row in forecasts_of(daily)} == {"recorded"}


def test_a_ticker_with_context_has_the_forecasts_alone_that_it_has_among_others(make_home: Make, feed: Path) -> None:
    days = ten_sessions()[:4]
    together = in_one_go(make_home("together", SMALL_SETTINGS), feed, TICKERS, days)
    alone = in_one_go(make_home("alone", SMALL_SETTINGS), feed, ["MSFT"], days)
    assert [row for row in forecasts_of(together) if row[0] == "MSFT"] == forecasts_of(alone) != []


@pytest.mark.parametrize("file", ["^VIX.csv", "events.csv"])
def test_each_kind_of_context_reaches_the_forecasts(make_home: Make, feed: Path, file: str) -> None:
    days = ten_sessions()[:2]
    with_it = in_one_go(make_home("with", SMALL_SETTINGS), feed, ["IBM"], days)
    (feed / file).unlink()
    without = in_one_go(make_home("without", SMALL_SETTINGS), feed, ["IBM"], days)
    assert [row[4] for row in forecasts_of(with_it)] != [row[4] for row in forecasts_of(without)]
