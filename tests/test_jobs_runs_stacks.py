"""A damaged checkpoint is its ticker's failure alone, and once it is whole again the ticker goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.loopback_yahoo import LoopbackYahoo
from tests.price_builders import day_of, sample_bars
from tests.price_homes import PriceHome
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.storage.database import Engine
from tickercast.storage.verify import content_hash

pytestmark = pytest.mark.slow

MakeHome = Callable[..., PriceHome]
FRIDAY, MONDAY, TUESDAY = (day_of(f"2012-06-{day}") for day in ("08", "11", "12"))


@pytest.fixture
def home(price_home: MakeHome, server: LoopbackYahoo) -> PriceHome:
    """Return a home with AAPL and IBM of Yahoo, forecast up to a Friday."""
    for ticker in ("AAPL", "IBM"):
        server.serve(ticker, sample_bars(ticker, "2011-11-01"))
    made = price_home("AAPL", "IBM")
    made.serve_and_run(FRIDAY)
    return made


def checkpoints_of(engine: Engine, symbol: str) -> dict[str, bytes]:
    query = """SELECT checkpoints.model_id, content FROM checkpoints JOIN models ON models.id = checkpoints.model_id
               JOIN symbols USING (ticker_id) WHERE symbol = :symbol"""
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(sa.text(query), {"symbol": symbol})}


def write_checkpoints(engine: Engine, checkpoints: dict[str, bytes]) -> None:
    with engine.begin() as connection:
        for model_id, content in checkpoints.items():
            statement = sa.text("UPDATE checkpoints SET content = :content WHERE model_id = :model_id")
            connection.execute(statement, {"content": content, "model_id": model_id})


def record_hash(home: PriceHome) -> str:
    with home.engine.connect() as connection:
        return content_hash(connection)


def test_a_damaged_checkpoint_fails_its_ticker_alone(home: PriceHome) -> None:
    whole = checkpoints_of(home.engine, "AAPL")
    assert whole
    write_checkpoints(home.engine, {model_id: content[:-1] + bytes([content[-1] ^ 1]) for model_id, content in whole.items()})
    for day in (MONDAY, TUESDAY):
        with pytest.raises(SomeTickersFailed, match=r"1 of 2 tickers.*first AAPL: checkpoint of model .*from a backup"):
            home.serve_and_run(day)
    assert dict(home.rows("latest_forecast", "ticker", "origin")) == {"AAPL": "2012-06-08", "IBM": "2012-06-12"}
    write_checkpoints(home.engine, whole)
    home.run(TUESDAY)
    assert dict(home.rows("latest_forecast", "ticker", "origin")) == {"AAPL": "2012-06-12", "IBM": "2012-06-12"}


def test_where_every_checkpoint_is_damaged_the_run_says_so_and_ends(home: PriceHome) -> None:
    for symbol in ("AAPL", "IBM"):
        write_checkpoints(home.engine, dict.fromkeys(checkpoints_of(home.engine, symbol), b"no checkpoint"))
    before = record_hash(home)
    with pytest.raises(SomeTickersFailed, match=r"0 of 2 tickers"):
        home.serve_and_run(MONDAY)
    assert record_hash(home) == before
