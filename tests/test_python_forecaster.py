"""The forecaster of the Python door: the numbers of a record, frames as Nixtla names them, and scikit-learn's rules."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.utils import Tags
from sklearn.utils.estimator_checks import check_estimator

from tests.frame_builders import REPORTS, bars_of, closes_only, index_bars, index_frame, long_frame
from tests.price_builders import write_csv
from tickercast.errors import ArgumentError
from tickercast.forecaster import Forecaster
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import Home
from tickercast.storage.database import open_writer, reading
from tickercast.storage.queries import read_view

# The checks that cannot pass, each with its reason. The tests here and in test_python_frames claim the same of frames.
ARRAY = "it fits on an array (n_samples, n_features) or asks for its features; the input is a long frame"
MESSAGE = "it wants a message about arrays; ours names the columns that a frame needs"
EXPECTED_FAILURES = dict.fromkeys(
    (
        "check_fit_score_takes_y", "check_estimators_overwrite_params", "check_dont_overwrite_parameters",
        "check_estimators_fit_returns_self", "check_readonly_memmap_input", "check_n_features_in_after_fitting",
        "check_positive_only_tag_during_fit", "check_estimators_dtypes", "check_dtype_object", "check_pipeline_consistency",
        "check_estimators_pickle", "check_f_contiguous_array_estimator", "check_methods_sample_order_invariance",
        "check_methods_subset_invariance", "check_dict_unchanged", "check_fit_idempotent", "check_fit_check_is_fitted",
        "check_n_features_in", "check_fit2d_predict1d",
    ),
    ARRAY,
) | dict.fromkeys(
    (
        "check_complex_data", "check_estimators_empty_data_messages", "check_estimators_nan_inf", "check_estimator_sparse_tag",
        "check_estimator_sparse_array", "check_estimator_sparse_matrix", "check_fit2d_1sample", "check_fit2d_1feature",
    ),
    MESSAGE,
)  # fmt: skip


class TakesArrays(Forecaster):
    """A forecaster whose tags do not say that it takes no arrays, so that no check is left out."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


@pytest.fixture(scope="module")
def fitted() -> Forecaster:
    """Return a forecaster of two tickers, which tests must not fit again."""
    return Forecaster().fit(long_frame("IBM", "MSFT"))


def test_a_forecast_has_the_numbers_of_the_newest_one_in_a_home_with_the_same_bars_index_and_reports(
    make_home: Callable[[str, str], Home], tmp_path: Path
) -> None:
    prices, reports = tmp_path / "prices", tmp_path / "reports.csv"
    for ticker, bars in (("IBM", bars_of("IBM")), ("MSFT", bars_of("MSFT")), ("^VIX", index_bars())):
        write_csv(prices, ticker, bars)
    REPORTS.to_csv(reports, index=False)
    home = make_home("home", "[compute]\nworkers = 1\n")
    request = BackfillRequest(("IBM", "MSFT"), date(2015, 10, 1), None, f"folder:{prices}", "full", events=reports)
    backfill_span(home, open_writer(home.database), request)
    with reading(home.database) as connection:
        rows = read_view(connection, "latest_forecast")
    stored = pd.DataFrame(rows.rows, columns=list(rows.columns)).sort_values(["ticker", "horizon"])
    frame = long_frame("MSFT", "IBM").drop(columns=["dividend", "split"])
    forecaster = Forecaster().fit(frame, volatility_index=index_frame(), company_events=REPORTS)
    made = forecaster.predict(level=[50, 80, 90]).sort_values(["unique_id", "ds"])
    assert len(made) == 10
    assert made["ds"].dt.strftime("%Y-%m-%d").tolist() == stored["target"].astype(str).tolist()
    for column, ours in (("q05", "lo-90"), ("q10", "lo-80"), ("q75", "hi-50"), ("q95", "hi-90")):
        assert made[f"Tickercast-{ours}"].tolist() == stored[column].tolist()
    assert made["Tickercast"].tolist() == stored["q50"].tolist()


