"""The views of outcomes, bars, events, configs and priors, on a record made by hand. Expected values are counted by hand.

The record: closes 100 to 104 on Monday to Friday, 4 to 8 March 2024; origins on Wednesday and Thursday with two horizons each.
"""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from datetime import date
from typing import Any

import numpy as np
import pytest

from tests.builders import COLD_ORIGIN, CONFIG, IBM, SESSIONS, Record, at_night, score_row
from tickercast.storage import writes
from tickercast.storage.bars import Listing, make_bars
from tickercast.storage.schema import Score


def view(record: Record, name: str, *columns: str) -> list[tuple[Any, ...]]:
    return record.rows(f"SELECT {', '.join(columns)} FROM {name}")


def test_an_outcome_is_settled_once_scored_provisional_once_its_bar_is_stored_and_pending_before(sound_record: Record) -> None:
    assert sorted(view(sound_record, "outcome", "origin", "horizon", "target", "state")) == [
        ("2024-03-06", 1, "2024-03-07", "settled"),
        ("2024-03-06", 2, "2024-03-08", "provisional"),
        ("2024-03-07", 1, "2024-03-08", "provisional"),
        ("2024-03-07", 2, "2024-03-11", "pending"),
    ]


def test_a_provisional_outcome_is_the_return_of_the_stored_bars(sound_record: Record) -> None:
    columns = ("origin", "horizon", "realised_return", "realised_price")
    rows = {(origin, h): outcome for origin, h, *outcome in view(sound_record, "outcome", *columns)}
    assert rows["2024-03-06", 2] == [pytest.approx(math.log(104 / 102)), pytest.approx(100 * 104 / 102)]
    assert rows["2024-03-07", 1] == [pytest.approx(math.log(104 / 103)), pytest.approx(100 * 104 / 103)]
    assert rows["2024-03-07", 2] == [None, None]


def test_a_settled_outcome_is_that_of_its_score(sound_record: Record) -> None:
    columns = ("realised_return", "realised_price", "crps", "baseline_crps", "pit")
    assert record_of(sound_record, columns, "state = 'settled'") == [
        (0.01, pytest.approx(100 * math.exp(0.01)), 0.003, 0.004, 0.84)
    ]


def test_a_provisional_outcome_of_opens_uses_the_returns_of_opens(record: Record) -> None:
    record.force("UPDATE origins SET field = 'open'", "UPDATE bars SET adjusted_open_return = 0.25, adjusted_return = 9")
    rows = record_of(record, ("realised_return",), "origin = '2024-03-06' AND horizon = 2")
    assert rows == [(0.5,)]


def test_a_pending_outcome_is_inside_no_interval_and_outside_none(sound_record: Record) -> None:
    assert record_of(sound_record, ("inside_50", "inside_80", "inside_90"), "state = 'pending'") == [(None, None, None)]


@pytest.mark.parametrize(("level", "low", "high"), [(50, "q25", "q75"), (80, "q10", "q90"), (90, "q05", "q95")])
def test_an_outcome_is_inside_an_interval_of_its_own_quantiles(record: Record, level: int, low: str, high: str) -> None:
    [(price,)] = record_of(record, ("realised_price",), "origin = '2024-03-07' AND horizon = 1")
    record.force(f"UPDATE forecasts SET {low} = {price - 0.01}, {high} = {price + 0.01}")
    assert record_of(record, (f"inside_{level}",), "origin = '2024-03-07' AND horizon = 1") == [(1,)]
    record.force(f"UPDATE forecasts SET {high} = {price - 0.005}")
    assert record_of(record, (f"inside_{level}",), "origin = '2024-03-07' AND horizon = 1") == [(0,)]


def test_a_revision_of_a_score_does_not_change_the_outcome(record: Record) -> None:
    with record.writing() as connection:
        writes.insert_mappings(connection, Score, [score_row(COLD_ORIGIN, 1, revision=1, realised_return=0.5)])
    assert record_of(record, ("realised_return",), "state = 'settled'") == [(0.01,)]


def test_the_newest_bar_of_a_ticker_is_not_settled(sound_record: Record) -> None:
    rows = [row for row in view(sound_record, "bar", "ticker", "session", "close", "settled") if row[0] == "IBM"]
    assert rows == [("IBM", str(day), 100.0 + i, int(i < 4)) for i, day in enumerate(SESSIONS[:5])]


def test_the_first_bar_has_no_return_and_the_others_that_of_the_close(sound_record: Record) -> None:
    returns = record_of(sound_record, ("adjusted_return",), "ticker = 'IBM' ORDER BY session", name="bar")
    assert [value for (value,) in returns] == [None, *(pytest.approx(math.log((101 + i) / (100 + i))) for i in range(4))]


