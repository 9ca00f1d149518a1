"""Views: their values in a record made by hand. Expected values are counted or computed in the tests."""

from __future__ import annotations

from datetime import date
from math import exp
from typing import Any

import pytest

from tests.builders import (
    COLD_ORIGIN,
    CONFIG,
    IBM,
    SESSIONS,
    WARM_ORIGIN,
    Record,
    add_origins,
    at_night,
    model_row,
    origin_row,
    other_row,
    score_row,
)
from tickercast.storage import writes
from tickercast.storage.rows import TWIN
from tickercast.storage.schema import Score
from tickercast.storage.views import VIEWS


def view(record: Record, name: str, *columns: str) -> list[tuple[Any, ...]]:
    return record.rows(f"SELECT {', '.join(columns)} FROM {name}")


def add_config(record: Record, config_id: str) -> None:
    """Make another config the active one."""
    row = {"id": config_id, "preset": "article", "field": "open", "settings": "{}", "created_at": at_night(SESSIONS[-1])}
    with record.writing() as connection:
        writes.ensure_config(connection, row, active_id=config_id)


def test_every_column_has_a_name_of_its_own_and_a_meaning() -> None:
    assert [view.name for view in VIEWS if len(set(view.names)) < len(view.names)] == []
    assert [(view.name, column.name) for view in VIEWS for column in view.columns if not column.meaning] == []


def test_the_latest_forecasts_are_those_of_the_newest_origin(sound_record: Record) -> None:
    rows = view(sound_record, "latest_forecast", "ticker", "origin", "target", "horizon", "q50", "model_id", "config", "preset")
    assert sorted(rows) == [
        ("IBM", "2024-03-07", "2024-03-08", 1, 100.0, "warm", CONFIG, "density"),
        ("IBM", "2024-03-07", "2024-03-11", 2, 100.0, "warm", CONFIG, "density"),
    ]


def test_the_active_config_comes_first_even_with_an_older_origin(record: Record) -> None:
    add_config(record, "new")
    model = model_row("new-cold", COLD_ORIGIN, config_id="new")
    with record.writing() as connection:
        writes.insert_models(connection, [model], run_id=1)
        add_origins(connection, origin_row(COLD_ORIGIN, "new-cold", horizons=1, config_id="new", field="open"))
    columns = ("ticker", "origin", "config", "preset", "field")
    assert view(record, "latest_forecast", *columns) == [("IBM", "2024-03-06", "new", "article", "open")]


def test_a_ticker_without_forecasts_under_the_active_config_shows_its_newest(record: Record) -> None:
    add_config(record, "new")
    assert set(view(record, "latest_forecast", "ticker", "origin", "config")) == {("IBM", "2024-03-07", CONFIG)}


def test_the_history_has_every_forecast_with_both_distributions(sound_record: Record) -> None:
    columns = ("origin", "horizon", "scale", "dof", "baseline_scale", "baseline_dof", "known_at", "run_id")
    assert sorted(view(sound_record, "forecast_history", *columns)) == [
        ("2024-03-06", 1, 0.01, 5.0, 0.012, None, "2024-03-06T23:00:00.000000Z", 1),
        ("2024-03-06", 2, 0.01, 5.0, 0.012, None, "2024-03-06T23:00:00.000000Z", 1),
        ("2024-03-07", 1, 0.01, 5.0, 0.012, None, "2024-03-07T23:00:00.000000Z", 1),
        ("2024-03-07", 2, 0.01, 5.0, 0.012, None, "2024-03-07T23:00:00.000000Z", 1),
    ]


def test_scored_forecasts_show_the_first_score_only(record: Record) -> None:
    with record.writing() as connection:
        writes.insert_mappings(connection, Score, [score_row(COLD_ORIGIN, 1, revision=1, realised_return=0.5)])
    columns = ("origin", "target", "horizon", "realised_return", "crps", "pit", "inside_50", "inside_90", "revision")
    assert view(record, "scored_forecast", *columns) == [("2024-03-06", "2024-03-07", 1, 0.01, 0.003, 0.84, 0, 1, 0)]


def test_skill_over_all_tickers_has_a_star_for_its_ticker(record: Record) -> None:
    record.force("UPDATE skill_tests SET ticker_id = NULL")
    assert view(record, "skill", "ticker", "n", "crps_skill", "config", "field") == [("*", 1, 0.25, CONFIG, "close")]


