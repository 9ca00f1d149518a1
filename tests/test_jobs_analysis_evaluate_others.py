"""Other tools' forecasts in an evaluation: what a file says, how it is scored, and how a bad one is named."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.conftest import Command
from tickercast.jobs.analysis.baselines import GRID_LEVELS, random_walk
from tickercast.jobs.analysis.compare import FEWEST_BEFORE, OURS, ComparisonTask, Densities, other_log_prices, score_task
from tickercast.jobs.analysis.other_files import read_other_models
from tickercast.jobs.analysis.other_forecasts import OtherForecasts, OtherModel, refuse_other_basis, shared_levels
from tickercast.jobs.errors import UsageError
from tickercast.storage.bars import Bars, make_bars

METHODS = ["random walk"]
HEADER = "unique_id,cutoff,ds,y,A-lo-80,A,A-hi-80"
ROW = "MSFT,2024-03-01,2024-03-04,101,95,100,106"
LEVELS = [0.1, 0.5, 0.9]
SCORED = np.isin(np.round(GRID_LEVELS, 2), LEVELS)


def read(folder: Path, *lines: str, name: str = "forecasts.csv") -> dict[str, OtherModel]:
    """Return the models of a CSV file of some lines, by name."""
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return {model.name: model for model in read_other_models([path], METHODS)}


def levels_of(model: OtherModel) -> list[float]:
    return np.round(GRID_LEVELS[model.levels], 2).tolist()


def prices_of(model: OtherModel, ticker: str = "MSFT") -> list[float]:
    """Return the prices of a model's first forecast for a ticker, at the levels it has."""
    return model.tickers[ticker].prices[0, model.levels].tolist()


def test_interval_columns_are_quantiles_on_both_sides_of_the_median(tmp_path: Path) -> None:
    model = read(tmp_path, HEADER, ROW)["A"]
    assert (levels_of(model), prices_of(model)) == (LEVELS, [95.0, 100.0, 106.0])
    forecasts = model.tickers["MSFT"]
    assert (str(forecasts.origin[0]), str(forecasts.target[0])) == ("2024-03-01", "2024-03-04")


def test_a_median_of_its_own_goes_before_the_point_forecast(tmp_path: Path) -> None:
    model = read(tmp_path, "unique_id,ds,cutoff,A,A-median,A-lo-90.0,A-hi-90.0", "MSFT,2024-03-04,2024-03-01,107,100,90,110")["A"]
    assert (levels_of(model), prices_of(model)) == ([0.05, 0.5, 0.95], [90.0, 100.0, 110.0])


def test_columns_of_single_quantiles_are_read_in_both_spellings(tmp_path: Path) -> None:
    header = "unique_id,cutoff,ds,Light GBM-q0.05,Light GBM-q0.5,Light GBM-q0.95,NHITS_ql0.1,NHITS_ql0.9"
    models = read(tmp_path, header, "MSFT,2024-03-01,2024-03-04,90,100,110,94,107")
    assert {name: levels_of(model) for name, model in models.items()} == {"Light GBM": [0.05, 0.5, 0.95], "NHITS": [0.1, 0.9]}
    assert prices_of(models["NHITS"]) == [94.0, 107.0]


def test_levels_outside_the_grid_and_models_without_levels_do_not_count(tmp_path: Path) -> None:
    models = read(tmp_path, f"{HEADER},A-lo-95,A-hi-95,Naive", f"{ROW},80,120,100")
    assert {name: levels_of(model) for name, model in models.items()} == {"A": LEVELS}


