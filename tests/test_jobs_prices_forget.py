"""A ticker without forecasts can be forgotten, so a mistyped one costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.loopback_yahoo import LoopbackYahoo
from tests.price_builders import day_of, sample_bars
from tests.price_homes import PriceHome
from tickercast.jobs.errors import SomeTickersFailed, UsageError
from tickercast.jobs.prices.forget import forget
from tickercast.jobs.prices.tickers import track
from tickercast.storage import queries, writes
from tickercast.storage.database import reading
from tickercast.storage.verify import find_deep_problems, find_problems

pytestmark = pytest.mark.slow

FRIDAY, MONDAY = day_of("2012-06-08"), day_of("2012-06-11")


@pytest.fixture
def home(price_home: Callable[..., PriceHome], server: LoopbackYahoo) -> PriceHome:
    """Return a home with forecasts of IBM, and bars of MSFT that are too few for a forecast."""
    server.serve("IBM", sample_bars("IBM", "2011-11-01"))
    server.serve("MSFT", sample_bars("MSFT", "2012-05-01"))
    made = price_home("IBM", "MSFT")
    made.serve_and_run(FRIDAY)
    return made


def test_a_mistyped_ticker_is_forgotten_without_a_question(home: PriceHome) -> None:
    track(home.home, home.engine, ["MFST"])
    with pytest.raises(SomeTickersFailed, match="MFST"):
        home.run(FRIDAY)
    assert "MFST is forgotten" in forget(home.home, home.engine, "mfst", lambda _: False)
    assert "2 of 2 tickers" in home.serve_and_run(MONDAY)


def test_stored_bars_are_forgotten_only_when_somebody_agrees(home: PriceHome) -> None:
    with pytest.raises(UsageError, match="MSFT has 28 stored bars; nothing was removed; add --yes"):
        forget(home.home, home.engine, "MSFT", lambda _: False)
    assert "it had 28 stored bars" in forget(home.home, home.engine, "MSFT", lambda _: True)
    assert list(home.home.prices.glob("MSFT/*")) == []
    assert {row[0] for row in home.rows("bar", "ticker")} == {"IBM"}
    track(home.home, home.engine, ["MSFT"], source="sample")
    home.run(MONDAY)
    assert home.last_bar("MSFT") == MONDAY


def test_the_events_of_a_forgotten_ticker_go_with_it(home: PriceHome) -> None:
    with home.engine.begin() as connection:
        for ticker in queries.list_tickers(connection):
            writes.add_reports(connection, ticker.id, [(MONDAY, datetime(2012, 6, 1, tzinfo=UTC))], source="file")
            writes.note_context_requests(connection, {(ticker.key, "history"): None}, at=datetime(2012, 6, 1, tzinfo=UTC))
    forget(home.home, home.engine, "MSFT", lambda _: True)
    assert home.rows("company_event", "ticker") == [("IBM",)]
    with reading(home.home.database) as connection:
        assert [subject for subject, kind in queries.context_requests(connection) if kind == "history"] == ["IBM"]
        assert [*find_problems(connection, home.home.prices), *find_deep_problems(connection, home.home.prices)] == []


def test_a_ticker_with_forecasts_is_not_forgotten(home: PriceHome) -> None:
    with pytest.raises(UsageError, match="IBM has forecasts, and the record keeps them; `tickercast untrack IBM`"):
        forget(home.home, home.engine, "IBM", lambda _: True)
