"""Odd but admitted histories: each gives proper forecasts, or an event that says why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.price_builders import sample_bars, times, write_csv
from tickercast.jobs.analysis.store_baselines import backfill_with_baselines
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.jobs.prices.quarantine import release
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import Home
from tickercast.storage.bars import Bars
from tickercast.storage.database import open_writer, reading

pytestmark = pytest.mark.slow

SETTINGS = "[training]\nprior_steps = 5\n"
LAST = date(2013, 2, 20)
ODD = np.datetime64("2012-12-03")


@pytest.fixture
def ibm() -> Bars:
    return sample_bars("IBM", "2008-01-02")


def flat_for_400_sessions(bars: Bars) -> Bars:
    """Return the bars with one price and no volume for 400 sessions that end on 2012-12-03."""
    end = int(np.searchsorted(bars.session, ODD)) + 1
    values = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
    for value in values.values():
        value[end - 400 : end] = bars.close[end - 400]
    volume = bars.volume.copy()
    volume[end - 400 : end] = 0
    return replace(bars, **values, volume=volume)


def ten_times_from(bars: Bars) -> Bars:
    """Return the bars with ten times the prices from 2012-12-03 on."""
    return times(bars, 10.0, slice(int(np.searchsorted(bars.session, ODD)), None))


class OddHome:
    """A home with a ticker ODD of a test's bars and a ticker SOUND of real ones, read from files."""

    def __init__(self, make_home: Callable[[str, str], Home], folder: Path) -> None:
        self.folder = folder
        source = f'[source]\nkind = "folder"\npath = "{folder}"\nadjustment = "as_traded"\n'
        self.home = make_home("odd", SETTINGS + source)
        self.engine = open_writer(self.home.database)
        write_csv(folder, "SOUND", sample_bars("MSFT", "2008-01-02"))

    def backfill(self, bars: Bars, start: str) -> str:
        """Forecast both tickers from a day on, and return the closing line."""
        write_csv(self.folder, "ODD", bars)
        request = BackfillRequest(("ODD", "SOUND"), date.fromisoformat(start), LAST, workers=1)
        return backfill_span(self.home, self.engine, request)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with reading(self.home.database) as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]


@pytest.fixture
def odd(make_home: Callable[[str, str], Home], tmp_path: Path) -> Iterator[OddHome]:
    home = OddHome(make_home, tmp_path / "csv")
    yield home
    home.engine.dispose()


IMPROPER_FORECASTS = (
    "SELECT count(*) FROM forecast_history WHERE NOT (scale > 0 AND scale < 1 AND q05 < q50 AND q50 < q95 "
    "AND abs(location) < 0.5 AND dof > 2 AND baseline_scale > 0)"
)
TRAINING_EVENTS = (
    "SELECT e.session, e.message FROM events e JOIN tickers t ON t.id = e.ticker_id "
    "WHERE t.symbol = 'ODD' AND e.kind = 'training'"
)


def test_a_flat_stretch_is_noted_and_its_forecasts_stay_proper(odd: OddHome, ibm: Bars) -> None:
    odd.backfill(flat_for_400_sessions(ibm), "2012-11-01")
    assert odd.rows(IMPROPER_FORECASTS) == [(0,)]
    assert ("stale",) in odd.rows("SELECT code FROM gate WHERE ticker = 'ODD'")
    counts = dict(odd.rows("SELECT ticker, count(*) FROM forecast_history GROUP BY 1"))
    assert counts.get("ODD", 0) + 5 * len(odd.rows(TRAINING_EVENTS)) >= counts["SOUND"]


def test_baselines_of_a_flat_stretch_are_left_out_where_a_model_has_no_forecast(odd: OddHome, ibm: Bars) -> None:
    odd.backfill(flat_for_400_sessions(ibm), "2012-11-26")
    request = BackfillRequest(("ODD", "SOUND", "NOSUCH"), date(2012, 11, 26), LAST, workers=1)
    with pytest.raises(SomeTickersFailed, match=r"NOSUCH.* baseline rows"):
        backfill_with_baselines(odd.home, odd.engine, request)
    rows = odd.rows("SELECT ticker, min(other_crps) FROM baseline_skill GROUP BY 1 ORDER BY 1")
    assert rows[-1][0] == "SOUND"
    assert min(crps for _, crps in rows) > 0


def test_a_tenfold_jump_that_was_released_gives_proper_forecasts_or_says_why_not(odd: OddHome, ibm: Bars) -> None:
    odd.backfill(ten_times_from(ibm), "2012-11-01")
    release(odd.home, odd.engine, "ODD", None)
    odd.backfill(ten_times_from(ibm), "2012-11-01")
    assert odd.rows("SELECT DISTINCT state FROM gate WHERE ticker = 'ODD'") == [("ok",)]
    assert odd.rows(IMPROPER_FORECASTS) == [(0,)]
    origins = {row[0] for row in odd.rows("SELECT origin FROM forecast_history WHERE ticker = 'ODD'")}
    events = odd.rows(TRAINING_EVENTS)
    due = {row[0] for row in odd.rows("SELECT origin FROM forecast_history WHERE ticker = 'SOUND'")}
    assert due == origins | {session for session, _ in events}
    assert [message for _, message in events if "not published" not in message] == []
    assert max(origins) == str(LAST)


def test_no_forecast_is_made_from_the_sessions_of_a_quarantined_jump(odd: OddHome, ibm: Bars) -> None:
    odd.backfill(ten_times_from(ibm), "2012-11-01")
    assert odd.rows("SELECT max(origin) FROM forecast_history WHERE ticker = 'ODD'") == [("2012-11-30",)]
    assert odd.rows("SELECT status FROM freshness WHERE ticker = 'ODD'") == [("held",)]