def test_rows_of_one_model_in_two_files_are_taken_together(tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    paths[0].write_text(f"{HEADER}\n{ROW}\n")
    paths[1].write_text(f"{HEADER}\n{ROW.replace('MSFT', 'ibm')}\n")
    (model,) = read_other_models(paths, METHODS)
    assert sorted(model.tickers) == ["IBM", "MSFT"]


def test_a_ticker_that_looks_like_a_number_or_a_missing_value_keeps_its_name(tmp_path: Path) -> None:
    model = read(tmp_path, HEADER, ROW.replace("MSFT", "0700"), ROW.replace("MSFT", "NA"), ROW.replace("MSFT", "TRUE"))["A"]
    assert sorted(model.tickers) == ["0700", "NA", "TRUE"]


@pytest.mark.parametrize(
    ("cutoff", "kind"),
    [
        ("2024-03-01", pa.string()),
        ("2024-03-01 00:00:00", pa.string()),
        (19783, pa.date32()),
        (1709251200 * 10**9, pa.timestamp("ns")),
        (1709269200 * 10**6, pa.timestamp("us", "America/New_York")),  # midnight there
    ],
)
def test_parquet_dates_may_be_texts_dates_or_instants(tmp_path: Path, cutoff: object, kind: pa.DataType) -> None:
    table = pa.table(
        {
            "unique_id": ["MSFT"], "cutoff": pa.array([cutoff], kind), "ds": ["2024-03-04"],
            "A-lo-80": [95.0], "A-hi-80": [106],
        }
    )  # fmt: skip
    pyarrow.parquet.write_table(table, tmp_path / "f.parquet")
    (model,) = read_other_models([tmp_path / "f.parquet"], METHODS)
    assert str(model.tickers["MSFT"].origin[0]) == "2024-03-01"


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["unique_id,ds,A-lo-80,A-hi-80", "MSFT,2024-03-04,95,106"], "no column cutoff; it has unique_id, ds"),
        ([HEADER], "it has no row"),
        (["unique_id,cutoff,ds,A", "MSFT,2024-03-01,2024-03-04,100"], "no model has columns of levels; name them"),
        ([HEADER, "MSFT,2024-03-01,4,101,95,100,106"], "ds has numbers, such as 4; write dates"),
        ([HEADER, "MSFT,2024-03-01,soon,101,95,100,106"], "ds has no dates like 2024-03-01"),
        ([HEADER, "MSFT,2024-03-01,2024-03-04,101,low,100,106"], "column A-lo-80 has values that are no numbers"),
        ([HEADER, ROW, ROW], "A has 2 rows of MSFT with cutoff 2024-03-01 and ds 2024-03-04; keep one"),
        ([f"{HEADER},A", f"{ROW},100"], "two columns are called A"),
        ([HEADER.replace("A", "random walk"), ROW], "a method is called 'random walk' already; rename"),
        ([HEADER.replace("A", OURS), ROW], "a method is called 'tickercast' already"),
        ([HEADER, "MSFT,2024-03-01"], "cannot be read as csv"),
        ([""], "cannot be read as csv"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path: Path, lines: list[str], fault: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, *lines)
    message = str(refused.value)
    assert fault in message
    assert message.startswith(str(tmp_path / "forecasts.csv"))
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        read_other_models([tmp_path / "none.csv"], METHODS)


def test_every_method_is_scored_on_the_levels_that_all_models_have(tmp_path: Path) -> None:
    header = "unique_id,cutoff,ds,A-lo-80,A-hi-80,A-lo-50,A-hi-50,B-lo-80,B-hi-80,B"
    models = read(tmp_path, header, "MSFT,2024-03-01,2024-03-04,90,110,95,105,90,110,100")
    assert np.round(GRID_LEVELS[shared_levels(list(models.values()))], 2).tolist() == [0.1, 0.9]


def test_levels_on_one_side_are_no_distribution(tmp_path: Path) -> None:
    models = read(tmp_path, "unique_id,cutoff,ds,A-q0.9,A-q0.5", "MSFT,2024-03-01,2024-03-04,90,110")
    with pytest.raises(UsageError, match="A: no quantiles on both sides of the median"):
        shared_levels(list(models.values()))


@pytest.fixture(scope="module")
def bars() -> Bars:
    """Return bars of 100, but from the first usable origin on 100, 102 (a dividend of 1), 52 (a split 2:1) and 52."""
    n = FEWEST_BEFORE + 4
    close, dividend, split = np.full(n, 100.0), np.zeros(n), np.ones(n)
    close[::3] = 101.0
    close[-4:] = 100.0, 102.0, 52.0, 52.0
    dividend[-3], split[-2] = 1.0, 2.0
    session = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-01") + n)
    return make_bars(
        session, {"open": close, "high": close + 1, "low": close - 1, "close": close, "dividend": dividend, "split": split}
    )


def task_with(bars: Bars, forecast: list[float], horizon: int = 2) -> ComparisonTask:
    """Return a task of one origin, with a tool's prices for it at the levels 10, 50 and 90 %."""
    origin = bars.session[[FEWEST_BEFORE]]
    prices = np.full((1, len(GRID_LEVELS)), np.nan)
    prices[0, SCORED] = forecast
    other = OtherForecasts(origin, bars.session[[FEWEST_BEFORE + horizon]], prices)
    ours = Densities(origin, np.zeros(1), np.full(1, 0.02), np.full(1, np.nan), np.array(["none"]))
    return ComparisonTask("A", bars, "close", horizon, ours, {"walk": random_walk}, {"tool": other}, SCORED)


