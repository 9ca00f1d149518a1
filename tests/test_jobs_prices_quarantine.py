"""Quarantine: what the source corrects, what it repeats, and what a person decides. Stored pasts stay as they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.conftest import Command
from tests.loopback_yahoo import LoopbackYahoo, body_of
from tests.price_builders import day_of, sample_bars, span, times, times_on
from tests.price_homes import PriceHome
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices.quarantine import refuse, release
from tickercast.storage.bars import Bars, as_known
from tickercast.storage.errors import UnknownStoredTicker

pytestmark = pytest.mark.slow

MONDAY, TUESDAY, WEDNESDAY = day_of("2012-06-11"), day_of("2012-06-12"), day_of("2012-06-13")
MakeHome = Callable[..., PriceHome]


# --- splits that the source reports late or does not apply ---


@pytest.fixture(scope="module")
def through_a_split() -> Bars:
    """Return MSFT with 140 bars and more before its 2:1 split of 2003-02-18."""
    return span(sample_bars("MSFT", "2002-07-01"), "2002-07-01", "2003-02-20")


@pytest.fixture
def before_the_split(price_home: MakeHome, server: LoopbackYahoo, through_a_split: Bars) -> PriceHome:
    """Return a home with MSFT up to the day before its split."""
    home = price_home("MSFT")
    server.serve("MSFT", through_a_split)
    home.serve_and_run(day_of("2003-02-14"))
    return home


def test_a_split_that_is_reported_late_is_quarantined_and_then_stored(
    before_the_split: PriceHome, server: LoopbackYahoo, through_a_split: Bars
) -> None:
    home = before_the_split
    server.serve("MSFT", replace(through_a_split, split=np.ones(len(through_a_split))))
    home.serve_and_run(day_of("2003-02-18"))
    assert home.rows("gate", "session", "state", "code") == [("2003-02-18", "held", "split not told")]
    assert (home.status("MSFT"), home.last_bar("MSFT")) == ("held", day_of("2003-02-14"))
    server.serve("MSFT", through_a_split)
    home.serve_and_run(day_of("2003-02-19"))
    assert home.rows("gate", "session", "state", "message") == [
        ("2003-02-18", "refused", "the source now has another bar, which is stored")
    ]
    assert home.bars("MSFT").split[-2:].tolist() == [2.0, 1.0]
    assert (home.status("MSFT"), home.rows("restatement", "field")) == ("active", [])
    recorded, decided = home.rows("gate", "recorded_at", "decided_at")[0]
    assert (recorded[:10], decided[:10]) == ("2003-02-18", "2003-02-19")


def test_a_split_that_is_reported_and_not_applied_is_quarantined(
    before_the_split: PriceHome, server: LoopbackYahoo, through_a_split: Bars
) -> None:
    home = before_the_split
    stored = home.bars("MSFT").close
    server.served.clear()
    server.record("MSFT", body_of("MSFT", span(through_a_split, "2002-07-01", "2003-02-18")))  # as traded before the split
    home.run(day_of("2003-02-18"))
    assert {row[0] for row in home.rows("gate", "state")} == {"held"}
    assert home.rows("restatement", "field") == []
    assert home.bars("MSFT").close.tolist() == stored.tolist()


# --- a price a hundred times too high ---


@pytest.fixture
def ibm() -> Bars:
    return sample_bars("IBM", "2011-11-01")


@pytest.fixture
def hundredfold(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> PriceHome:
    """Return a home in which IBM's bar of a Tuesday was delivered a hundred times too high."""
    home = price_home("IBM")
    server.serve("IBM", times_on(ibm, "2012-06-12", 100.0))
    home.run_days([MONDAY, TUESDAY])
    return home


def last_origin(home: PriceHome) -> str:
    return max(row[0] for row in home.rows("forecast_history", "origin"))


def test_no_forecast_is_made_from_a_quarantined_bar(hundredfold: PriceHome) -> None:
    assert hundredfold.rows("gate", "session", "state", "code") == [("2012-06-12", "held", "hundredfold")]
    assert (hundredfold.status("IBM"), last_origin(hundredfold)) == ("held", "2012-06-11")


def test_a_quarantined_bar_is_refused_once_the_price_is_back(hundredfold: PriceHome) -> None:
    hundredfold.serve_and_run(WEDNESDAY)
    decision = hundredfold.rows("gate", "session", "state", "decided_at")
    assert decision == [("2012-06-12", "refused", "2012-06-13T23:00:00.000000Z")]
    assert (hundredfold.status("IBM"), last_origin(hundredfold)) == ("active", "2012-06-13")


def test_the_closing_line_names_quarantined_and_refused_tickers(hundredfold: PriceHome) -> None:
    messages = [row[0] for row in hundredfold.rows("run_summary", "message")]
    assert ["quarantined: IBM (1 bar), `tickercast release` or `refuse` decides" in message for message in messages].count(
        True
    ) == 1
    after = hundredfold.serve_and_run(WEDNESDAY)
    assert "refused: IBM (1 bar), view `gate` has the reasons" in after
    assert "quarantined" not in after
    assert "refused" not in hundredfold.serve_and_run(day_of("2012-06-14"))


def test_what_was_known_before_a_decision_stays_known(hundredfold: PriceHome) -> None:
    hundredfold.serve_and_run(WEDNESDAY)
    then = as_known(hundredfold.history("IBM"), known_at=datetime(2012, 6, 12, 23, tzinfo=UTC))
    assert then.session[-1].item() == MONDAY