def test_risk_has_the_price_at_risk_on_the_scale_of_the_newest_origin(record: Record) -> None:
    columns = ("ticker", "level", "n", "expected", "rate", "target", "last_price", "var_price", "var_percent", "config")
    one, five = (pytest.approx(100 * exp(value)) for value in (-0.03, -0.02))
    assert view(record, "risk", *columns) == [
        ("IBM", 0.01, 1, 0.01, 0.0, "2024-03-08", 100.0, one, pytest.approx(100 * (exp(-0.03) - 1)), CONFIG),
        ("IBM", 0.05, 1, 0.05, 0.0, "2024-03-08", 100.0, five, pytest.approx(100 * (exp(-0.02) - 1)), CONFIG),
    ]


def test_risk_over_all_tickers_has_a_star_and_no_forecast(record: Record) -> None:
    record.force("UPDATE risk_tests SET ticker_id = NULL, n = 0, exceedances = 0, origin = NULL, var_return = NULL")
    assert set(view(record, "risk", "ticker", "rate", "last_price", "var_price")) == {("*", None, None, None)}


# Each decile includes its upper end; the first also includes 0.
@pytest.mark.parametrize(
    ("pit", "decile"), [(0.0, 0), (0.1, 0), (0.1000001, 1), (0.2, 1), (0.3, 2), (0.55, 5), (0.9, 8), (0.91, 9), (1.0, 9)]
)
def test_calibration_counts_a_pit_in_its_decile(record: Record, pit: float, decile: int) -> None:
    record.force("UPDATE scores SET pit = ?", values=(pit,))
    expected = tuple(float(i == decile) for i in range(10))
    assert view(record, "calibration", *(f"pit_{i}" for i in range(10))) == [expected]


def test_calibration_takes_shares_by_horizon_and_month(record: Record) -> None:
    record.force("UPDATE forecasts SET target = '2024-04-02' WHERE origin_id = 2 AND horizon = 2")
    more = [score_row(WARM_ORIGIN, 1, pit=0.05, inside_50=1), score_row(WARM_ORIGIN, 2), score_row(COLD_ORIGIN, 2)]
    with record.writing() as connection:
        writes.insert_mappings(connection, Score, [*more, score_row(COLD_ORIGIN, 1, revision=1, pit=0.5)])
    columns = ("horizon", "month", "n", "coverage_50", "coverage_80", "pit_0", "pit_8")
    assert sorted(view(record, "calibration", *columns)) == [
        (1, "2024-03", 2, 0.5, 1.0, 0.5, 0.5),
        (2, "2024-03", 1, 0.0, 1.0, 0.0, 1.0),
        (2, "2024-04", 1, 0.0, 1.0, 0.0, 1.0),
    ]


def test_warm_starts_are_compared_with_their_twins(record: Record) -> None:
    with record.writing() as connection:
        writes.insert_mappings(connection, Score, [score_row(WARM_ORIGIN, 1, crps=0.005)])
        writes.insert_baseline_forecasts(connection, [other_row(WARM_ORIGIN, 1, TWIN, 0.011)])
    # The forecasts scored 0.003 and 0.005, their twins 0.005 and 0.011; one twin was trained in this record, in 2 seconds.
    [(n, crps, twin_crps, gain, seconds, twin_seconds)] = view(
        record, "warm_start", "n", "crps", "twin_crps", "gain", "seconds", "twin_seconds"
    )
    assert (n, crps, twin_crps, gain) == (2, pytest.approx(0.004), pytest.approx(0.008), pytest.approx(0.5))
    assert (seconds, twin_seconds) == (0.5, 2.0)


def test_other_models_are_compared_on_targets_that_both_have(record: Record) -> None:
    with record.writing() as connection:
        writes.insert_baseline_forecasts(connection, [other_row(WARM_ORIGIN, 1, "garch", 9.0)])
    assert view(record, "baseline_skill", "name", "n", "crps", "other_crps", "ratio") == [
        ("garch", 1, 0.003, 0.004, pytest.approx(0.75))
    ]


