"""Backfills under settings other than the defaults, and of short or broken histories: proper forecasts and a sound record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forecast_builders import moved, sample, ticker_rows
from tests.price_builders import write_csv
from tickercast.jobs.analysis.answers import check_deeply
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import Home
from tickercast.storage.bars import Bars
from tickercast.storage.database import open_writer, reading

pytestmark = pytest.mark.slow

Make = Callable[[str, str], Home]
LAST = date(2016, 2, 1)
IMPROPER = (
    "SELECT count(*) FROM forecast_history WHERE NOT (scale > 0 AND scale < 1 AND dof > 2 AND abs(location) < 0.5 "
    "AND q05 < q10 AND q10 < q25 AND q25 < q50 AND q50 < q75 AND q75 < q90 AND q90 < q95 AND baseline_scale > 0)"
)
TRAININGS = "SELECT DISTINCT start, reason, prior_id IS NOT NULL, epochs FROM model_lineage WHERE role = 'chain' ORDER BY 1"


def rows(home: Home, query: str) -> list[tuple[Any, ...]]:
    with reading(home.database) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def backfilled(home: Home, folder: Path, bars: dict[str, Bars], first: str = "2016-01-27") -> Home:
    """Backfill some tickers from files, all in one stack, and return the home."""
    for ticker, series in bars.items():
        write_csv(folder, ticker, series)
    engine = open_writer(home.database)
    request = BackfillRequest(
        tuple(bars), date.fromisoformat(first), LAST, source=f"folder:{folder}", adjustment="as_traded", workers=1
    )
    backfill_span(home, engine, request)
    engine.dispose()
    return home


SCALED = [("cold", "first origin", 1, 1), ("warm", "warm", 1, 1)]
WHOLE = [("cold", "first origin", 0, 2), ("warm", "warm", 0, 1)]


@pytest.mark.parametrize(
    ("settings", "horizons", "trainings"),
    [
        ("", 5, SCALED),
        ("[model]\nhorizons = 1\n[training]\ncold_epochs = 2\n", 1, WHOLE),
        ("[model]\nhorizons = 12\n[training]\ncold_epochs = 2\n", 12, WHOLE),
        ("[model]\nhorizons = 60\n[training]\ncold_epochs = 2\n", 60, WHOLE),
        ("[model]\nhistory_sessions = 130\n[training]\nwindow = 21\nlearned_sessions = 130\n", 5, SCALED),
        ('[training]\nlearns = "network"\n', 5, SCALED),
        ('[training]\nlearns = "network"\nwindow = 21\n', 5, SCALED),
        ('[model]\nprior = "none"\n[training]\ncold_epochs = 2\n', 5, WHOLE),
        ("[training]\ntune_epochs = 0\n", 5, [("cold", "first origin", 1, 0), ("warm", "warm", 1, 1)]),
        ("[training]\nwarm_epochs = 0\n", 5, SCALED[:1]),
        ("[model]\nrecalibrate = true\n", 5, SCALED),
    ],
)  # fmt: skip
def test_a_backfill_under_other_settings_is_sound(
    make_home: Make, tmp_path: Path, settings: str, horizons: int, trainings: list[tuple[Any, ...]]
) -> None:
    bars = {ticker: moved(sample(ticker)) for ticker in ("IBM", "MSFT")}
    home = backfilled(make_home("home", settings), tmp_path / "csv", bars)
    assert rows(home, "SELECT count(*), max(horizon) FROM forecast_history") == [(2 * 4 * horizons, horizons)]
    assert rows(home, TRAININGS) == trainings
    assert rows(home, IMPROPER) == [(0,)]
    assert check_deeply(home).startswith("the record is sound")


@pytest.mark.parametrize("count", [130, 131, 160, 200])
def test_a_ticker_with_few_bars_is_forecast_with_the_bundled_prior(make_home: Make, tmp_path: Path, count: int) -> None:
    bars = {"IBM": moved(sample("IBM"), count=count), "MSFT": moved(sample("MSFT"), count=600)}
    home = backfilled(make_home("home", ""), tmp_path / "csv", bars, first="2016-01-28")
    made = rows(home, "SELECT origin, count(*) FROM forecast_history WHERE ticker = 'IBM' GROUP BY 1 ORDER BY 1")
    assert made == [("2016-01-28", 5), ("2016-01-29", 5), ("2016-02-01", 5)][-(count - 129) :]
    assert rows(home, TRAININGS)[0] == SCALED[0]
    assert rows(home, IMPROPER) == [(0,)]
    assert check_deeply(home).startswith("the record is sound")


@pytest.mark.parametrize("where", [slice(-170, -30), slice(-100, -1), slice(-25, -2)], ids=["months", "until now", "days"])
def test_a_ticker_with_a_long_hole_in_its_bars_is_forecast_as_it_is_alone(make_home: Make, tmp_path: Path, where: slice) -> None:
    whole = moved(sample("IBM"), count=400)
    kept = np.ones(len(whole), np.bool_)
    kept[where] = False
    broken = {"IBM": whole.select(kept)}
    others = {"AAPL": moved(sample("AAPL"), count=400)}
    settings = "[model]\nhistory_sessions = 200\n[training]\nlearned_sessions = 200\n"  # so that both are of one length
    alone = backfilled(make_home("alone", settings), tmp_path / "alone", broken, first="2016-02-01")
    together = backfilled(make_home("together", settings), tmp_path / "csv", others | broken, first="2016-02-01")
    assert ticker_rows(alone, "IBM") == ticker_rows(together, "IBM")
    assert rows(together, "SELECT ticker, count(*) FROM forecast_history GROUP BY 1 ORDER BY 1") == [("AAPL", 5), ("IBM", 5)]
    assert rows(together, IMPROPER) == [(0,)]
    assert check_deeply(together).startswith("the record is sound")


def test_prices_before_a_hole_do_not_become_a_return_of_one_session(make_home: Make, tmp_path: Path) -> None:
    """The price level before a hole of months says nothing: ten times those prices leave the forecasts as they are."""
    whole = moved(sample("IBM"), count=400)
    hole = np.ones(len(whole), np.bool_)
    hole[-170:-30] = False
    earlier = np.arange(len(whole)) < len(whole) - 170
    prices = {
        name: np.where(earlier, 2 * getattr(whole, name), getattr(whole, name)) for name in ("open", "high", "low", "close")
    }
    numbers = []
    for name, bars in (("plain", whole), ("other", replace(whole, **prices))):
        home = backfilled(make_home(name, ""), tmp_path / name, {"IBM": bars.select(hole)}, first="2016-02-01")
        numbers.append(rows(home, "SELECT location, scale, dof, q05, q95 FROM forecast_history ORDER BY horizon"))
    assert np.allclose(numbers[0], numbers[1], rtol=1e-6)