def test_a_restated_bar_replaces_its_row_and_no_other(record: Record) -> None:
    close = np.array([100.0, 101, 102, 110, 104])
    values = {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": np.full(5, 9)}
    bars = make_bars(np.array(SESSIONS[:5], dtype="datetime64[D]"), values).recorded(at_night(SESSIONS[4]), "folder")
    with record.writing() as connection:
        changed = writes.copy_bars(connection, IBM, bars)
        again = writes.copy_bars(connection, IBM, bars)
    assert record_of(record, ("close",), "ticker = 'IBM' AND session = '2024-03-07'", name="bar") == [(110.0,)]
    assert (changed, again) == (2, 0)  # the restated bar, and the next one's return
    assert record.rows("SELECT rescore_from FROM tickers ORDER BY id") == [("2024-03-07",), (None,)]


def test_a_bar_that_comes_late_owes_the_scores_a_revision_from_the_next_bars_return_on(record: Record) -> None:
    close = np.array([100.0, 101, 102, 103, 104])
    values = {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": np.full(5, 9)}
    bars = make_bars(np.array(SESSIONS[:5], dtype="datetime64[D]"), values).recorded(at_night(SESSIONS[4]), "folder")
    with record.writing() as connection:
        writes.copy_bars(connection, IBM, bars.select(np.array([0, 1, 3, 4])))
        writes.update_ticker(connection, IBM, rescore_from=None)
        writes.copy_bars(connection, IBM, bars)
    assert record.rows("SELECT rescore_from FROM tickers ORDER BY id") == [("2024-03-07",), (None,)]


def test_an_event_names_its_ticker_and_its_run(sound_record: Record) -> None:
    assert view(sound_record, "event", "ticker", "kind", "session", "message", "run_id") == [
        ("IBM", "gap", "2024-03-04", "a gap", 1)
    ]


def test_a_config_shows_its_settings(sound_record: Record) -> None:
    assert view(sound_record, "config", "id", "settings", "active") == [(CONFIG, "{}", 1)]


def test_a_prior_names_its_members(record: Record) -> None:
    record.force("INSERT INTO prior_members SELECT model_id, 'AAA', bars, last_session, input_sha256 FROM prior_members")
    columns = ("model_id", "kind", "cutoff", "members", "member_count")
    assert view(record, "prior", *columns) == [("prior", "universe", "2024-03-06", "AAA,MSFT", 2)]
    assert view(record, "prior_member", "model_id", "member", "bars") == [("prior", "AAA", 2), ("prior", "MSFT", 2)]


def test_a_run_shows_its_seconds(record: Record) -> None:
    record.force("UPDATE runs SET started_at = '2024-03-12T23:00:00.000000Z', finished_at = '2024-03-12T23:00:02.500000Z'")
    assert view(record, "run_summary", "seconds", "config") == [(2.5, CONFIG)]
    assert view(record, "run_ticker", "run_id", "ticker", "status", "origins") == [(1, "IBM", "ok", 2)]


def test_a_stored_forecast_cannot_be_replaced_by_any_client(record: Record) -> None:
    tables = {"origins": "last_price", "forecasts": "q50", "scores": "crps"}
    before = [record.rows(f"SELECT * FROM {table}") for table in tables]
    with closing(sqlite3.connect(record.database)) as connection:
        for table, column in tables.items():
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(f"{name} + 1" if name == column else name for name in names)
            connection.execute(f"INSERT OR REPLACE INTO {table} SELECT {values} FROM {table}")
            connection.execute(f"REPLACE INTO {table} SELECT {values} FROM {table}")
        connection.commit()
    assert [record.rows(f"SELECT * FROM {table}") for table in tables] == before


def test_a_stored_origin_cannot_be_replaced_by_one_of_another_number(record: Record) -> None:
    before = record.rows("SELECT * FROM origins")
    with closing(sqlite3.connect(record.database)) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(origins)")][1:]
        connection.execute(f"INSERT OR REPLACE INTO origins ({', '.join(names)}) SELECT {', '.join(names)} FROM origins")
        connection.commit()
    assert record.rows("SELECT * FROM origins") == before


def test_a_question_by_target_uses_an_index(sound_record: Record) -> None:
    plan = sound_record.rows("EXPLAIN QUERY PLAN SELECT * FROM scored_forecast WHERE target = '2024-03-07'")
    assert any("ix_forecasts_target" in row[-1] for row in plan)


def test_a_new_ticker_with_a_used_symbol_has_a_key_of_its_own(record: Record) -> None:
    listing = Listing("IBM", "USD", "XNYS", "America/New_York", "as_traded")
    with record.writing() as connection:
        writes.rename_ticker(connection, IBM, "OLD", on=date(2024, 3, 9))
        writes.add_ticker(connection, "IBM", listing, source="folder", tracked=True, at=at_night(SESSIONS[4]))
        writes.rename_ticker(connection, 3, "OLDER", on=date(2024, 3, 9))
        writes.add_ticker(connection, "IBM", listing, source="folder", tracked=True, at=at_night(SESSIONS[4]))
    keys = record.rows("SELECT symbol, key FROM tickers ORDER BY id")
    with record.writing() as connection:
        connection.exec_driver_sql("DELETE FROM symbols WHERE ticker_id = 3")
        connection.exec_driver_sql("DELETE FROM tickers WHERE id = 3")
        writes.rename_ticker(connection, 4, "OLDEST", on=date(2024, 3, 9))
        writes.add_ticker(connection, "IBM", listing, source="folder", tracked=True, at=at_night(SESSIONS[4]))
    assert record.rows("SELECT key FROM tickers WHERE symbol = 'IBM'") == [("IBM#4",)]
    assert keys == [("OLD", "IBM"), ("MSFT", "MSFT"), ("OLDER", "IBM#2"), ("IBM", "IBM#3")]


def record_of(record: Record, columns: tuple[str, ...], where: str, *, name: str = "outcome") -> list[tuple[Any, ...]]:
    """Return some columns of the rows of a view that meet a condition."""
    return record.rows(f"SELECT {', '.join(columns)} FROM {name} WHERE {where}")
