"""Gaps: a missing session is requested a second time once and noted once, however long the gap is and however it changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.loopback_yahoo import LoopbackYahoo
from tests.price_builders import day_of, sample_bars, span, without
from tests.price_homes import PriceHome
from tickercast.storage.bars import Bars

pytestmark = pytest.mark.slow

TUESDAY, WEDNESDAY = day_of("2012-06-12"), day_of("2012-06-13")
MakeHome = Callable[..., PriceHome]


@pytest.fixture
def ibm() -> Bars:
    return sample_bars("IBM", "2011-11-01")


def test_a_missing_session_is_requested_again_once_and_then_noted_as_a_gap(
    price_home: MakeHome, server: LoopbackYahoo, ibm: Bars
) -> None:
    home = price_home("IBM")
    server.serve("IBM", without(ibm, "2012-06-11"))
    home.serve_and_run(day_of("2012-06-08"))
    server.chart_requests.clear()
    home.serve_and_run(TUESDAY)
    assert len(server.chart_requests) == 2
    assert home.rows("gate", "session", "state", "code", "message") == [
        ("2012-06-11", "ok", "gap", "1 session without a bar: 2012-06-11")
    ]
    home.serve_and_run(WEDNESDAY)
    assert len(server.chart_requests) == 3


def test_a_gap_of_many_sessions_is_requested_again_once_and_noted_once(
    price_home: MakeHome, server: LoopbackYahoo, ibm: Bars
) -> None:
    home = price_home("IBM")
    gap = span(ibm, "2012-06-04", "2012-06-08").session.astype(str).tolist()
    server.serve("IBM", without(ibm, *gap))
    home.serve_and_run(day_of("2012-06-01"))
    server.chart_requests.clear()
    home.run_days([day_of(f"2012-06-{day}") for day in (11, 12, 13, 14, 15)])
    assert len(server.chart_requests) == 6
    noted = [("2012-06-04", "5 sessions without a bar: 2012-06-04, 2012-06-05, 2012-06-06, 2012-06-07, 2012-06-08")]
    assert home.rows("gate", "session", "message") == noted


def test_a_gap_that_the_source_fills_in_part_is_not_noted_again(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> None:
    home = price_home("IBM")
    gap = span(ibm, "2012-06-04", "2012-06-08").session.astype(str).tolist()
    server.serve("IBM", without(ibm, *gap))
    home.run_days([day_of("2012-06-01"), day_of("2012-06-11")])
    server.serve("IBM", without(ibm, *gap[2:4]))
    server.chart_requests.clear()
    home.serve_and_run(day_of("2012-06-12"))
    assert (len(server.chart_requests), len(home.rows("gate", "session"))) == (1, 1)
    assert np.isin(np.array([gap[0], gap[1], gap[4]], dtype="datetime64[D]"), home.bars("IBM").session).all()