def test_a_status_change_is_an_event_of_the_run(hundredfold: PriceHome) -> None:
    hundredfold.serve_and_run(WEDNESDAY)
    with hundredfold.engine.connect() as connection:
        query = "SELECT run_id, message FROM events WHERE kind = 'status' ORDER BY id"
        events = [tuple(row) for row in connection.exec_driver_sql(query)]
    assert events == [(2, "active before, held now"), (3, "held before, active now")]


# --- decisions by hand ---


def test_a_released_bar_is_stored_as_it_was_delivered_and_stays(hundredfold: PriceHome) -> None:
    line = release(hundredfold.home, hundredfold.engine, "IBM", None)
    assert line == "IBM: 1 quarantined bar of 2012-06-12 is stored; the next run forecasts with the new history"
    assert (hundredfold.last_bar("IBM"), hundredfold.bars("IBM").close[-1] > 10_000) == (TUESDAY, True)
    assert hundredfold.rows("gate", "state") == [("ok",)]
    assert hundredfold.status("IBM") == "active"


def test_a_bar_can_be_released_once(hundredfold: PriceHome) -> None:
    release(hundredfold.home, hundredfold.engine, "IBM", None)
    with pytest.raises(UsageError, match="IBM: no bar is quarantined"):
        release(hundredfold.home, hundredfold.engine, "IBM", None)


def test_a_bar_refused_by_hand_is_not_quarantined_again(hundredfold: PriceHome) -> None:
    line = refuse(hundredfold.engine, "IBM", TUESDAY)
    assert line == "IBM: 1 quarantined bar of 2012-06-12 is refused; bars with other values can still be stored"
    assert hundredfold.status("IBM") == "active"
    hundredfold.run(TUESDAY)
    assert hundredfold.rows("gate", "state") == [("refused",)]
    assert hundredfold.last_bar("IBM") == MONDAY


def test_a_bar_refused_by_hand_is_stored_with_other_values(hundredfold: PriceHome, server: LoopbackYahoo, ibm: Bars) -> None:
    refuse(hundredfold.engine, "IBM", TUESDAY)
    server.serve("IBM", ibm)
    hundredfold.run(TUESDAY)
    assert hundredfold.last_bar("IBM") == TUESDAY
    assert hundredfold.bars("IBM").close[-1] < 1000


@pytest.fixture
def three_days(hundredfold: PriceHome, server: LoopbackYahoo, ibm: Bars) -> PriceHome:
    """Return a home with three quarantined bars, of a Tuesday to a Thursday."""
    first = int(np.searchsorted(ibm.session, np.datetime64(TUESDAY)))
    server.serve("IBM", times(ibm, 100.0, slice(first, None)))
    hundredfold.serve_and_run(day_of("2012-06-14"))
    return hundredfold


def test_several_bars_are_counted_and_decided_together(three_days: PriceHome) -> None:
    line = refuse(three_days.engine, "IBM", None)
    assert line.startswith("IBM: 3 quarantined bars, 2012-06-12 to 2012-06-14, are refused")
    assert three_days.rows("gate", "state") == [("refused",)] * 3


def test_one_session_of_several_can_be_decided_alone(three_days: PriceHome) -> None:
    release(three_days.home, three_days.engine, "IBM", TUESDAY)
    assert sorted(three_days.rows("gate", "session", "state")) == [
        ("2012-06-12", "ok"), ("2012-06-13", "held"), ("2012-06-14", "held")
    ]  # fmt: skip
    assert three_days.status("IBM") == "held"
    with pytest.raises(UsageError, match="IBM: no bar of 2012-06-12 is quarantined"):
        refuse(three_days.engine, "IBM", TUESDAY)


def test_a_decision_needs_a_stored_ticker(hundredfold: PriceHome) -> None:
    with pytest.raises(UnknownStoredTicker, match="MSFT"):
        refuse(hundredfold.engine, "MSFT", None)


def test_prices_on_another_scale_are_quarantined_and_cannot_be_released_bar_by_bar(
    price_home: MakeHome, server: LoopbackYahoo, ibm: Bars
) -> None:
    home = price_home("IBM")
    server.serve("IBM", ibm)
    home.serve_and_run(TUESDAY)
    stored = home.bars("IBM").close
    server.serve("IBM", times(ibm, 1 / 3))
    home.serve_and_run(WEDNESDAY)
    assert home.rows("gate", "session", "state", "code") == [("2012-06-13", "held", "rescaled")]
    assert home.bars("IBM").close.tolist() == stored.tolist()
    with pytest.raises(UsageError, match="on another scale"):
        release(home.home, home.engine, "IBM", None)


def test_quarantined_bars_are_counted_and_decided_on_the_command_line(hundredfold: PriceHome, tickercast: Command) -> None:
    home = hundredfold.home.folder
    names, values = tickercast("--home", home, "status", "--format", "csv").stdout.splitlines()
    assert dict(zip(names.split(","), values.split(","), strict=True))["held_bars"] == "1"
    wrong = tickercast("--home", home, "release", "IBM", "--session", "2012-06-01")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    done = tickercast("--home", home, "refuse", "IBM")
    assert (done.returncode, "1 quarantined bar of 2012-06-12 is refused" in done.stderr) == (0, True)
