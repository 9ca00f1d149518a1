"""The reference of an exchange: fetched after all tickers, followed by nobody, and never the fault of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.loopback_yahoo import REFERENCE, LoopbackYahoo, Reply, loopback_yahoo
from tests.price_builders import day_of, sample_bars, write_csv
from tests.price_homes import PriceHome
from tickercast.jobs.analysis.views import context_notices
from tickercast.jobs.errors import NothingFetched
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.stored_context import stored_references
from tickercast.storage.bars import Bars
from tickercast.storage.database import reading
from tickercast.storage.price_cleanup import collect_old_files
from tickercast.storage.verify import content_hash

pytestmark = pytest.mark.slow

FRIDAY, MONDAY = day_of("2012-06-08"), day_of("2012-06-11")
FAR = datetime(2030, 1, 1, tzinfo=UTC)
LITTLE_TIME = "ticker_seconds = 2\n"  # of section yahoo
MakeHome = Callable[..., PriceHome]


def volatility_bars(first: str) -> Bars:
    """Return bars of an index that moves between 14 and 30."""
    bars = sample_bars("IBM", first)
    level = 22 + 8 * np.sin(np.arange(len(bars)) / 5)
    prices = {"open": level, "high": level * 1.01, "low": level * 0.99, "close": level}
    ones = np.ones(len(bars))
    return replace(bars, **prices, volume=np.zeros(len(bars), np.int64), dividend=ones * 0, split=ones)


@pytest.fixture
def server() -> Iterator[LoopbackYahoo]:
    with loopback_yahoo() as state:
        for ticker in ("IBM", "MSFT"):
            state.serve(ticker, sample_bars(ticker, "2011-06-01"))
        state.serve(REFERENCE, volatility_bars("2011-06-01"), instrumentType="INDEX", exchangeTimezoneName="America/Chicago")
        yield state


def reference_of(home: PriceHome) -> tuple[str, float] | None:
    """Return the last session and close of New York's reference, as a run would read it now."""
    found = stored_references(home.engine, home.home.prices, ["XNYS", "XTKS"], FAR)
    assert "XTKS" not in found
    return (str(found["XNYS"].session[-1]), float(found["XNYS"].close[-1])) if found else None


def rows_of(home: PriceHome, query: str) -> list[tuple[Any, ...]]:
    with reading(home.home.database) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_a_reference_is_stored_untracked_and_without_forecasts(price_home: MakeHome) -> None:
    home = price_home("IBM")
    message = home.serve_and_run(FRIDAY)
    assert message.startswith("1 of 1 tickers")
    assert "reference" not in message
    assert rows_of(home, "SELECT symbol, tracked, kind, source FROM tickers") == [
        ("IBM", 1, "stock", "yahoo"), (REFERENCE, 0, "index", "yahoo")
    ]  # fmt: skip
    assert {ticker for (ticker,) in home.rows("forecast_history", "ticker")} == {"IBM"}
    assert reference_of(home) == ("2012-06-08", pytest.approx(home.bars(REFERENCE).close[-1]))


@pytest.mark.parametrize(
    "reply", [Reply(404), Reply(429), Reply(503), Reply(200, b"<html>")], ids=["404", "429", "503", "changed"]
)
def test_a_failed_fetch_of_the_reference_is_a_note(price_home: MakeHome, reply: Reply) -> None:
    home = price_home("IBM", "MSFT", settings=LITTLE_TIME)
    home.server.reference = reply
    message = home.serve_and_run(FRIDAY)
    assert message.startswith("2 of 2 tickers, 10 new forecasts")
    assert f"reference {REFERENCE} not fetched (" in message
    assert message.count("forecasts go without it") == 1
    assert reference_of(home) is None


def test_after_a_failed_fetch_the_stored_bars_serve(price_home: MakeHome) -> None:
    home = price_home("IBM", settings=LITTLE_TIME)
    home.serve_and_run(FRIDAY)
    home.server.reference = Reply(503)
    assert "stored bars end 2012-06-08 and stay); its stored bars serve" in home.serve_and_run(MONDAY)
    assert reference_of(home) == ("2012-06-08", pytest.approx(home.bars(REFERENCE).close[-1]))
    assert home.last_bar("IBM") == MONDAY


