"""A market ticker's volatility as an input: known up to the same close, and the laws hold with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from jobs.errors import SomeTickersFailed
from jobs.forecasting.inputs import Market, MarketReader, ModelInput, history_of, stacked_measures
from jobs.forecasting.stack import forecast_stack
from jobs.runs.backfill import BackfillRequest, backfill_span
from jobs.workspace.home import Home
from storage.database import open_writer, reading
from storage.queries import read_view
from tests.forecast_builders import (
    PRIOR_SETTINGS,
    WITH_PRIORS,
    day_by_day,
    hash_of,
    in_one_go,
    rows_of,
    sample,
    scrambled_after,
    task_of,
    ten_sessions,
)

pytestmark = pytest.mark.slow

WITH_MARKET = PRIOR_SETTINGS.replace("[model]\n", '[model]\nmarket_ticker = "GOOG"\n')


def test_daily_is_backfill_with_a_market_that_nobody_tracks(make_home: Callable[[str, str], Home]) -> None:
    days = ten_sessions()
    daily, backfill = day_by_day(make_home("daily", WITH_MARKET), days), in_one_go(make_home("all", WITH_MARKET), days, workers=2)
    assert hash_of(daily) == hash_of(backfill)
    assert hash_of(daily) != hash_of(in_one_go(make_home("without", PRIOR_SETTINGS), days))
    with reading(daily.database) as connection:
        features = {row[0] for row in connection.exec_driver_sql("SELECT names FROM feature_sets")}
        assert {row[0] for row in read_view(connection, "forecast_history").rows} == {"AAPL", "IBM", "MSFT"}
    assert all(text.endswith("market volatility trend,market volatility level") for text in features)


@pytest.mark.parametrize(("exchange", "lag"), [("XNYS", 0), ("XTKS", 1)])
def test_the_market_is_known_up_to_the_same_close_and_no_further(exchange: str, lag: int) -> None:
    """Of another exchange only days before the origin's count: its close of the same date may be later."""
    day = ten_sessions()[3]
    task = replace(task_of({"IBM": sample("IBM")}, [day], replace(WITH_PRIORS, market_ticker="GOOG")), exchange="XNYS")
    market = sample("GOOG")

    def forecasts(bars_changed_after: date) -> object:
        changed = scrambled_after(market, bars_changed_after, np.random.default_rng(0))
        return rows_of(forecast_stack(replace(task, market=Market(changed, exchange))), 0)[0]

    plain = rows_of(forecast_stack(replace(task, market=Market(market, exchange))), 0)[0]
    assert forecasts(day - timedelta(days=lag)) == plain
    assert forecasts(day - timedelta(days=lag + 5)) != plain


def test_sessions_before_the_market_settled_know_nothing_of_it() -> None:
    history, market = sample("IBM").select(slice(-60, None)), sample("GOOG").select(slice(-45, None))
    known = MarketReader(Market(market, "XNYS"), "XNYS", 260).up_to(history.session[-1].item())
    columns = stacked_measures([ModelInput(history_of(history, "close"), known)]).market
    assert columns is not None
    assert not columns[0, :35].any()
    assert columns[0, 40:].all()


def test_without_a_bar_of_the_market_each_ticker_fails_with_that_reason(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("none", WITH_MARKET.replace("GOOG", "^GSPC"))
    engine = open_writer(home.database)
    with pytest.raises(
        SomeTickersFailed, match=r"IBM: no forecast without bars of model.market_ticker \^GSPC \(.*not in the sample"
    ):
        backfill_span(home, engine, BackfillRequest(("IBM",), ten_sessions()[0], ten_sessions()[1], source="sample"))
    engine.dispose()
