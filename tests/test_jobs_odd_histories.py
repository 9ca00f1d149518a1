"""Odd but admitted histories: finite forecasts, or a stated reason for none; never a silent nonsense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from jobs.analysis.store_baselines import backfill_with_baselines
from jobs.errors import SomeTickersFailed
from jobs.prices.quarantine import release
from jobs.prices.sources.sample import SampleSource
from jobs.runs.backfill import BackfillRequest, backfill_span
from jobs.workspace.home import Home
from storage.bars import Bars
from storage.database import open_writer, reading

pytestmark = pytest.mark.slow

SETTINGS = "[training]\nprior_epochs = 5\n"
LAST = date(2013, 2, 20)
ODD = np.datetime64("2012-12-03")


def write(folder: Path, name: str, bars: Bars) -> None:
    rows = zip(bars.session, bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
    (folder / f"{name}.csv").write_text("\n".join(["date,open,high,low,close,volume", *(",".join(map(str, r)) for r in rows)]))


def ibm() -> Bars:
    return SampleSource().fetch("IBM", date(2008, 1, 2)).bars


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
    scale = np.where(bars.session >= ODD, 10.0, 1.0)
    return replace(bars, **{name: getattr(bars, name) * scale for name in ("open", "high", "low", "close")})


@pytest.fixture
def forecast(make_home: Callable[[str, str], Home], tmp_path: Path) -> Callable[..., tuple[Home, str]]:
    """Return a function (bars, start, released) that backfills a ticker beside a sound one and returns its home."""

    def run(bars: Bars, start: str, *, released: bool = False) -> tuple[Home, str]:
        folder = tmp_path / "csv"
        folder.mkdir()
        write(folder, "ODD", bars)
        write(folder, "SOUND", SampleSource().fetch("MSFT", date(2008, 1, 2)).bars)
        home = make_home("odd", SETTINGS + f'[source]\nkind = "folder"\npath = "{folder}"\nadjustment = "as_traded"\n')
        engine = open_writer(home.database)
        request = BackfillRequest(("ODD", "SOUND"), date.fromisoformat(start), LAST, workers=1)
        told = backfill_span(home, engine, request)
        if released:
            release(home, engine, "ODD", None)
            told = backfill_span(home, engine, request)
        engine.dispose()
        return home, told

    return run


def rows_of(home: Home, query: str) -> list[tuple[object, ...]]:
    with reading(home.database) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


SOUND_FORECASTS = (
    "SELECT count(*) FROM forecast_history WHERE NOT (scale > 0 AND scale < 1 AND q05 < q50 AND q50 < q95 "
    "AND abs(location) < 0.5 AND dof > 2 AND baseline_scale > 0)"
)


def test_a_flat_stretch_is_noted_and_its_forecasts_stay_proper(forecast: Callable[..., tuple[Home, str]]) -> None:
    home, _ = forecast(flat_for_400_sessions(ibm()), "2012-11-01")
    assert rows_of(home, SOUND_FORECASTS) == [(0,)]
    assert ("stale",) in rows_of(home, "SELECT code FROM gate WHERE ticker = 'ODD'")
    counts = dict(rows_of(home, "SELECT ticker, count(*) FROM forecast_history GROUP BY 1"))
    told = rows_of(
        home, "SELECT count(*) FROM events e JOIN tickers t ON t.id = e.ticker_id WHERE t.symbol = 'ODD' AND kind = 'training'"
    )
    assert counts.get("ODD", 0) + 5 * int(str(told[0][0])) >= counts["SOUND"]


def test_baselines_of_a_flat_stretch_are_left_out_where_a_model_says_nothing(
    forecast: Callable[..., tuple[Home, str]],
) -> None:
    home, _ = forecast(flat_for_400_sessions(ibm()), "2012-11-26")
    engine = open_writer(home.database)
    request = BackfillRequest(("ODD", "SOUND", "NOSUCH"), date(2012, 11, 26), LAST, workers=1)
    with pytest.raises(SomeTickersFailed, match=r"NOSUCH.* baseline rows"):
        backfill_with_baselines(home, engine, request)
    engine.dispose()
    rows = rows_of(home, "SELECT ticker, count(*), min(other_crps) FROM baseline_skill GROUP BY 1 ORDER BY 1")
    assert [row[0] for row in rows][-1] == "SOUND"
    assert all(float(str(row[2])) > 0 for row in rows)


def test_a_tenfold_jump_that_was_released_gives_proper_forecasts_or_says_why_not(
    forecast: Callable[..., tuple[Home, str]],
) -> None:
    home, _ = forecast(ten_times_from(ibm()), "2012-11-01", released=True)
    assert rows_of(home, "SELECT DISTINCT state FROM gate WHERE ticker = 'ODD'") == [("ok",)]
    assert rows_of(home, SOUND_FORECASTS) == [(0,)]
    origins = {row[0] for row in rows_of(home, "SELECT origin FROM forecast_history WHERE ticker = 'ODD'")}
    reasons = rows_of(
        home,
        "SELECT e.session, e.message FROM events e JOIN tickers t ON t.id = e.ticker_id "
        "WHERE t.symbol = 'ODD' AND e.kind = 'training'",
    )
    due = {row[0] for row in rows_of(home, "SELECT origin FROM forecast_history WHERE ticker = 'SOUND'")}
    assert due == origins | {row[0] for row in reasons}
    assert all("not published" in str(row[1]) for row in reasons)
    assert max(map(str, origins)) == str(LAST)


def test_a_held_jump_gives_no_forecast_from_its_sessions(forecast: Callable[..., tuple[Home, str]]) -> None:
    home, _ = forecast(ten_times_from(ibm()), "2012-11-01")
    assert rows_of(home, "SELECT max(origin) FROM forecast_history WHERE ticker = 'ODD'") == [("2012-11-30",)]
    assert rows_of(home, "SELECT status FROM freshness WHERE ticker = 'ODD'") == [("held",)]
