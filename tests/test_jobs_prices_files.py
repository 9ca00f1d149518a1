"""Price files belong to a ticker's key, a damaged one is its ticker's failure alone, and SQL has a copy of each newest bar."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import pytest

from tests.loopback_yahoo import LoopbackYahoo
from tests.price_builders import day_of, sample_bars
from tests.price_homes import PriceHome, as_rows, copied, current_path
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.jobs.prices.copies import fill_copies
from tickercast.jobs.prices.tickers import rename, track
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import open_home

pytestmark = pytest.mark.slow

MakeHome = Callable[..., PriceHome]
FRIDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (
    day_of(f"2012-06-{day}") for day in ("08", "11", "12", "13", "14")
)  # fmt: skip


@pytest.fixture
def home(price_home: MakeHome, server: LoopbackYahoo) -> PriceHome:
    """Return a home with AAPL and IBM of Yahoo, forecast up to a Friday."""
    for ticker in ("AAPL", "IBM"):
        server.serve(ticker, sample_bars(ticker, "2011-11-01"))
    made = price_home("AAPL", "IBM")
    made.serve_and_run(FRIDAY)
    return made


def make_files_old(home: PriceHome) -> None:
    """Make every price file of a home two days old."""
    for path in home.home.prices.glob("*/*"):
        os.utime(path, (path.stat().st_mtime - 200_000,) * 2)


# --- files belong to a ticker's key ---


def test_a_reused_symbol_takes_no_file_from_the_renamed_ticker(home: PriceHome, server: LoopbackYahoo) -> None:
    rename(home.engine, "IBM", "META")
    server.serve("META", sample_bars("IBM", "2011-11-01"))
    server.serve("IBM", sample_bars("MSFT", "2011-11-01"))
    track(home.home, home.engine, ["IBM"])
    for day in (MONDAY, TUESDAY, WEDNESDAY, THURSDAY):
        home.serve_and_run(day)
        make_files_old(home)
    assert (current_path(home, "META").parent.name, current_path(home, "IBM").parent.name) == ("IBM", "IBM%232")
    assert (home.last_bar("META"), home.last_bar("IBM")) == (THURSDAY, THURSDAY)
    assert home.bars("IBM").close[-1] == pytest.approx(sample_bars("MSFT", "2012-06-14").close[0], rel=1e-6)
    models = home.rows("model_lineage", "ticker", "model_id")
    assert len({row[1] for row in models}) == len(models)
    assert len(list((home.home.prices / "IBM").glob("*"))) == 3


def test_two_homes_on_one_prices_folder_lose_no_file(price_home: MakeHome, server: LoopbackYahoo, tmp_path: Path) -> None:
    server.serve("IBM", sample_bars("IBM", "2011-11-01"))
    shared = f'[store]\nprices = "{tmp_path / "shared"}"\n'
    first, second = (price_home("IBM", name=name, settings=shared) for name in ("first", "second"))
    first.serve_and_run(FRIDAY)
    for day in (MONDAY, TUESDAY, WEDNESDAY, THURSDAY):
        second.serve_and_run(day)
        make_files_old(first)
    assert first.last_bar("IBM") == FRIDAY
    assert second.last_bar("IBM") == THURSDAY


# --- a damaged file ---


@pytest.mark.parametrize("harm", ["missing", "flipped", "a folder"])
def test_a_damaged_price_file_fails_its_ticker_alone(home: PriceHome, harm: str) -> None:
    path = current_path(home, "AAPL")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    harms: dict[str, Callable[[], object]] = {
        "missing": lambda: None, "flipped": lambda: path.write_bytes(content), "a folder": path.mkdir
    }  # fmt: skip
    harms[harm]()
    with pytest.raises(SomeTickersFailed, match=r"1 of 2 tickers.*first AAPL: .*`tickercast repair AAPL`"):
        home.serve_and_run(MONDAY)
    errors = dict(home.rows("freshness", "ticker", "last_error"))
    assert ("tickercast repair AAPL" in errors["AAPL"], errors["IBM"]) == (True, None)
    assert dict(home.rows("latest_forecast", "ticker", "origin")) == {"AAPL": "2012-06-08", "IBM": "2012-06-11"}


# --- the copy in SQL ---


def test_sql_has_the_newest_record_of_every_bar(home: PriceHome, server: LoopbackYahoo) -> None:
    ibm = sample_bars("IBM", "2011-11-01")
    close = ibm.close.copy()
    close[20] = ibm.low[20] * 1.0005
    server.serve("IBM", replace(ibm, close=close))
    home.serve_and_run(MONDAY)
    server.serve("IBM", ibm.select(slice(0, -1)))
    home.serve_and_run(TUESDAY)
    assert copied(home, "IBM") == as_rows(home.bars("IBM"))
    assert copied(home, "AAPL") == as_rows(home.bars("AAPL"))


def test_a_home_of_an_earlier_version_gets_its_copies_at_the_upgrade_or_the_next_run(home: PriceHome) -> None:
    with home.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM bars")
    home.run(FRIDAY)
    assert copied(home, "IBM") == as_rows(home.bars("IBM"))
    with home.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM bars")
    current_path(home, "AAPL").unlink()
    told = fill_copies(home.home)
    assert copied(home, "IBM") == as_rows(home.bars("IBM"))
    assert [line.partition(":")[0] for line in told] == ["AAPL"]


def test_a_backfill_copies_its_bars_too(home: PriceHome) -> None:
    request = BackfillRequest(("MSFT",), MONDAY, MONDAY, source="sample", workers=1)
    backfill_span(home.home, home.engine, request, now=datetime.combine(TUESDAY, time(23), UTC))
    assert copied(home, "MSFT") == as_rows(home.bars("MSFT"))
    assert not np.isnan(home.bars("MSFT").close).any()
    assert open_home(home.home.folder).prices == home.home.prices
