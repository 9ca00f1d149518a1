"""Explain: the steps add up to the stored forecasts, and each names its own cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import pytest

from tests.forecast_builders import ten_sessions
from tests.price_builders import write_csv
from tickercast.jobs.analysis.explain import explain
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices.sources.sample import SampleSource
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.workspace.home import Home
from tickercast.storage.database import open_writer, reading
from tickercast.storage.queries import read_view

pytestmark = pytest.mark.slow

Make = Callable[[str, str], Home]
SMALL = "[model]\nhistory_sessions = 260\n[training]\nprior_steps = 3\n"


def run_two_days(make_home: Make, tmp_path: Path, *, more: str = "", restated: bool = False) -> Home:
    """Return a home after two daily runs; restated: the source changes an older close between them."""
    folder = tmp_path / "csv"
    bars = SampleSource().fetch("IBM", None).bars
    close = bars.close.copy()
    write_csv(folder, "IBM", bars)
    home = make_home("explained", SMALL + more + f'[source]\nkind = "folder"\npath = "{folder}"\nadjustment = "as_traded"\n')
    engine = open_writer(home.database)
    track(home, engine, ["IBM"])
    for day in ten_sessions()[:2]:
        run_once(home, engine, now=datetime.combine(day, time(23), UTC), workers=1)
        if restated:
            place = int(np.searchsorted(bars.session, np.datetime64(day))) - 1
            close[place] = 0.3 * bars.high[place] + 0.7 * bars.low[place]
            write_csv(folder, "IBM", replace(bars, close=close))
    engine.dispose()
    return home


def stored(home: Home) -> dict[tuple[str, int], dict[str, float]]:
    """Return the rows of forecast_history by origin and horizon, each by column."""
    with reading(home.database) as connection:
        history = read_view(connection, "forecast_history", ["IBM"])
    rows = (dict(zip(history.columns, row, strict=True)) for row in history.rows)
    return {(row["origin"], row["horizon"]): row for row in rows}


def figure(row: dict[str, float], what: str) -> float:
    """Return a figure of a stored forecast; the width is that of its 5-95 % range as a share of the last price."""
    return (row["q95"] - row["q05"]) / row["last_price"] if what == "width" else row[what]


@pytest.mark.parametrize("restated", [False, True])
def test_the_steps_add_up_from_one_stored_forecast_to_the_next(make_home: Make, tmp_path: Path, restated: bool) -> None:
    home = run_two_days(make_home, tmp_path, restated=restated)
    explanation, record = explain(home, "IBM"), stored(home)
    first, second = sorted({origin for origin, _ in record})
    for change in explanation.changes:
        assert change.before == pytest.approx(figure(record[first, change.horizon], change.what), rel=1e-12)
        assert change.now == pytest.approx(figure(record[second, change.horizon], change.what), rel=1e-12)
        parts = change.restated_bars + change.new_bar + change.new_weights
        assert change.before + parts == pytest.approx(change.now, abs=1e-12)
    assert [(c.horizon, c.what) for c in explanation.changes[:4]] == [(1, "scale"), (1, "location"), (1, "width"), (2, "scale")]
    scale = explanation.changes[0]
    assert (scale.restated_bars != 0) == restated
    assert scale.new_bar != 0
    assert scale.new_weights != 0
    assert [day.isoformat() for day in explanation.origins] == [first, second]
    assert (explanation.ticker, explanation.trained) == ("IBM", True)
    assert explanation.reason == ("restatement" if restated else "warm")


def test_without_a_training_no_weight_has_changed(make_home: Make, tmp_path: Path) -> None:
    explanation = explain(run_two_days(make_home, tmp_path, more="warm_epochs = 0\n"), "IBM")
    assert {change.new_weights for change in explanation.changes} == {0.0}
    assert not explanation.trained


def test_one_forecast_date_is_not_enough(make_home: Make) -> None:
    home = make_home("one", SMALL + '[source]\nkind = "sample"\n')
    engine = open_writer(home.database)
    track(home, engine, ["IBM"])
    run_once(home, engine, now=datetime.combine(ten_sessions()[0], time(23), UTC), workers=1)
    engine.dispose()
    with pytest.raises(UsageError, match=r"^IBM: needs two forecast dates under the active config, found 1; run `tickercast"):
        explain(home, "IBM")