def test_the_loss_curve_has_a_row_for_each_epoch(sound_record: Record) -> None:
    columns = ("ticker", "origin", "model_id", "start", "epoch", "train_loss", "validation_loss")
    assert view(sound_record, "loss_curve", *columns) == [
        ("IBM", "2024-03-06", "cold", "cold", 0, 1.5, 1.6),
        ("IBM", "2024-03-06", "cold", "cold", 1, 1.5, 1.6),
    ]


def test_the_lineage_names_the_parent_and_the_cold_start(sound_record: Record) -> None:
    columns = ("model_id", "ticker", "role", "start", "parent_id", "depth", "cold_ancestor_id")
    assert sorted(view(sound_record, "model_lineage", *columns)) == [
        ("cold", "IBM", "chain", "cold", None, 0, "cold"),
        ("prior", None, "prior", "cold", None, 0, "prior"),
        ("twin", "IBM", "twin", "cold", None, 0, "twin"),
        ("warm", "IBM", "chain", "warm", "cold", 1, "cold"),
    ]


def test_the_run_summary_has_the_run_as_stored(sound_record: Record) -> None:
    columns = ("run_id", "kind", "status", "finished_at", "tickers_ok", "forecasts")
    assert view(sound_record, "run_summary", *columns) == [(1, "backfill", "done", None, 1, 4)]


def test_freshness_counts_the_sessions_closed_since_the_last_origin(sound_record: Record) -> None:
    # Friday 8, Monday 11 and Tuesday 12 March 2024 closed after the last origin, Thursday 7.
    columns = ("ticker", "status", "last_bar", "last_origin", "sessions_behind", "tracked", "held_bars")
    assert sorted(view(sound_record, "freshness", *columns)) == [
        ("IBM", "active", "2024-03-08", "2024-03-07", 3, 1, 1),
        ("MSFT", "active", "2024-03-08", None, None, 1, 0),
    ]


def test_freshness_leaves_out_sessions_that_close_later(record: Record) -> None:
    record.force("UPDATE sessions SET close_at = '9999-01-01T00:00:00.000000Z' WHERE session = '2024-03-12'")
    assert ("IBM", 2) in view(record, "freshness", "ticker", "sessions_behind")


def test_a_restatement_affects_the_forecasts_made_before_it_from_its_session_on(record: Record) -> None:
    new = "INSERT INTO restatements (ticker_id, session, field, old_value, new_value, recorded_at) VALUES "
    record.force(new + "(1, '2024-03-06', 'low', 1, 2, '2024-03-13T23:00:00.000000Z')")  # before both origins
    record.force(new + "(1, '2024-03-08', 'low', 1, 2, '2024-03-13T23:00:00.000000Z')")  # after both
    record.force(new + "(1, '2024-03-06', 'high', 1, 2, '2024-03-12T23:00:00.000000Z')")  # when the forecasts were made
    assert sorted(view(record, "restatement", "session", "field", "forecasts_affected")) == [
        ("2024-03-06", "high", 0),
        ("2024-03-06", "low", 4),
        ("2024-03-07", "close", 2),
        ("2024-03-08", "low", 0),
    ]


def test_the_gate_view_shows_the_values_of_a_quarantined_bar(sound_record: Record) -> None:
    columns = ("ticker", "session", "code", "state", "open", "close", "volume", "decided_at")
    assert view(sound_record, "gate", *columns) == [("IBM", "2024-03-04", "jump", "held", None, 150.0, 9, None)]


def test_the_price_file_view_shows_the_current_files_only(record: Record) -> None:
    record.force("UPDATE price_files SET superseded_at = recorded_at WHERE ticker_id = 2")
    columns = ("ticker", "rows", "first_session", "last_session", "price_basis")
    assert view(record, "price_file", *columns) == [("IBM", 5, "2024-03-04", "2024-03-08", "as_traded")]


def test_views_show_the_current_symbol_of_a_renamed_ticker(record: Record) -> None:
    with record.writing() as connection:
        writes.rename_ticker(connection, IBM, "IBMX", on=date(2024, 3, 11))
    with_ticker = [view.name for view in VIEWS if "ticker" in view.names]
    symbols = {symbol for name in with_ticker for (symbol,) in view(record, name, "ticker")}
    assert symbols == {"IBMX", "MSFT", None}  # a prior has no ticker
