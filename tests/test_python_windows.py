"""Forecasts of the past through the Python door: their cutoffs, the record's numbers, and no look at what came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import TimeSeriesSplit

from tests.frame_builders import closes_only, long_frame
from tickercast.errors import ArgumentError, DataWarning
from tickercast.forecaster import Forecaster
from tickercast.windows import cross_validation

FRAME = long_frame("IBM", "MSFT", count=200)


@pytest.fixture(scope="module")
def windows() -> pd.DataFrame:
    return cross_validation(FRAME, 3, n_windows=6, step_size=3, level=[80])


def test_cutoffs_are_those_of_scikit_learns_time_series_split(windows: pd.DataFrame) -> None:
    days = FRAME.loc[FRAME["unique_id"] == "IBM", "ds"].to_numpy()
    folds = list(TimeSeriesSplit(n_splits=6, test_size=3).split(days))
    ours = windows[windows["unique_id"] == "IBM"]
    assert ours["cutoff"].to_numpy()[::3].tolist() == [days[train[-1]].tolist() for train, _ in folds]
    assert ours["ds"].to_numpy().tolist() == np.concatenate([days[test] for _, test in folds]).tolist()


def test_y_is_the_price_that_came(windows: pd.DataFrame) -> None:
    prices = FRAME.set_index(["unique_id", "ds"])["y"]
    assert windows["y"].tolist() == prices.loc[list(zip(windows["unique_id"], windows["ds"], strict=True))].tolist()
    assert list(windows) == ["unique_id", "ds", "cutoff", "y", "Tickercast", "Tickercast-lo-80", "Tickercast-hi-80"]


@pytest.mark.parametrize("frame", [FRAME, closes_only(FRAME)], ids=["bars", "closes"])
def test_nothing_after_a_cutoff_changes_its_forecasts(frame: pd.DataFrame) -> None:
    cutoff = frame["ds"].drop_duplicates().iloc[-13]
    later, factor = frame["ds"] > cutoff, np.random.default_rng(3).uniform(0.9, 1.1, len(frame))
    prices = [name for name in ("y", "open", "high", "low", "volume") if name in frame]
    scrambled = frame.assign(**{name: frame[name].where(~later, frame[name] * factor) for name in prices})
    before, after = (cross_validation(each, 3, n_windows=6, step_size=3, level=[80]) for each in (frame, scrambled))
    known, same = (each[each["cutoff"] <= cutoff].drop(columns="y") for each in (before, after))
    assert known["cutoff"].nunique() == 3
    pd.testing.assert_frame_equal(same, known, check_exact=True)
    assert (after["Tickercast"] != before["Tickercast"]).any()


def test_each_cutoff_has_the_forecast_of_a_frame_that_ends_there(windows: pd.DataFrame) -> None:
    cutoff = windows["cutoff"].iloc[-1]
    fitted = Forecaster().fit(FRAME[FRAME["ds"] <= cutoff]).predict(3, level=[80])
    past = windows[windows["cutoff"] == cutoff].drop(columns=["cutoff", "y"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(past, fitted, check_exact=True)


def test_a_price_after_a_split_is_told_in_shares_of_its_cutoff() -> None:
    days = FRAME["ds"].unique()
    is_later = FRAME["ds"] >= days[-2]
    split = closes_only(FRAME).assign(
        y=FRAME["y"].where(~is_later, FRAME["y"] / 2), split=np.where(FRAME["ds"] == days[-2], 2.0, 1.0)
    )
    made = cross_validation(split, 3)
    plain = FRAME.loc[FRAME["unique_id"] == "IBM", "y"].tolist()[-3:]
    assert made["y"].tolist()[:3] == pytest.approx(plain)


def test_a_session_without_a_row_has_no_price() -> None:
    days = FRAME["ds"].unique()
    made = cross_validation(FRAME[FRAME["ds"] != days[-2]], 3)
    assert made["y"].isna().tolist() == [False, False, True] * 2


def test_a_ticker_with_too_few_rows_for_all_windows_is_left_out() -> None:
    frame = pd.concat([FRAME, long_frame("AAPL", count=140)])
    with pytest.warns(DataWarning, match="AAPL: 140 usable rows, 6 windows of 3 rows ahead need 148"):
        made = cross_validation(frame, 3, n_windows=6, step_size=3)
    assert made["unique_id"].unique().tolist() == ["IBM", "MSFT"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"h": 6}, "horizons 1 to 5"), ({"n_windows": 0}, "n_windows is 0"), ({"step_size": 2.5}, "step_size is 2.5")],
)
def test_windows_that_cannot_be_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        cross_validation(FRAME, **wrong)


def test_the_method_uses_the_parameters_and_leaves_the_forecaster_as_it_is(windows: pd.DataFrame) -> None:
    forecaster = Forecaster(cold_every=20)
    made = forecaster.cross_validation(FRAME, 3, n_windows=6, step_size=3, level=[80])
    assert (made["Tickercast-hi-80"] != windows["Tickercast-hi-80"]).any()
    assert vars(forecaster) == vars(Forecaster(cold_every=20))
