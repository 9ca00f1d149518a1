"""The Python door to a record: types of columns, what is selected, errors, and what it leaves alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

import tickercast as tc
from tests.builders import (
    COLD_ORIGIN,
    CONFIG,
    SESSIONS,
    WARM_ORIGIN,
    Record,
    add_origins,
    at_night,
    empty_record,
    origin_row,
)
from tests.conftest import clean_environment
from tickercast.storage.views import VIEWS, View

STATED = {
    "text": "str", "float": "float64", "int": "int64", "bool": "bool", "date": "datetime64[us]",
    "instant": "datetime64[us, UTC]",
}  # fmt: skip
OPTIONAL = {"int": "Int64", "bool": "boolean"}
SQL_TYPES = {"text": {str}, "float": {float}, "int": {int}, "bool": {int}, "date": {str}, "instant": {str}}


@pytest.fixture(scope="module")
def opened(sound_record: Record) -> tc.Record:
    return tc.open(sound_record.database.parent)


def types_of(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(kind) for name, kind in frame.dtypes.items()}


def stated_types(view: View) -> dict[str, str]:
    return {c.name: OPTIONAL[c.kind] if c.optional else STATED[c.kind] for c in view.columns}


def contents(home: Path) -> dict[Path, bytes]:
    """Return the bytes of each file of a home, without those that SQLite keeps beside a database that is read."""
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.suffix not in (".db-wal", ".db-shm")}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_frame_has_the_columns_of_its_view_in_the_stated_types(opened: tc.Record, view: View) -> None:
    assert types_of(opened.view(view.name)) == stated_types(view)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_an_empty_frame_has_the_same_types(tmp_path: Path, view: View) -> None:
    frame = tc.open(empty_record(tmp_path).database.parent).view(view.name)
    assert (len(frame), types_of(frame)) == (0, stated_types(view))


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_the_values_of_a_view_are_of_the_stated_type(sound_record: Record, view: View) -> None:
    rows = sound_record.rows(f"SELECT * FROM {view.name}")
    found = {c.name: {type(row[i]) for row in rows} - {type(None)} for i, c in enumerate(view.columns)}
    assert {c.name: found[c.name] - SQL_TYPES[c.kind] for c in view.columns if found[c.name] - SQL_TYPES[c.kind]} == {}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_an_int_or_a_bool_is_missing_only_where_that_is_stated(sound_record: Record, view: View) -> None:
    rows = sound_record.rows(f"SELECT * FROM {view.name}")
    missing = {c.name for i, c in enumerate(view.columns) for row in rows if row[i] is None and c.kind in OPTIONAL}
    assert missing <= {c.name for c in view.columns if c.optional}


def test_a_column_has_one_type_in_all_views() -> None:
    kinds: dict[str, set[str]] = {}
    for name, kind in ((column.name, column.kind) for view in VIEWS for column in view.columns):
        kinds.setdefault(name, set()).add(kind)
    assert {name for name, found in kinds.items() if len(found) > 1} == set()


def test_the_newest_forecasts_have_sessions_and_instants_as_times(opened: tc.Record) -> None:
    first = opened.forecasts().iloc[0]
    assert (first["ticker"], first["origin"], first["horizon"]) == ("IBM", pd.Timestamp(WARM_ORIGIN), 1)
    assert first["made_at"] == pd.Timestamp(at_night(SESSIONS[-1]))


def test_the_history_is_bounded_by_origins_inclusive(opened: tc.Record) -> None:
    cold = opened.forecasts("ibm", history=True, start="2024-03-06", end=COLD_ORIGIN)
    assert list(cold["origin"].dt.date) == [COLD_ORIGIN, COLD_ORIGIN]
    assert len(opened.forecasts(history=True, start=datetime(2024, 3, 7, tzinfo=UTC), config=CONFIG)) == 2


def test_outcomes_say_true_false_or_missing(opened: tc.Record) -> None:
    frame = opened.outcomes(["IBM", "MSFT"], horizon=1)
    assert list(frame["state"]) == ["settled", "provisional"]
    assert list(frame["inside_50"]) == [False, True]  # 100 * exp(0.01) and 100 * 104 / 103, between 99 and 101
    assert opened.outcomes(state="pending")["inside_90"].isna().all()


def test_scores_and_skill_are_those_of_the_views(opened: tc.Record) -> None:
    assert list(opened.scores(horizon=1)["crps"]) == [0.003]
    assert list(opened.skill("IBM", mode="backfill")["first_target"]) == [pd.Timestamp(WARM_ORIGIN)]
    assert list(opened.loss_curve()["epoch"]) == [0, 1]
    assert types_of(opened.risk("IBM")) == stated_types(next(view for view in VIEWS if view.name == "risk"))
    assert opened.tickers == ["IBM", "MSFT"]


def test_bars_are_those_of_the_price_file(opened: tc.Record) -> None:
    bars = opened.bars("MSFT", start=SESSIONS[1], end="2024-03-06")
    assert list(bars["close"]) == [101.0, 102.0]
    assert types_of(bars) == {
        "session": "datetime64[us]", "open": "float64", "high": "float64", "low": "float64", "close": "float64",
        "volume": "int64", "dividend": "float64", "split": "float64", "recorded_at": "datetime64[us, UTC]", "source": "str",
    }  # fmt: skip
    assert len(opened.bars("MSFT", known_at="2024-03-01T00:00Z")) == 0
    assert list(opened.bars("MSFT", adjusted=True)["close"]) == [100.0, 101.0, 102.0, 103.0, 104.0]


@pytest.mark.slow
def test_a_query_has_typed_columns_and_takes_parameters(opened: tc.Record) -> None:
    query = (
        "SELECT ticker, max(target) AS last, inside_90, made_at, count(*) AS n FROM outcome WHERE origin = :day AND horizon = 1"
    )
    frame = opened.sql(query, {"day": COLD_ORIGIN})
    assert types_of(frame) == {
        "ticker": "str", "last": "datetime64[us]", "inside_90": "bool", "made_at": "datetime64[us, UTC]", "n": "int64",
    }  # fmt: skip
    assert frame["last"][0] == pd.Timestamp(WARM_ORIGIN)
    assert types_of(opened.sql("SELECT target, q05, inside_90 FROM outcome WHERE 0")) == {
        "target": "datetime64[us]", "q05": "float64", "inside_90": "bool",
    }  # fmt: skip
    assert len(opened.sql("SELECT 1 FROM bar WHERE session = ? AND recorded_at = ?", [SESSIONS[0], at_night(SESSIONS[4])])) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "seconds", "message"),
    [
        ("DELETE FROM forecasts", 10, "only reading is allowed"),
        ("SELECT * FROM outcom", 10, "did you mean outcome"),
        ("SELECT ?", 10, "number of bindings"),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
            0.2,
            "longer than its limit of 0.2 s",
        ),
    ],
)
def test_a_query_that_is_refused_or_too_long_raises(opened: tc.Record, query: str, seconds: float, message: str) -> None:
    with pytest.raises(tc.QueryError, match=message):
        opened.sql(query, seconds=seconds)


@pytest.mark.parametrize(
    ("read", "error", "message"),
    [
        (lambda record: record.forecasts("NOSUCH"), tc.UnknownTicker, "nothing is stored for it"),
        (lambda record: record.bars("NOSUCH"), tc.UnknownTicker, "nothing is stored for it"),
        (lambda record: record.forecasts("a/b"), tc.ArgumentError, "is not a ticker symbol"),
        (lambda record: record.forecasts([]), tc.ArgumentError, "the list is empty"),
        (lambda record: record.forecasts(5), tc.ArgumentError, "give a symbol, or a list"),
        (lambda record: record.bars(["IBM"]), tc.ArgumentError, "give one text; view"),
        (lambda record: record.plot(["IBM"]), tc.ArgumentError, "ticker is a list: give one text$"),
        (lambda record: record.sql(None), tc.ArgumentError, "query is a NoneType"),
        (lambda record: record.view(5), tc.ArgumentError, "name is a int"),
        (lambda record: record.outcomes(horizon=[1, 5]), tc.ArgumentError, "horizon is a list: give one value"),
        (lambda record: record.sql("SELECT ?", [datetime(2024, 1, 2, 9, 30)]), tc.ArgumentError, "needs its time zone"),
        (lambda record: record.outcomes(start="March"), tc.ArgumentError, "is not a date"),
        (lambda record: record.scores(mod="live"), tc.ArgumentError, "did you mean mode"),
        (lambda record: record.view("skil"), tc.ArgumentError, "did you mean skill"),
        (lambda record: record.view("config", "IBM"), tc.ArgumentError, "has no tickers"),
        (lambda record: record.view("run_summary", start="2024-01-02"), tc.ArgumentError, "no origin"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_told_in_one_line(opened: tc.Record, read: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        read(opened)  # type: ignore[operator]
    assert isinstance(raised.value, tc.TickercastError)
    assert "\n" not in str(raised.value)


def test_a_folder_without_a_home_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(tc.HomeError, match="is not a Tickercast home"):
        tc.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_setting_is_told_without_the_secrets_of_its_file(record: Record) -> None:
    secret = "opensesame"
    settings = f'[store]\nurl = "mysql://me:{secret}@localhost/x"\n'
    (record.database.parent / "tickercast.toml").write_text(settings)
    with pytest.raises(tc.TickercastError, match=r"store\.url") as raised:
        tc.open(record.database.parent).forecasts()
    assert secret not in str(raised.value)


def test_damage_is_told_as_such(record: Record) -> None:
    next(record.prices.rglob("*.parquet")).write_bytes(b"PAR1")
    damaged = tc.open(record.database.parent)
    with pytest.raises(tc.DamagedRecord, match="tickercast repair"):
        [damaged.bars(ticker) for ticker in damaged.tickers]
    record.database.write_bytes(b"no database at all, but long enough to be read as one" * 100)
    with pytest.raises(tc.TickercastError):
        damaged.forecasts()


def test_reading_writes_nothing_and_changes_no_setting_of_the_process(record: Record) -> None:
    home = record.database.parent
    (home / "tickercast.toml").write_text("")
    before = contents(home)
    state = (dict(os.environ), signal.getsignal(signal.SIGINT), threading.active_count(), Path.cwd())
    with tc.open(home) as opened:
        opened.forecasts(history=True)
        opened.bars("IBM")
    assert contents(home) == before
    assert (dict(os.environ), signal.getsignal(signal.SIGINT), threading.active_count(), Path.cwd()) == state


def test_a_record_shows_what_is_committed_meanwhile(record: Record) -> None:
    opened = tc.open(record.database.parent)
    assert opened.tickers == ["IBM", "MSFT"]
    record.force("UPDATE tickers SET symbol = 'BIG' WHERE symbol = 'IBM'")
    assert opened.tickers == ["BIG", "MSFT"]


def test_a_writer_in_the_middle_of_its_transaction_stops_no_reader(record: Record) -> None:
    opened = tc.open(record.database.parent)
    with record.writing() as connection:
        add_origins(connection, origin_row(SESSIONS[4], "warm"))
        assert len(opened.forecasts(history=True)) == 4
    assert len(opened.forecasts(history=True)) == 6


def test_the_public_names_are_those_that_can_be_used() -> None:
    assert dir(tc) == sorted(tc.__all__)
    assert {name for name in tc.__all__ if getattr(tc, name) is None} == set()
    with pytest.raises(AttributeError, match="nothing"):
        tc.nothing  # noqa: B018


@pytest.mark.slow
def test_importing_it_loads_no_library_and_says_nothing() -> None:
    program = (
        "import sys, tickercast; print([m for m in ('numpy', 'pandas', 'sqlite3', 'tickercast.record') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], env=clean_environment(), capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_session_of_a_frame_is_a_value_to_look_for(opened: tc.Record) -> None:
    last = opened.forecasts("IBM")["target"].iloc[-1]
    assert isinstance(last, pd.Timestamp)
    assert set(opened.outcomes("IBM", target=last)["target"]) == {last}
    assert set(opened.outcomes("IBM", target=last.to_datetime64())["target"]) == {last}


def test_a_database_is_told_to_be_in_its_home(opened: tc.Record) -> None:
    with pytest.raises(tc.HomeError, match=r"tickercast\.db is a file; give the folder of the home$"):
        tc.open(opened.home / "tickercast.db")


def test_a_date_is_the_day_of_a_datetime(opened: tc.Record) -> None:
    at = pd.Timestamp("2024-03-07 18:30")
    assert list(opened.forecasts("IBM", history=True, start=at)["origin"].dt.date.unique()) == [date(2024, 3, 7)]


def test_an_error_of_the_system_is_told_as_a_public_one(opened: tc.Record, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied", "tickercast.db")

    monkeypatch.setattr(Path, "exists", denied)
    with pytest.raises(tc.Unavailable, match=r"^tickercast\.db: Permission denied$"):
        opened.forecasts()
