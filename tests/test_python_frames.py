"""Frames that people have: which are read, which are refused with what to do, and which tickers and rows are left out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest

from tests.frame_builders import closes_only, long_frame
from tickercast._series import LongFrame, Reading
from tickercast.errors import ArgumentError, DataWarning
from tickercast.forecaster import Forecaster

Change = Callable[[pd.DataFrame], object]
FRAME = long_frame("IBM", count=140)
LAST = pd.Timestamp("2016-02-01")


def read(frame: object, **reading: object) -> LongFrame:
    return Reading(**{"calendar": None, "field": "close", "fewest": 130} | reading).frame(frame)  # type: ignore[arg-type]


def with_value(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    """Return a frame with another value in one cell."""
    changed = frame.copy()
    changed[column] = changed[column].astype("object").where(changed.index != changed.index[row], value)
    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="y"), "no column y"),
        (lambda f: f.drop(columns="unique_id"), r"no column unique_id; .* of one ticker: df.assign\(unique_id='MSFT'\)"),
        (lambda f: f.rename(columns={"ds": "Date"}).set_index("Date"), r"df.reset_index\(\).rename\(columns={'Date': 'ds'}\)"),
        (lambda f: f.rename(columns=str.upper), "{'UNIQUE_ID': 'unique_id', 'DS': 'ds', 'Y': 'y'}"),
        (lambda f: f.assign(volume=-1), r"IBM: 0 usable rows \(140 not used, the first: 20.*volume"),
        (lambda _f: pd.DataFrame(), "the frame has no column"),
        (lambda f: f.rename(columns={"unique_id": "ticker", "ds": "date"}), r"rename them: df.rename\(columns={'ticker': 'uniq"),
        (lambda f: f.set_index(["ds", "unique_id"])[["y"]].unstack(), r"columns have two levels: .* df.stack\(1\).reset_index"),
        (lambda f: pd.concat([f, f.tail(1)]), "one row a day; 1 row more than that, the first: IBM 2016-02-01; keep one"),
        (lambda f: with_value(f, 5, "y", np.nan), "NaN or infinite in 1 row"),
        (lambda f: with_value(f, 5, "y", np.inf), "NaN or infinite in 1 row"),
        (lambda f: with_value(f, 5, "y", -3.0), "zero or negative in 1 row"),
        (lambda f: with_value(f, 5, "y", "n/a"), "column y has values that are no numbers"),
        (lambda f: f.assign(ds=range(len(f))), "ds has numbers"),
        (lambda f: with_value(f, 5, "ds", None), "ds is missing in 1 row"),
        (lambda f: with_value(f, 5, "ds", "soon"), "'soon' is not a date"),
        (lambda f: with_value(f, 5, "unique_id", None), "unique_id is missing in 1 row"),
        (lambda f: f.head(0), "no row"),
        (lambda f: f.head(41), "IBM: 41 usable rows, a forecast needs 130"),
        (lambda f: f.to_numpy(), "a DataFrame with the columns unique_id, ds and y is expected, not ndarray"),
        (lambda f: f.assign(kind="bond"), "column kind has 'bond'"),
        (lambda f: f.assign(exchange="XXXX"), "XXXX: no calendar is known"),
    ],
)
def test_a_frame_is_refused_in_one_line(change: Change, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        read(change(FRAME))


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.sample(frac=1, random_state=0),
        lambda f: f.set_index("unique_id"),
        lambda f: f.assign(ds=f["ds"].dt.strftime("%Y-%m-%d")),
        lambda f: f.assign(ds=f["ds"].dt.date),
        lambda f: f.assign(ds=f["ds"].dt.tz_localize("America/New_York")),
        lambda f: f.assign(ds=f["ds"].dt.tz_localize("UTC") + pd.Timedelta(hours=20)),
        lambda f: f.assign(ds=f["ds"] + pd.Timedelta(hours=16)),
        lambda f: f.assign(unique_id=f["unique_id"].astype("category"), y=f["y"].astype("object")),
        lambda f: f.assign(exchange="XNYS", kind="stock", colour="blue"),
        lambda f: f.rename(columns={name: name.capitalize() for name in ("open", "high", "low", "volume", "split")}),
    ],
    ids=["unsorted", "indexed", "text", "dates", "zone", "instants", "times", "types", "more columns", "capitals"],
)
def test_the_same_prices_are_read_from_frames_of_other_forms(change: Change) -> None:
    expected, found = (read(frame).series[0].bars for frame in (FRAME, change(FRAME)))
    for name in ("session", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_a_frame_of_another_library_is_read_by_its_to_pandas() -> None:
    class Other:
        def to_pandas(self) -> pd.DataFrame:
            return FRAME

    assert len(read(Other()).series[0].bars) == 140


def test_one_short_ticker_is_left_out_and_does_not_stop_the_others() -> None:
    frame = pd.concat([long_frame("MSFT", count=50), long_frame("IBM")])
    with pytest.warns(DataWarning, match="1 ticker left out: MSFT: 50 usable rows, a forecast needs 130"):
        forecaster = Forecaster().fit(frame)
    assert (forecaster.tickers_, list(forecaster.left_out_)) == (["IBM"], ["MSFT"])


def test_a_row_that_the_gates_refuse_is_not_used_and_is_listed() -> None:
    frame = closes_only(with_value(long_frame("IBM"), 240, "y", 19000.0))
    with pytest.warns(DataWarning, match="1 row not used, the first: IBM 2015-10-07"):
        forecaster = Forecaster().fit(frame)
    assert forecaster.refused_rows_["code"].tolist() == ["hundredfold"]


def test_a_ticker_whose_newest_prices_are_in_doubt_is_left_out_unless_they_are_not_judged() -> None:
    split = closes_only(FRAME).assign(y=FRAME["y"].where(FRAME["ds"] < "2016-01-15", FRAME["y"] / 4))
    with pytest.raises(ArgumentError, match="newest prices are in doubt since 2016-01-15"):
        read(split)
    assert len(read(split, judged=False).series[0].bars) == 140


def test_a_split_that_is_told_explains_the_price() -> None:
    split = closes_only(FRAME).assign(y=FRAME["y"].where(FRAME["ds"] < "2016-01-15", FRAME["y"] / 4))
    told = split.assign(split=np.where(split["ds"] == "2016-01-15", 4.0, 0.0))
    assert len(read(told).series[0].bars) == 140


@pytest.mark.parametrize(
    ("ticker", "calendar", "exchange"),
    [
        ("BTC-USD", None, "24/7"),
        ("SAP.DE", None, "XETR"),
        ("store 7", None, "XNYS"),
        ("IBM", "D", "24/7"),
        ("IBM", "XTKS", "XTKS"),
    ],
)
def test_the_calendar_follows_the_symbol_unless_it_is_told(ticker: str, calendar: str | None, exchange: str) -> None:
    days = {"24/7": "D", "XETR": "B", "XTKS": "B", "XNYS": "B"}[exchange]
    frame = pd.DataFrame({"unique_id": ticker, "ds": pd.date_range("2016-02-15", periods=140, freq=days), "y": 100.0})
    frame["y"] += np.arange(140) % 7
    read_as = [series.exchange for series in read(frame, calendar=calendar, judged=False, fewest=1).series]
    assert read_as == [exchange]


@pytest.mark.parametrize("freq", ["W-FRI", "BME"])
def test_prices_of_weeks_and_months_are_refused(freq: str) -> None:
    frame = pd.DataFrame({"unique_id": "EURUSD=X", "ds": pd.date_range("2002-01-01", periods=140, freq=freq), "y": 100.0})
    with pytest.raises(ArgumentError, match=r"140 rows on .* prices must be daily"):
        read(frame)


def test_weekends_of_a_stock_tell_that_its_calendar_is_another_one() -> None:
    frame = pd.DataFrame({"unique_id": "coin", "ds": pd.date_range("2015-01-01", periods=140), "y": 100.0})
    with pytest.raises(ArgumentError, match=r"are on days without a session of XNYS, the first on 2015-01-01.*calendar='D'"):
        read(frame)


def test_a_coin_is_forecast_for_every_day() -> None:
    days = pd.date_range(end="2024-03-08", periods=200)
    price = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.02, 200)))
    made = Forecaster().fit(pd.DataFrame({"unique_id": "BTC-USD", "ds": days, "y": price})).predict(h=2)
    assert made["ds"].dt.date.tolist() == [date(2024, 3, 9), date(2024, 3, 10)]


def test_closes_alone_give_nearly_the_width_that_whole_bars_give() -> None:
    whole, closes = (
        Forecaster().fit(frame).distribution_["scale"] for frame in (long_frame("IBM"), closes_only(long_frame("IBM")))
    )
    assert (closes / whole).between(0.9, 1.12).all()
