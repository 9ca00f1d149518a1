"""Queries: each returns the rows that its name says, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, date, datetime

import numpy as np
import pytest
import sqlalchemy as sa

from tests.builders import (
    COLD_ORIGIN,
    CONFIG,
    IBM,
    MSFT,
    SESSIONS,
    WARM_ORIGIN,
    Record,
    add_origins,
    at_night,
    bar_file,
    empty_record,
    origin_row,
    other_row,
    score_row,
)
from tickercast.storage import queries, writes
from tickercast.storage.errors import Corrupt
from tickercast.storage.rows import TWIN, RecalibrationRow
from tickercast.storage.schema import Origin, Score
from tickercast.storage.writes.tickers import rescore


def keys(rows: Sequence[queries.ScorableForecast]) -> list[tuple[date, int]]:
    return sorted((row.origin, row.horizon) for row in rows)


def test_tickers_are_listed_by_symbol_and_found_by_their_current_one(record: Record) -> None:
    record.force("UPDATE tickers SET symbol = 'ZZZ', tracked = 0 WHERE id = 1")
    with record.reading() as connection:
        listed = queries.list_tickers(connection)
        found = queries.ticker_by_symbol(connection, "ZZZ")
        missing = queries.ticker_by_symbol(connection, "IBM")
    assert [(t.id, t.symbol, t.key) for t in listed] == [(MSFT, "MSFT", "MSFT"), (IBM, "ZZZ", "IBM")]
    assert [t.tracked is True for t in listed] == [True, False]
    assert (found, missing) == (listed[1], None)


def test_the_current_file_is_the_one_that_is_not_superseded(record: Record) -> None:
    file = bar_file(record.prices, "IBM", 2)
    with record.writing() as connection:
        writes.record_price_file(connection, IBM, file, [], price_basis="as_traded", at=at_night(SESSIONS[-1]))
    with record.reading() as connection:
        assert queries.current_file(connection, IBM) == queries.CurrentFile(file.path, file.sha256, date(2024, 3, 5))
        assert queries.current_file(connection, 99) is None


@pytest.mark.parametrize(("superseded", "kept"), [(0, {4}), (1, {3, 4}), (2, {2, 3, 4}), (9, {5, 2, 3, 4})])
def test_the_needed_files_are_the_current_one_and_the_newest_before_it(record: Record, superseded: int, kept: set[int]) -> None:
    first = {5: record.rows("SELECT path FROM price_files WHERE ticker_id = 1")[0][0]}
    others = {row[0] for row in record.rows("SELECT path FROM price_files WHERE ticker_id = 2")}
    paths = first | {bars: bar_file(record.prices, "IBM", bars).path for bars in (2, 3, 4)}
    with record.writing() as connection:
        for bars in (2, 3, 4):
            file = bar_file(record.prices, "IBM", bars)
            writes.record_price_file(connection, IBM, file, [], price_basis="as_traded", at=at_night(SESSIONS[-1]))
    with record.reading() as connection:
        assert queries.needed_files(connection, superseded) - others == {paths[bars] for bars in kept}


def test_the_current_file_is_needed_even_when_it_was_not_recorded_last(record: Record) -> None:
    [(current,), (other,)] = record.rows("SELECT path FROM price_files ORDER BY ticker_id")
    record.force(
        "INSERT INTO price_files (ticker_id, path, rows, first_session, last_session, price_basis, sha256, recorded_at, "
        "superseded_at) SELECT 1, 'later', rows, first_session, last_session, price_basis, sha256, recorded_at, recorded_at "
        "FROM price_files WHERE ticker_id = 1"
    )
    with record.reading() as connection:
        assert queries.needed_files(connection, 0) - {other} == {current}


def test_verdicts_are_those_of_one_ticker_and_state_by_session_and_code(record: Record) -> None:
    found = [(SESSIONS[2], "gap", "held"), (SESSIONS[0], "another", "held"), (SESSIONS[1], "jump", "ok")]
    rows = [{"session": day, "code": code, "state": state, "message": "found"} for day, code, state in found]
    with record.writing() as connection:
        writes.record_verdicts(connection, IBM, rows, at=at_night(SESSIONS[-1]))
    with record.reading() as connection:
        held = queries.verdicts(connection, IBM, "held")
        assert [(v["session"], v["code"]) for v in held] == [
            (SESSIONS[0], "another"),
            (SESSIONS[0], "jump"),
            (SESSIONS[2], "gap"),
        ]
        assert (queries.verdicts(connection, MSFT, "held"), held[1]["close"]) == ([], 150.0)
        found = queries.all_verdicts(connection, [IBM, MSFT])
        assert [row["session"] for row in found[IBM]] == [SESSIONS[0], *SESSIONS[:3]]
        assert MSFT not in found


def test_scores_are_owed_a_revision_from_the_first_bar_that_changed(record: Record) -> None:
    with record.writing() as connection:
        for day in (SESSIONS[3], SESSIONS[1], SESSIONS[2]):
            rescore(connection, IBM, day)
        assert queries.rescore_from(connection, IBM) == SESSIONS[1]
        assert queries.rescore_from(connection, MSFT) is None
        writes.update_ticker(connection, IBM, rescore_from=None)
        assert queries.rescore_from(connection, IBM) is None


def test_committed_origins_are_those_of_one_ticker_and_config(sound_record: Record) -> None:
    with sound_record.reading() as connection:
        assert queries.committed_origins(connection, IBM, CONFIG) == {COLD_ORIGIN, WARM_ORIGIN}
        assert queries.committed_origins(connection, IBM, "another") == set()
        assert queries.committed_origins(connection, MSFT, CONFIG) == set()
        assert queries.last_origins(connection, CONFIG) == {IBM: WARM_ORIGIN}
        assert queries.last_origins(connection, "another") == {}


def test_known_at_is_the_instant_stored_with_the_forecasts(sound_record: Record) -> None:
    with sound_record.reading() as connection:
        assert queries.known_at(connection, IBM, CONFIG, WARM_ORIGIN) == datetime(2024, 3, 7, 23, tzinfo=UTC)
        assert queries.known_at(connection, IBM, CONFIG, SESSIONS[0]) is None


def test_densities_are_those_of_one_horizon_by_origin(sound_record: Record) -> None:
    with sound_record.reading() as connection:
        assert queries.forecast_densities(connection, IBM, CONFIG, 2) == [
            (COLD_ORIGIN, 0.0, 0.01, 5.0, "recorded"),
            (WARM_ORIGIN, 0.0, 0.01, 5.0, "recorded"),
        ]
        assert queries.forecast_densities(connection, IBM, CONFIG, 3) == []


def test_past_publications_cover_as_many_origins_as_there_are_horizons(record: Record) -> None:
    friday = SESSIONS[4]
    factors = [(WARM_ORIGIN, 1, 1.5), (WARM_ORIGIN, 2, 2.0), (friday, 1, 3.0), (friday, 2, 4.0)]
    rows = [RecalibrationRow(IBM, CONFIG, o, h, factor, 0.01) for o, h, factor in factors]
    with record.writing() as connection:
        add_origins(connection, origin_row(friday, "warm", dof=None))
        writes.insert_recalibrations(connection, rows)
    with record.reading() as connection:
        assert queries.past_publications(connection, IBM, CONFIG, friday) == [
            (WARM_ORIGIN, 1, 0.0, 0.01, 5.0, 1.5),
            (WARM_ORIGIN, 2, 0.0, 0.01, 5.0, 2.0),
            (friday, 1, 0.0, 0.01, None, 3.0),
            (friday, 2, 0.0, 0.01, None, 4.0),
        ]
        # Of Wednesday's two forecasts one was recalibrated.
        earlier = queries.past_publications(connection, IBM, CONFIG, WARM_ORIGIN)
        assert [row[:2] for row in earlier] == [(COLD_ORIGIN, 1), (WARM_ORIGIN, 1), (WARM_ORIGIN, 2)]


def test_the_serving_model_comes_with_its_checkpoint_while_that_is_kept(record: Record) -> None:
    with record.reading() as connection:
        assert queries.serving_model(connection, IBM, CONFIG, WARM_ORIGIN) == queries.ServingModel(
            "warm", 1, "cold", "1a", "warm", None, b"params of warm"
        )
        assert queries.serving_model(connection, IBM, CONFIG, SESSIONS[0]) is None
    record.force("DELETE FROM checkpoints")
    with record.reading() as connection:
        model = queries.serving_model(connection, IBM, CONFIG, WARM_ORIGIN)
    assert model is not None
    assert (model.model_id, model.content) == ("warm", None)


def test_a_checkpoint_with_other_bytes_is_not_given_out(record: Record) -> None:
    record.force("UPDATE checkpoints SET content = zeroblob(9) WHERE model_id = 'warm'")
    with record.reading() as connection, pytest.raises(Corrupt, match="checkpoint of model warm: its bytes are not what was"):
        queries.checkpoint_content(connection, "warm")


@pytest.mark.parametrize(("column", "wanted"), [("origin", "a date"), ("made_at", "an instant")])
def test_a_stored_value_of_another_form_is_damage(record: Record, column: str, wanted: str) -> None:
    record.force(f"UPDATE origins SET {column} = 'GOOGL' WHERE id = 1")
    with record.reading() as connection, pytest.raises(Corrupt, match=f"'GOOGL' where {wanted} should be"):
        connection.execute(sa.select(getattr(Origin, column))).all()


def test_unscored_forecasts_have_a_target_before_the_tickers_session_and_no_score(sound_record: Record) -> None:
    with sound_record.reading() as connection:
        monday, tuesday = SESSIONS[5], SESSIONS[6]
        due = queries.unscored_forecasts(connection, {IBM: tuesday, MSFT: tuesday})
        earlier = queries.unscored_forecasts(connection, {IBM: monday, MSFT: tuesday})
        others = queries.unscored_forecasts(connection, {MSFT: tuesday})
    assert keys(due) == [(COLD_ORIGIN, 2), (WARM_ORIGIN, 1), (WARM_ORIGIN, 2)]
    assert keys(earlier) == [(COLD_ORIGIN, 2), (WARM_ORIGIN, 1)]
    assert others == []
    assert due[0] == (1, IBM, CONFIG, COLD_ORIGIN, 2, SESSIONS[4], "close", 0.0, 0.01, 5.0, 100.0, 0.0, 0.012, None, "backfill")


def test_the_newest_score_of_each_forecast_with_a_target_from_a_session_on_is_returned(record: Record) -> None:
    scores = [score_row(COLD_ORIGIN, 1, revision=1, realised_return=0.02), score_row(WARM_ORIGIN, 2)]
    with record.writing() as connection:
        writes.insert_mappings(connection, Score, scores)
    with record.reading() as connection:
        found = [queries.newest_scores(connection, IBM, SESSIONS[i]) for i in (2, 3, 4, 6)]
    assert [keys([row.forecast for row in rows]) for rows in found] == [
        [(COLD_ORIGIN, 1), (WARM_ORIGIN, 2)],
        [(COLD_ORIGIN, 1), (WARM_ORIGIN, 2)],
        [(WARM_ORIGIN, 2)],
        [],
    ]
    assert [(row.revision, row.realised_return) for row in found[1][:1]] == [(1, 0.02)]


def test_unscored_twins_are_twins_of_the_origins_given(record: Record) -> None:
    with record.writing() as connection:
        rows = [
            other_row(WARM_ORIGIN, 1, TWIN, None),
            other_row(WARM_ORIGIN, 2, TWIN, 0.1),
            other_row(COLD_ORIGIN, 2, TWIN, None),
        ]
        writes.insert_baseline_forecasts(connection, [*rows, other_row(WARM_ORIGIN, 1, "garch", None)])
    with record.reading() as connection:
        both = queries.unscored_twins(connection, CONFIG, COLD_ORIGIN, WARM_ORIGIN)
        last = queries.unscored_twins(connection, CONFIG, WARM_ORIGIN, WARM_ORIGIN)
        none = queries.unscored_twins(connection, "another", COLD_ORIGIN, WARM_ORIGIN)
    assert (both, last, none) == ({(1, 2): rows[2], (2, 1): rows[0]}, {(2, 1): rows[0]}, {})


def test_crps_against_twins_is_the_mean_one_session_ahead_of_first_scores(record: Record) -> None:
    with record.writing() as connection:
        writes.insert_mappings(connection, Score, [score_row(WARM_ORIGIN, 1, crps=0.005), score_row(WARM_ORIGIN, 2, crps=9.0)])
        writes.insert_mappings(connection, Score, [score_row(WARM_ORIGIN, 1, crps=7.0, revision=1)])
        twins = [other_row(WARM_ORIGIN, 1, TWIN, 0.009), other_row(WARM_ORIGIN, 2, TWIN, 8.0)]
        writes.insert_baseline_forecasts(connection, twins)
    with record.reading() as connection:
        # ours: 0.003 and 0.005; the twins: 0.005 and 0.009
        assert queries.crps_against_twins(connection, CONFIG) == pytest.approx((0.004, 0.007))
        assert queries.crps_against_twins(connection, "another") is None


def test_scored_forecasts_are_columns_of_revision_0(record: Record) -> None:
    with record.writing() as connection:
        rows = [score_row(COLD_ORIGIN, 1, revision=1, crps=7.0), score_row(WARM_ORIGIN, 2, crps=0.005, inside_50=1)]
        writes.insert_mappings(connection, Score, rows)
    with record.reading() as connection:
        columns = queries.scored_forecasts(connection, CONFIG, (IBM, MSFT))
    order = np.argsort(columns.target)
    assert columns.target[order].tolist() == [date(2024, 3, 7), date(2024, 3, 11)]
    assert columns.crps[order].tolist() == [0.003, 0.005]
    assert columns.inside_50[order].tolist() == [0, 1]
    assert columns.mode.tolist() == [b"backfill", b"backfill"]
    assert [columns.ticker_id.dtype, columns.crps.dtype, columns.target.dtype] == [np.int32, np.float64, np.dtype("M8[D]")]


def test_scored_forecasts_of_an_empty_record_are_empty_columns(sound_record: Record) -> None:
    with sound_record.reading() as connection:
        columns = queries.scored_forecasts(connection, "another", (IBM, MSFT))
    assert {len(getattr(columns, field.name)) for field in fields(columns)} == {0}
    assert (columns.crps.dtype, columns.mode.dtype) == (np.float64, np.dtype("S8"))


def test_a_record_longer_than_one_part_is_read_whole(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickercast.storage.queries.scores.ROWS_AT_ONCE", 1)
    with record.writing() as connection:
        writes.insert_mappings(connection, Score, [score_row(COLD_ORIGIN, 2, crps=0.25), score_row(WARM_ORIGIN, 2, crps=0.5)])
    with record.reading() as connection:
        assert sorted(queries.scored_forecasts(connection, CONFIG, (IBM, MSFT)).crps.tolist()) == [0.003, 0.25, 0.5]


def test_the_runs_since_an_instant_are_daily_ones(record: Record) -> None:
    with record.writing() as connection:
        for day, kind in ((13, "run"), (14, "daemon"), (15, "backfill")):
            run_id = writes.start_run(connection, kind=kind, at=at_night(date(2024, 3, day)), config_id=CONFIG, fingerprint="cpu")
            writes.update_run(connection, run_id, status="partial")
    with record.reading() as connection:
        since = [attempt.started_at for attempt in queries.attempts_since(connection, at_night(date(2024, 3, 13)))]
        assert since == [at_night(date(2024, 3, 13)), at_night(date(2024, 3, 14))]
        assert queries.last_run_started(connection) == at_night(date(2024, 3, 15))


def test_a_record_without_runs_has_no_last_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    with empty_record(tmp_path_factory.mktemp("empty")).reading() as connection:
        assert queries.last_run_started(connection) is None


def test_a_view_is_read_of_some_tickers_in_order(sound_record: Record) -> None:
    with sound_record.reading() as connection:
        history = queries.read_view(connection, "forecast_history", ["IBM"])
        files = queries.read_view(connection, "price_file")
        none = queries.read_view(connection, "forecast_history", ["MSFT"])
    assert history.columns[:4] == ("ticker", "origin", "target", "horizon")
    assert [row[1::2][:2] for row in history.rows] == [
        ("2024-03-06", 1),
        ("2024-03-06", 2),
        ("2024-03-07", 1),
        ("2024-03-07", 2),
    ]
    assert ([row[0] for row in files.rows], none.rows) == (["IBM", "MSFT"], [])
