"""What scoring writes to the record, on a database with the product's tables, triggers and a few rows made by hand.

Closes are 100, 110, 121, ...: each session returns log 1.1. Each origin has forecasts one and two sessions ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scoringrules
import sqlalchemy as sa

from jobs.scoring.updates import refresh_skill, revise_scores, score_settled
from storage import writes
from storage.bars import Bars, make_bars
from storage.database import Connection, Engine, open_writer
from storage.rows import TWIN, BaselineForecastRow, ForecastRow, ModelRow
from storage.schema import TRIGGERS, Base, Config, Restatement, Run, Ticker

SESSIONS = [date(2024, 3, day) for day in (4, 5, 6, 7, 8, 11, 12)]
CONFIG, OTHER_CONFIG = "c", "other"
RETURN = log(1.1)
MADE_AT = datetime(2024, 3, 4, 23, tzinfo=UTC)
NOW = datetime(2024, 3, 13, 23, tzinfo=UTC)
LATER = datetime(2024, 3, 14, 23, tzinfo=UTC)
SCORES = "SELECT ticker_id, origin, horizon, revision FROM scores ORDER BY 1, 2, 3, 4"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Yield the writer's engine of a record in memory: two tickers and two configs, with forecasts from five sessions."""
    engine = open_writer(Path(":memory:"))
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        fill(connection)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that is rolled back after the test."""
    with engine.connect() as connection:
        yield connection
        connection.rollback()


def fill(connection: Connection) -> None:
    for trigger in TRIGGERS.values():
        connection.exec_driver_sql(trigger)
    listing = {"exchange": "XNYS", "currency": "USD", "time_zone": "America/New_York", "source": "folder"}
    rest = {"price_basis": "as_traded", "tracked": 1, "status": "active", "added_at": MADE_AT}
    symbols = [{"id": i, "symbol": name, "key": name} for i, name in ((1, "AAA"), (2, "BBB"))]
    connection.execute(sa.insert(Ticker), [symbol | listing | rest for symbol in symbols])
    config = {"preset": "default", "field": "close", "active": 0, "created_at": MADE_AT}
    connection.execute(sa.insert(Config), [config | {"id": name, "settings": name} for name in (CONFIG, OTHER_CONFIG)])
    counts = {"tickers_ok": 2, "tickers_failed": 0, "forecasts": 0, "fingerprint": "cpu"}
    connection.execute(sa.insert(Run), [counts | {"id": 1, "kind": "run", "status": "done", "started_at": MADE_AT}])
    model = ModelRow(
        "m", 1, CONFIG, SESSIONS[0], "chain", "cold", "first origin", None, None, 0, "m", 1, 1, 7, "1a", "return", 0.1, "2b"
    )
    writes.insert_rows(connection, [model], run_id=1)
    writes.insert_rows(
        connection,
        [forecast(t, c, i, h) for t in (1, 2) for c in (CONFIG, OTHER_CONFIG) for i in range(5) for h in (1, 2)],
        mode="live", made_at=MADE_AT, run_id=1,
    )  # fmt: skip


def forecast(ticker_id: int, config_id: str, origin: int, horizon: int) -> ForecastRow:
    return ForecastRow(
        ticker_id=ticker_id, config_id=config_id, origin=SESSIONS[origin], horizon=horizon, target=SESSIONS[origin + horizon],
        field="close", location=0.02, scale=0.03, dof=5.0, last_price=100.0, q05=95.0, q10=96.0, q25=98.0, q50=102.0, q75=104.0,
        q90=106.0, q95=107.0, baseline_location=0.0, baseline_scale=0.05, baseline_dof=None, known_at=MADE_AT,
        input_sha256="1a", price_basis="as_traded", model_id="m",
    )  # fmt: skip


def bars_of(*close: float) -> Bars:
    """Return bars of the first sessions. Opens are a tenth of the closes."""
    opens = np.array(close) / 10
    days = np.array(SESSIONS[: len(close)], dtype="datetime64[D]")
    return make_bars(days, {"open": opens, "high": close, "low": opens, "close": close})


GROWING = bars_of(*(100 * 1.1**i for i in range(7)))
BOTH = {1: GROWING, 2: GROWING}


def score(connection: Connection, bars: dict[int, Bars], before: int, **changes: Any) -> None:
    """Score what is due before a session."""
    given: dict[str, Any] = {"config_id": CONFIG, "field": "close", "from_origin": None} | changes
    score_settled(connection, bars, before=SESSIONS[before], **given)


def restate(connection: Connection, session: int, at: datetime = NOW, ticker_id: int = 1) -> None:
    """Record that a close was restated at an instant."""
    row = {"ticker_id": ticker_id, "session": SESSIONS[session], "field": "close", "old_value": 1.0, "new_value": 2.0}
    connection.execute(sa.insert(Restatement), [row | {"recorded_at": at}])


def revise(connection: Connection, bars: Bars, at: datetime = NOW, **changes: Any) -> None:
    given: dict[str, Any] = {"config_id": CONFIG, "field": "close"} | changes
    revise_scores(connection, 1, bars, restated_at=at, **given)


def add_twins(connection: Connection, *keys: tuple[int, int, int], name: str = TWIN, config_id: str = CONFIG) -> None:
    """Add unscored twins of forecasts given by ticker, origin and horizon; their location is the number of the origin / 100."""
    rows = [BaselineForecastRow(t, config_id, SESSIONS[o], h, name, o / 100, 0.04, 6.0, None) for t, o, h in keys]
    writes.insert_rows(connection, rows)


def answer(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(query)]


@pytest.mark.parametrize(
    ("before", "scored"),
    [
        (1, []),
        (2, [("2024-03-04", 1)]),
        (3, [("2024-03-04", 1), ("2024-03-04", 2), ("2024-03-05", 1)]),
    ],
)
def test_a_target_is_scored_once_a_later_session_is_known(
    connection: Connection, before: int, scored: list[tuple[str, int]]
) -> None:
    score(connection, {1: GROWING}, before)
    assert answer(connection, "SELECT origin, horizon FROM scores ORDER BY 1, 2") == scored


def test_a_score_has_the_return_of_the_forecasts_field_and_is_that_of_its_distribution(connection: Connection) -> None:
    score(connection, {1: bars_of(100, 110, 121), 2: bars_of(100, 120, 144)}, 2)
    crps = [scoringrules.crps_t(log(growth), 5.0, 0.02, 0.03) for growth in (1.1, 1.2)]
    baseline = [scoringrules.crps_normal(log(growth), 0.0, 0.05) for growth in (1.1, 1.2)]
    assert answer(connection, "SELECT ticker_id, realised_return, crps, baseline_crps FROM scores ORDER BY 1") == [
        (1, pytest.approx(log(1.1)), pytest.approx(crps[0]), pytest.approx(baseline[0])),
        (2, pytest.approx(log(1.2)), pytest.approx(crps[1]), pytest.approx(baseline[1])),
    ]


def test_the_open_is_scored_where_it_was_forecast(connection: Connection) -> None:
    bars = make_bars(
        np.array(SESSIONS[:3], dtype="datetime64[D]"), {"open": [1, 2, 3], "high": [9] * 3, "low": [1] * 3, "close": [5, 5, 5]}
    )
    score(connection, {1: bars}, 2, field="open")
    assert answer(connection, "SELECT realised_return FROM scores") == [(pytest.approx(log(2)),)]


def test_scoring_again_adds_no_rows(connection: Connection) -> None:
    score(connection, BOTH, 4)
    before = answer(connection, "SELECT * FROM scores")
    score(connection, {1: bars_of(100, 150, 200, 250, 300)}, 4)
    assert answer(connection, "SELECT * FROM scores") == before


def test_only_the_given_tickers_and_config_are_scored(connection: Connection) -> None:
    score(connection, {2: GROWING}, 2)
    assert answer(connection, "SELECT ticker_id, config_id FROM scores") == [(2, CONFIG)]


def test_forecasts_from_before_the_first_origin_to_search_are_left_for_later(connection: Connection) -> None:
    score(connection, {1: GROWING}, 4, from_origin=SESSIONS[2])
    assert answer(connection, SCORES) == [(1, "2024-03-06", 1, 0)]


def test_a_twin_is_scored_at_the_realised_return_of_its_forecast(connection: Connection) -> None:
    add_twins(connection, (1, 0, 1), (1, 0, 2), (2, 1, 1))
    score(connection, {1: bars_of(100, 110, 121, 100), 2: bars_of(100, 110, 132, 100)}, 3)
    returns, locations = (log(1.1), log(1.21), log(1.2)), (0.0, 0.0, 0.01)
    expected = [scoringrules.crps_t(r, 6.0, location, 0.04) for r, location in zip(returns, locations, strict=True)]
    query = "SELECT crps FROM baseline_forecasts ORDER BY ticker_id, origin, horizon"
    assert answer(connection, query) == [(pytest.approx(value, abs=1e-12),) for value in expected]


def test_a_twin_stays_unscored_while_its_forecast_is(connection: Connection) -> None:
    add_twins(connection, (1, 0, 1), (1, 1, 1), (1, 3, 1), (2, 0, 1))
    score(connection, {1: GROWING}, 3)
    query = "SELECT ticker_id, origin, crps IS NULL FROM baseline_forecasts ORDER BY 1, 2"
    assert answer(connection, query) == [
        (1, "2024-03-04", 0), (1, "2024-03-05", 0), (1, "2024-03-07", 1), (2, "2024-03-04", 1),
    ]  # fmt: skip


def test_other_models_and_other_configs_are_not_scored_with_the_twins(connection: Connection) -> None:
    add_twins(connection, (1, 0, 1), name="garch")
    add_twins(connection, (1, 0, 1), config_id=OTHER_CONFIG)
    score(connection, {1: GROWING}, 3)
    assert answer(connection, "SELECT DISTINCT crps FROM baseline_forecasts") == [(None,)]


def test_a_restated_target_adds_the_next_revision_and_keeps_the_first(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)
    revise(connection, bars_of(100, 120, 121))
    assert answer(connection, "SELECT revision, realised_return, realised_price FROM scores ORDER BY 1") == [
        (0, pytest.approx(log(1.1)), pytest.approx(110)),
        (1, pytest.approx(log(1.2)), pytest.approx(120)),
    ]
    restate(connection, 1, LATER)
    revise(connection, bars_of(100, 130, 121), LATER)
    assert answer(connection, "SELECT revision, realised_return, realised_price FROM scores ORDER BY 1")[2:] == [
        (2, pytest.approx(log(1.3)), pytest.approx(130)),
    ]


def test_a_restatement_back_to_the_first_value_is_a_revision_too(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)
    revise(connection, bars_of(100, 120, 121))
    restate(connection, 1, LATER)
    revise(connection, GROWING, LATER)
    assert answer(connection, "SELECT revision, realised_return FROM scores ORDER BY 1")[2:] == [(2, pytest.approx(log(1.1)))]


def test_each_score_that_the_restated_session_is_part_of_is_revised(connection: Connection) -> None:
    score(connection, BOTH, 5)
    restate(connection, 2)
    revise(connection, bars_of(100, 110, 120, 133.1, 146.41, 161.051))
    # Session 2 is the target of (0, 2) and (1, 1), and the origin of (2, 1) and (2, 2). It cancels out of (1, 2).
    assert answer(connection, "SELECT ticker_id, origin, horizon, revision FROM scores WHERE revision > 0 ORDER BY 2, 3") == [
        (1, "2024-03-04", 2, 1), (1, "2024-03-05", 1, 1), (1, "2024-03-06", 1, 1), (1, "2024-03-06", 2, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(("change", "revisions"), [(0.0, [0]), (1e-13, [0]), (1e-11, [0, 1]), (-1e-11, [0, 1])])
def test_a_return_that_changes_by_less_than_a_millionth_of_a_millionth_is_the_same(
    connection: Connection, change: float, revisions: list[int]
) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)
    revise(connection, bars_of(100, 110 * (1 + change), 121))
    assert answer(connection, "SELECT revision FROM scores ORDER BY 1") == [(revision,) for revision in revisions]


def test_a_restated_open_does_not_revise_the_score_of_a_close(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)
    opens = {"open": [10, 19, 12], "high": [100, 110, 121], "low": [1, 1, 1], "close": [100, 110, 121]}
    bars = make_bars(np.array(SESSIONS[:3], dtype="datetime64[D]"), opens)
    revise(connection, bars)
    assert len(answer(connection, SCORES)) == 1
    revise(connection, bars, field="open")
    assert len(answer(connection, SCORES)) == 2


@pytest.mark.parametrize(
    ("ticker_id", "at", "session"), [(2, NOW, 1), (1, LATER, 1), (1, NOW, 6)], ids=["ticker", "instant", "session"]
)
def test_another_tickers_another_instants_or_a_later_sessions_restatement_revises_nothing(
    connection: Connection, ticker_id: int, at: datetime, session: int
) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, session, at, ticker_id)
    revise(connection, bars_of(100, 120, 121))
    assert answer(connection, SCORES) == [(1, "2024-03-04", 1, 0)]


def test_a_restatement_revises_the_scores_of_one_config(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    score(connection, {1: GROWING}, 2, config_id=OTHER_CONFIG)
    restate(connection, 1)
    revise(connection, bars_of(100, 120, 121), config_id=OTHER_CONFIG)
    assert answer(connection, "SELECT config_id FROM scores WHERE revision > 0") == [(OTHER_CONFIG,)]


def test_skill_is_computed_from_first_scores_and_replaces_what_was_stored(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)
    revise(connection, bars_of(100, 120, 121))
    refresh_skill(connection, CONFIG, computed_at=NOW)
    score(connection, BOTH, 3)
    refresh_skill(connection, CONFIG, computed_at=LATER)
    query = "SELECT ticker_id, horizon, mode, n, mae, computed_at FROM skill_tests ORDER BY id"
    one, two, at = pytest.approx(RETURN - 0.02), pytest.approx(2 * RETURN - 0.02), "2024-03-14T23:00:00.000000Z"
    assert answer(connection, query) == [
        (1, 1, "live", 2, one, at), (1, 2, "live", 1, two, at), (2, 1, "live", 2, one, at), (2, 2, "live", 1, two, at),
        (None, 1, "live", 2, one, at), (None, 2, "live", 1, two, at),
    ]  # fmt: skip


def test_the_skill_of_other_configs_stays(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2, config_id=OTHER_CONFIG)
    refresh_skill(connection, OTHER_CONFIG, computed_at=NOW)
    refresh_skill(connection, CONFIG, computed_at=LATER)
    assert answer(connection, "SELECT DISTINCT config_id, n FROM skill_tests") == [(OTHER_CONFIG, 1)]