def test_a_price_forecast_is_scored_against_the_price_on_the_scale_of_its_origin(bars: Bars) -> None:
    scores = {s.method: s for s in score_task(task_with(bars, [90.0, 100.0, 110.0]))}
    # 52 after a split 2:1 is 104 on the scale of the origin, and a dividend is no part of a price.
    errors = [math.log(104 / price) for price in (90, 100, 110)]
    losses = [max(level * error, (level - 1) * error) for level, error in zip(LEVELS, errors, strict=True)]
    assert scores["tool"].crps[0] == pytest.approx(100 * 2 * sum(losses) / 3)
    assert scores["tool"].inside[0].tolist() == pytest.approx([math.nan, 1.0, math.nan], nan_ok=True)


def test_all_methods_are_scored_on_the_same_levels(bars: Bars) -> None:
    scores = {s.method: s for s in score_task(task_with(bars, [90.0, 100.0, 110.0]))}
    assert list(scores) == [OURS, "walk", "tool"]
    realised = math.log(102 / 99) + math.log(104 / 102)  # with the dividend
    errors = [realised - 0.02 * z for z in (-1.2815515655446004, 0.0, 1.2815515655446004)]
    losses = [max(level * error, (level - 1) * error) for level, error in zip(LEVELS, errors, strict=True)]
    assert scores[OURS].crps[0] == pytest.approx(100 * 2 * sum(losses) / 3)
    assert scores[OURS].inside[0].tolist() == [0.0, 0.0, 0.0]


def test_an_origin_without_the_tools_forecast_is_not_scored(bars: Bars) -> None:
    assert score_task(task_with(bars, [90.0, math.nan, 110.0])) == []


def test_a_forecast_of_another_target_is_not_compared(bars: Bars) -> None:
    task = task_with(bars, [90.0, 100.0, 110.0], horizon=1)
    later = ComparisonTask("A", bars, "close", 2, task.forecasts, task.methods, task.others, task.levels)
    assert np.isnan(other_log_prices(later)["tool"]).all()


def test_prices_on_another_basis_are_refused(bars: Bars) -> None:
    log_prices = other_log_prices(task_with(bars, [45.0, 50.0, 55.0]))["tool"]
    with pytest.raises(UsageError, match=r"tool: A: its medians are 0\.50 times the price at the cutoff; .*tickercast bars A"):
        refuse_other_basis("tool", "A", log_prices)


SPAN = ("evaluate", "IBM", "--source", "sample", "--start", "2013-01-02", "--end", "2013-02-20", "--workers", 1)


@pytest.mark.slow
def test_the_command_compares_with_a_file_on_common_origins(tickercast: Command, tmp_path: Path) -> None:
    kept = (*SPAN, "--keep", tmp_path / "home", "--format", "csv")
    assert tickercast(*kept, TICKERCAST_MODEL__PRIOR="none").returncode == 0
    found = tickercast(
        "--home", tmp_path / "home", "sql",
        "SELECT ticker AS unique_id, origin AS cutoff, target AS ds, q10 AS 'SQL-lo-80', q50 AS 'SQL', q90 AS 'SQL-hi-80'"
        " FROM forecast_history WHERE horizon = 1 AND origin < '2013-02-01' AND q50 > 0",
        "--out", tmp_path / "own.csv",
    )  # fmt: skip
    assert found.returncode == 0
    done = tickercast(*kept, "--add", tmp_path / "own.csv", TICKERCAST_MODEL__PRIOR="none")
    assert done.returncode == 0
    rows = [row for row in csv.DictReader(io.StringIO(done.stdout)) if (row["context"], row["period"]) == ("all", "all")]
    ours, added = (next(row for row in rows if row["horizon"] == "1" and row["method"] == name) for name in (OURS, "SQL"))
    assert (ours["n"], added["n"]) == ("21", "21")  # the sessions of January 2013
    # Our own quantiles, which are rounded to no digit, so the same score.
    assert float(added["crps"]) == pytest.approx(float(ours["crps"]), rel=1e-6)
    assert {row["method"] for row in rows if row["horizon"] == "5"} == {row["method"] for row in rows} - {"SQL"}
    assert "SQL has no forecast 5 sessions ahead" in done.stderr
    assert "scored on the levels that all of them have: 0.10, 0.50, 0.90" in done.stderr


@pytest.mark.slow
def test_a_bad_file_stops_the_command_before_its_work(tickercast: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("unique_id,ds\nIBM,2024-03-04\n")
    done = tickercast(*SPAN, "--add", tmp_path / "bad.csv")
    assert (done.returncode, done.stdout) == (2, "")
    (error,) = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert "no column cutoff" in error


@pytest.mark.slow
def test_a_file_without_the_tickers_stops_the_command_before_its_work(tickercast: Command, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text(f"{HEADER}\n{ROW}\n")
    done = tickercast(*SPAN, "--add", tmp_path / "other.csv")
    assert done.returncode == 2
    assert done.stderr == "error: A: no unique_id is one of the tickers IBM; it has MSFT\n"