def test_the_index_and_the_reports_change_forecasts_also_as_rows_and_with_other_names(fitted: Forecaster) -> None:
    frame, plain = long_frame("IBM", "MSFT"), fitted.distribution_["scale"]
    index = index_frame()
    as_argument = Forecaster().fit(frame, volatility_index=index).distribution_["scale"]
    as_rows = Forecaster().fit(pd.concat([index.assign(unique_id="^VIX"), frame])).distribution_["scale"]
    assert as_rows.tolist() == as_argument.tolist() != plain.tolist()
    reports = REPORTS.rename(columns={"ticker": "unique_id", "date": "ds"})
    with_reports = [Forecaster().fit(frame, company_events=each).distribution_["scale"].tolist() for each in (REPORTS, reports)]
    assert with_reports[0] == with_reports[1] != plain.tolist()


def test_a_report_counts_from_the_instant_of_its_recording(fitted: Forecaster) -> None:
    late = REPORTS.assign(recorded_at=["2015-01-02T00:00:00Z"] * 5 + ["2016-03-01T00:00:00Z"])
    frame = long_frame("IBM", "MSFT")
    known, unknown = (Forecaster().fit(frame, company_events=each).distribution_["scale"] for each in (REPORTS, late))
    assert known.tolist() != unknown.tolist()
    same = Forecaster().fit(frame, company_events=REPORTS.head(5).assign(recorded_at="2015-01-02T00:00:00Z"))
    assert unknown.tolist() == same.distribution_["scale"].tolist()