def test_status_says_in_one_line_since_when_context_is_not_fetched(price_home: MakeHome) -> None:
    home = price_home("IBM", settings=LITTLE_TIME)
    home.serve_and_run(FRIDAY)
    assert context_notices(home.home.database) == []
    home.server.reference, home.server.events.faults = Reply(503), {"calendar": Reply(503)}
    for day in (MONDAY, day_of("2012-06-12")):
        home.serve_and_run(day)
    [line] = context_notices(home.home.database)
    assert line.startswith("company events of 1 tracked ticker not fetched since 2012-06-11 (IBM: Yahoo does not respond")
    assert f"; reference {REFERENCE} not fetched since 2012-06-11 (" in line
    home.server.reference, home.server.events.faults = None, {}
    home.serve_and_run(day_of("2012-06-13"))
    assert context_notices(home.home.database) == []


def test_a_reference_is_not_requested_where_no_ticker_has_bars(price_home: MakeHome) -> None:
    home = price_home("IBM", settings=LITTLE_TIME)
    home.server.always = Reply(503)
    with pytest.raises(NothingFetched):
        home.serve_and_run(FRIDAY)
    assert home.server.reference_requests == 0


def test_a_config_without_a_reference_requests_none(price_home: MakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKERCAST_MODEL__REFERENCE", "none")
    home = price_home("IBM")
    home.serve_and_run(FRIDAY)
    assert (home.server.reference_requests, reference_of(home)) == (0, None)
    assert "IBM calendar" in home.server.events.requests


def test_a_reference_that_is_followed_is_fetched_once_and_forecast_too(price_home: MakeHome) -> None:
    home = price_home("IBM", REFERENCE)
    home.serve_and_run(FRIDAY)
    assert {ticker for (ticker,) in home.rows("forecast_history", "ticker")} == {"IBM", REFERENCE}


def folder_home(price_home: MakeHome, folder: Path, *tickers: str) -> PriceHome:
    for ticker in ("IBM", "MSFT"):
        write_csv(folder, ticker, sample_bars(ticker, "2011-06-01"))
    home = price_home()
    track(home.home, home.engine, tickers, source=f"folder:{folder}", adjustment="as_traded")
    return home


def test_a_folders_file_is_the_reference_of_its_tickers(price_home: MakeHome, tmp_path: Path) -> None:
    write_csv(tmp_path / "folder", REFERENCE, volatility_bars("2011-06-01"))
    home = folder_home(price_home, tmp_path / "folder", "IBM")
    assert "reference" not in home.run(FRIDAY)
    assert home.server.reference_requests == 0
    assert reference_of(home) == ("2012-06-08", pytest.approx(home.bars(REFERENCE).close[-1]))


def test_a_folder_without_one_sends_no_request_and_has_no_note(price_home: MakeHome, tmp_path: Path) -> None:
    home = folder_home(price_home, tmp_path / "folder", "IBM")
    assert "reference" not in home.run(FRIDAY)
    assert (home.server.reference_requests, reference_of(home)) == (0, None)


def test_a_reference_of_a_moved_folder_is_a_note(price_home: MakeHome, tmp_path: Path) -> None:
    write_csv(tmp_path / "folder", REFERENCE, volatility_bars("2011-06-01"))
    home = folder_home(price_home, tmp_path / "folder", "IBM")
    home.run(FRIDAY)
    (tmp_path / "folder" / f"{REFERENCE}.csv").unlink()
    message = home.run(MONDAY)
    assert message.startswith("1 of 1 tickers, 5 new forecasts")
    assert "its stored bars serve" in message


def test_two_homes_in_one_prices_folder_keep_their_own_reference(price_home: MakeHome, tmp_path: Path) -> None:
    shared = f'[store]\nprices = "{tmp_path / "shared"}"\n'
    one, other = price_home("IBM", name="one", settings=shared), price_home("IBM", name="other", settings=shared)
    for home in (one, other):
        home.serve_and_run(FRIDAY)
    one.serve_and_run(MONDAY)
    collect_old_files(one.home.prices, one.home.database, FAR)
    assert reference_of(one) == ("2012-06-11", pytest.approx(one.bars(REFERENCE).close[-1]))
    assert reference_of(other) == ("2012-06-08", pytest.approx(other.bars(REFERENCE).close[-1]))
    with reading(one.home.database) as first, reading(other.home.database) as second:
        assert content_hash(first) != content_hash(second)


def test_a_backfill_reads_the_reference_of_its_option(price_home: MakeHome, tmp_path: Path) -> None:
    write_csv(tmp_path / "folder", REFERENCE, volatility_bars("2011-06-01"))
    write_csv(tmp_path / "folder", "IBM", sample_bars("IBM", "2011-06-01"))
    home = price_home()
    request = BackfillRequest(("IBM",), FRIDAY, MONDAY, source=f"folder:{tmp_path / 'folder'}", adjustment="as_traded", workers=1)
    backfill_span(home.home, home.engine, request)
    assert home.server.reference_requests == 0
    assert reference_of(home) is not None
