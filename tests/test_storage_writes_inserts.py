"""Inserts: stored rows stay and are not counted, numbers are finite, and numbers and bytes stand for ids and hashes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.builders import COLD_ORIGIN, CONFIG, IBM, SESSIONS, WARM_ORIGIN, Record, add_origins, model_row, origin_row, other_row
from tickercast.storage import writes
from tickercast.storage.database import Connection
from tickercast.storage.rows import TWIN, LossRow, RecalibrationRow, ScoreRow
from tickercast.storage.schema import Loss, Prior

TABLES = ("models", "losses", "origins", "forecasts", "baseline_forecasts", "recalibrations")
KEY = {"ticker_id": IBM, "config_id": CONFIG, "origin": COLD_ORIGIN, "horizon": 1}


def insert_again(connection: Connection, table: str) -> int:
    """Insert a row that the record has, with another number in it."""
    if table == "models":
        return writes.insert_models(connection, [model_row("warm", WARM_ORIGIN, seed=8)], run_id=1)
    if table == "losses":
        return writes.insert_losses(connection, [LossRow("cold", 0, 9.0, 9.0, 9.0, 9.0)])
    if table in ("origins", "forecasts"):
        return add_origins(connection, origin_row(WARM_ORIGIN, "warm", last_price=9.0, location=0.5))
    if table == "baseline_forecasts":
        return writes.insert_baseline_forecasts(connection, [other_row(COLD_ORIGIN, 1, TWIN, 9.0, location=0.5)])
    return writes.insert_recalibrations(connection, [RecalibrationRow(**KEY, scale_factor=9.0, raw_scale=9.0)])


@pytest.mark.parametrize("table", TABLES)
def test_inserting_a_row_again_adds_none_and_changes_none(record: Record, table: str) -> None:
    before = [record.rows(f"SELECT * FROM {name}") for name in (*TABLES, "digests", "unscored")]
    with record.writing() as connection:
        assert insert_again(connection, table) == 0
    assert [record.rows(f"SELECT * FROM {name}") for name in (*TABLES, "digests", "unscored")] == before


def test_a_score_that_is_stored_already_is_refused(record: Record) -> None:
    rows = [ScoreRow(2, 1, 0, *[0.1] * 5, 1, 1, 1), ScoreRow(1, 1, 0, *[0.1] * 5, 1, 1, 1)]
    with record.writing() as connection:
        with pytest.raises(ValueError, match="scores: 1 of 2 new rows have a key that is stored"):
            writes.insert_scores(connection, rows)
        connection.rollback()
    assert record.rows("SELECT origin_id, crps FROM scores") == [(1, 0.003)]


def test_inserting_returns_how_many_forecasts_are_new(record: Record) -> None:
    with record.writing() as connection:
        assert add_origins(connection, origin_row(WARM_ORIGIN, "warm"), origin_row(SESSIONS[4], "warm")) == 2
        assert add_origins(connection) == 0


def test_of_an_origin_that_is_given_twice_the_first_is_stored(record: Record) -> None:
    rows = [origin_row(SESSIONS[4], "warm", last_price=price) for price in (100.0, 200.0)]
    with record.writing() as connection:
        assert add_origins(connection, *rows) == 2
    assert record.rows("SELECT last_price FROM origins WHERE origin = '2024-03-08'") == [(100.0,)]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), np.float64("nan"), np.float32("-inf")])
def test_a_number_that_is_not_finite_is_refused(record: Record, number: float) -> None:
    with record.writing() as connection:
        with pytest.raises(ValueError, match=r"scale is -?(nan|inf): only finite"):
            add_origins(connection, origin_row(SESSIONS[4], "warm", scale=number))
        connection.rollback()
    with record.writing() as connection, pytest.raises(ValueError, match=r"cutoff is -?(nan|inf): only finite"):
        writes.insert_mappings(connection, Prior, [{"cutoff": number}])
    assert record.rows("SELECT (SELECT count(*) FROM origins), (SELECT count(*) FROM forecasts)") == [(2, 4)]


def test_a_model_names_its_parent_its_prior_and_its_cold_start_by_their_numbers(record: Record) -> None:
    assert record.rows("SELECT id, number, parent_number, prior_number, cold_ancestor_number FROM models ORDER BY 2") == [
        ("prior", 1, None, None, 1), ("cold", 2, None, 1, 2), ("warm", 3, 2, None, 2), ("twin", 4, None, None, 4),
    ]  # fmt: skip


def test_models_of_the_same_inputs_share_the_row_of_their_names(record: Record) -> None:
    with record.writing() as connection:
        for name, features in (("a", "return"), ("b", "return,gap"), ("c", "return,gap")):
            writes.insert_models(connection, [model_row(name, SESSIONS[4], features=features)], run_id=1)
    assert record.rows("SELECT id, names FROM feature_sets") == [(1, "return"), (2, "return,gap")]
    assert record.rows("SELECT id, feature_set_id FROM models WHERE number > 4") == [("a", 1), ("b", 2), ("c", 2)]


def test_hashes_are_stored_as_bytes_and_shown_as_text(record: Record) -> None:
    sha256 = "0123456789abcdef" * 4
    with record.writing() as connection:
        add_origins(connection, origin_row(SESSIONS[4], "warm", input_sha256=sha256))
    assert record.rows("SELECT input_sha256 FROM origins WHERE id = 3") == [(bytes.fromhex(sha256),)]
    assert record.rows("SELECT DISTINCT input_sha256 FROM forecast_history WHERE origin = '2024-03-08'") == [(sha256,)]


def test_numpy_scalars_are_stored_as_numbers(record: Record) -> None:
    row = {"model_number": 3, "epoch": np.int64(3), "train_loss": np.float32(0.5), "gradient_norm": 1.0, "learning_rate": 0.1}
    with record.writing() as connection:
        writes.insert_mappings(connection, Loss, [row])
    assert record.rows("SELECT epoch, train_loss FROM losses WHERE model_number = 3") == [(3, 0.5)]