@pytest.mark.parametrize(
    ("context", "said"),
    [({"volatility_index": index_frame().assign(y=0.0)}, "volatility_index: y is zero"),
     ({"volatility_index": long_frame("IBM")}, "volatility_index: IBM is the index of no exchange; known are"),
     ({"company_events": REPORTS.drop(columns="date")}, "company_events: no column ds"),
     ({"company_events": REPORTS.assign(date="soon")}, "company_events: ds: 'soon' is not a date")],
)  # fmt: skip
def test_a_frame_of_context_that_cannot_be_read_is_refused(context: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        Forecaster().fit(long_frame("IBM"), **context)


def test_frames_have_the_columns_that_nixtla_names(fitted: Forecaster) -> None:
    made = fitted.predict(h=2, level=[80, 95], quantiles=[0.05])
    assert list(made) == [
        "unique_id", "ds", "Tickercast", "Tickercast-lo-95", "Tickercast-lo-80", "Tickercast-hi-80", "Tickercast-hi-95",
        "Tickercast-q0.05",
    ]  # fmt: skip
    assert made["unique_id"].tolist() == ["IBM", "IBM", "MSFT", "MSFT"]
    assert made["ds"].tolist() == [pd.Timestamp("2016-02-02"), pd.Timestamp("2016-02-03")] * 2
    assert (np.diff(made.iloc[:, 3:7].to_numpy(), axis=1) > 0).all()


def test_without_a_level_there_is_the_median_of_every_horizon_alone(fitted: Forecaster) -> None:
    made = fitted.predict()
    assert (list(made), len(made)) == (["unique_id", "ds", "Tickercast"], 10)


@pytest.mark.parametrize("h", [0, 6, 2.0, True, "5"])
def test_a_horizon_that_was_not_fitted_is_refused(fitted: Forecaster, h: Any) -> None:
    with pytest.raises(ValueError, match="horizons 1 to 5"):
        fitted.predict(h)


@pytest.mark.parametrize("prices", [np.zeros((3, 2)), long_frame("IBM", count=3)])
def test_prices_in_the_place_of_h_are_told_in_one_line(fitted: Forecaster, prices: Any) -> None:
    with pytest.raises(ValueError, match=r"^h is a .*: give the number of sessions ahead; the prices are those given to fit$"):
        fitted.predict(prices)


@pytest.mark.parametrize(
    "wrong", [{"level": [100]}, {"level": [0.8]}, {"level": ["high"]}, {"quantiles": [80]}, {"quantiles": 0.0}]
)
def test_a_level_that_is_none_is_refused(fitted: Forecaster, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        fitted.predict(**wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"hidden": 0}, "model.hidden"), ({"cell": "rnn"}, "model.cell"), ({"window": 5}, "training.window"),
     ({"horizons": True}, "model.horizons"), ({"learning_rate": "fast"}, "training.learning_rate"), ({"n_jobs": 0}, "n_jobs"),
     ({"preset": "article", "prior": "bundled"}, "preset article has no prior"), ({"calendar": 5}, "calendar")],
)  # fmt: skip
def test_fit_refuses_a_parameter_and_names_it(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Forecaster(**wrong).fit(long_frame("IBM"))


def test_a_parameter_may_be_a_number_of_numpy() -> None:
    assert Forecaster(window=np.int64(90)).fit(long_frame("IBM")).config_["window"] == 90


def test_before_fit_there_is_no_forecast() -> None:
    with pytest.raises(NotFittedError):
        Forecaster().predict()


def test_fitting_again_and_a_copy_through_pickle_give_the_same_bytes(fitted: Forecaster) -> None:
    again = clone(fitted).fit(long_frame("IBM", "MSFT"))
    pd.testing.assert_frame_equal(again.distribution_, fitted.distribution_, check_exact=True)
    copied = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(copied.distribution_, fitted.distribution_, check_exact=True)


def test_a_ticker_has_the_same_bytes_alone_and_with_others(fitted: Forecaster) -> None:
    alone, both = Forecaster().fit(long_frame("MSFT")).distribution_, fitted.distribution_
    of_both = both[both["unique_id"] == "MSFT"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, of_both, check_exact=True)


def test_fit_changes_neither_the_frame_nor_the_parameters() -> None:
    frame, forecaster = long_frame("IBM"), Forecaster(window=90)
    before, parameters = frame.copy(), forecaster.get_params()
    assert forecaster.fit(frame) is forecaster
    pd.testing.assert_frame_equal(frame, before)
    assert forecaster.get_params() == parameters
    assert all(name.endswith("_") for name in set(vars(forecaster)) - set(parameters))


def test_prices_may_be_given_apart_as_scikit_learn_does() -> None:
    frame = closes_only(long_frame("IBM"))
    apart = Forecaster().fit(frame.drop(columns="y"), frame["y"].to_numpy())
    pd.testing.assert_frame_equal(apart.predict(), Forecaster().fit(frame).predict())


@pytest.mark.parametrize("column", ["open", "high"])
def test_closes_as_flat_bars_or_with_a_price_that_is_no_range_are_closes_alone(column: str) -> None:
    frame = closes_only(long_frame("IBM"))
    alone = Forecaster().fit(frame).predict()
    flat = frame.assign(open=frame["y"], high=frame["y"], low=frame["y"])
    pd.testing.assert_frame_equal(Forecaster().fit(flat).predict(), alone)
    pd.testing.assert_frame_equal(Forecaster().fit(frame.assign(**{column: frame["y"] * 1.01})).predict(), alone)


def test_the_representation_names_what_differs_from_the_defaults() -> None:
    assert repr(Forecaster(horizons=3)) == "Forecaster(horizons=3)"


def test_the_checks_of_scikit_learn_pass_and_its_tags_leave_out_those_on_arrays() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        check_estimator(Forecaster())


def test_of_all_checks_of_scikit_learn_only_those_on_arrays_fail() -> None:
    results = check_estimator(TakesArrays(), expected_failed_checks=EXPECTED_FAILURES, on_skip=None)
    assert {result["check_name"] for result in results if result["status"] == "xfail"} == set(EXPECTED_FAILURES)


@pytest.mark.slow
def test_two_processes_give_the_same_bytes_as_one(fitted: Forecaster) -> None:
    frame = long_frame("IBM", "MSFT")
    frame["exchange"] = np.where(frame["unique_id"] == "IBM", "XNYS", "NYSE")  # another name of it, so another stack
    with_two = Forecaster(n_jobs=2).fit(frame)
    pd.testing.assert_frame_equal(with_two.distribution_, fitted.distribution_, check_exact=True)
