"""What scoring writes to the record: scores, those of cold twins, and skill."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from math import log

import numpy as np
import pytest
import scoringrules
from scipy import stats

from tests.scoring_builders import (
    BOTH,
    CONFIG,
    EVERY_CONFIG,
    GROWING,
    LATER,
    NOW,
    OF_ORIGIN,
    OTHER_CONFIG,
    OTHERS_OF_ORIGIN,
    RETURN,
    SCORES,
    SESSIONS,
    add_twins,
    answer,
    bars_of,
    restate,
    revise,
    rolled_back,
    score,
    scoring_engine,
    set_field,
)
from tickercast.jobs.scoring.updates import refresh_skill_and_risk, score_settled, settled_before
from tickercast.storage.bars import make_bars
from tickercast.storage.database import Connection, Engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with scoring_engine() as engine:
        yield engine


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with rolled_back(engine) as connection:
        yield connection


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
    assert answer(connection, f"SELECT origin, horizon FROM {OF_ORIGIN} ORDER BY 1, 2") == scored


def test_a_score_has_the_return_of_the_forecasts_field_and_is_that_of_its_distribution(connection: Connection) -> None:
    score(connection, {1: bars_of(100, 110, 121), 2: bars_of(100, 120, 144)}, 2)
    crps = [scoringrules.crps_t(log(growth), 5.0, 0.02, 0.03) for growth in (1.1, 1.2)]
    baseline = [scoringrules.crps_normal(log(growth), 0.0, 0.05) for growth in (1.1, 1.2)]
    assert answer(connection, f"SELECT ticker_id, realised_return, crps, baseline_crps FROM {OF_ORIGIN} ORDER BY 1") == [
        (1, pytest.approx(log(1.1)), pytest.approx(crps[0]), pytest.approx(baseline[0])),
        (2, pytest.approx(log(1.2)), pytest.approx(crps[1]), pytest.approx(baseline[1])),
    ]


def test_the_open_is_scored_where_it_was_forecast(connection: Connection) -> None:
    bars = make_bars(
        np.array(SESSIONS[:3], dtype="datetime64[D]"), {"open": [1, 2, 3], "high": [9] * 3, "low": [1] * 3, "close": [5, 5, 5]}
    )
    set_field(connection, "open")
    score(connection, {1: bars}, 2)
    assert answer(connection, "SELECT realised_return FROM scores") == [(pytest.approx(log(2)),)]


def test_scoring_again_adds_no_rows(connection: Connection) -> None:
    score(connection, BOTH, 4)
    before = answer(connection, "SELECT * FROM scores")
    score(connection, {1: bars_of(100, 150, 200, 250, 300)}, 4)
    assert answer(connection, "SELECT * FROM scores") == before


def test_only_the_given_tickers_are_scored_under_every_config(connection: Connection) -> None:
    score(connection, {2: GROWING}, 2, EVERY_CONFIG)
    assert answer(connection, f"SELECT ticker_id, config_id FROM {OF_ORIGIN} ORDER BY 2") == [(2, CONFIG), (2, OTHER_CONFIG)]


def test_each_ticker_is_scored_up_to_its_own_newest_bar(connection: Connection) -> None:
    ended = bars_of(100, 110, 121)
    before = {1: settled_before(GROWING, None), 2: settled_before(ended, None)}
    score_settled(connection, {1: GROWING, 2: ended}, {t: day for t, day in before.items() if day})
    query = f"SELECT ticker_id, max(origin), max(horizon), count(*) FROM {OF_ORIGIN} WHERE config_id = 'c' GROUP BY 1 ORDER BY 1"
    assert answer(connection, query) == [(1, "2024-03-08", 2, 9), (2, "2024-03-04", 1, 1)]


@pytest.mark.parametrize(("through", "newest"), [(None, 6), (6, 6), (3, 3), (0, 0)])
def test_targets_are_settled_before_the_newest_bar_that_the_record_may_know(through: int | None, newest: int) -> None:
    last = None if through is None else SESSIONS[through]
    assert settled_before(GROWING, last) == SESSIONS[newest]


def test_a_ticker_without_a_bar_that_the_record_may_know_has_no_settled_target() -> None:
    assert settled_before(GROWING, date(2024, 3, 1)) is None


def test_a_target_without_a_bar_is_scored_once_it_has_one(connection: Connection) -> None:
    paused = GROWING.select(np.array([0, 1, 3, 4, 5, 6]))
    score(connection, {1: paused}, 4)
    assert (1, "2024-03-05", 1, 0) not in answer(connection, SCORES)
    score(connection, {1: GROWING}, 4)
    assert (1, "2024-03-05", 1, 0) in answer(connection, SCORES)


def test_a_twin_is_scored_at_the_realised_return_of_its_forecast(connection: Connection) -> None:
    add_twins(connection, (1, 0, 1), (1, 0, 2), (2, 1, 1))
    score(connection, {1: bars_of(100, 110, 121, 100), 2: bars_of(100, 110, 132, 100)}, 3)
    returns, locations = (log(1.1), log(1.21), log(1.2)), (0.0, 0.0, 0.01)
    expected = [scoringrules.crps_t(r, 6.0, location, 0.04) for r, location in zip(returns, locations, strict=True)]
    query = f"SELECT b.crps FROM {OTHERS_OF_ORIGIN} ORDER BY o.ticker_id, o.origin, b.horizon"
    assert answer(connection, query) == [(pytest.approx(value, abs=1e-12),) for value in expected]


def test_a_twin_stays_unscored_while_its_forecast_is(connection: Connection) -> None:
    add_twins(connection, (1, 0, 1), (1, 1, 1), (1, 3, 1), (2, 0, 1))
    score(connection, {1: GROWING}, 3)
    query = f"SELECT o.ticker_id, o.origin, b.crps IS NULL FROM {OTHERS_OF_ORIGIN} ORDER BY 1, 2"
    assert answer(connection, query) == [
        (1, "2024-03-04", 0), (1, "2024-03-05", 0), (1, "2024-03-07", 1), (2, "2024-03-04", 1),
    ]  # fmt: skip


def test_other_models_and_other_configs_are_not_scored_with_the_twins(connection: Connection) -> None:
    add_twins(connection, (1, 0, 1), name="garch")
    add_twins(connection, (1, 0, 1), config_id=OTHER_CONFIG)
    score(connection, {1: GROWING}, 3)
    assert answer(connection, "SELECT DISTINCT crps FROM baseline_forecasts") == [(None,)]


def test_skill_is_computed_from_first_scores_and_replaces_what_was_stored(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)
    revise(connection, bars_of(100, 120, 121))
    refresh_skill_and_risk(connection, CONFIG, computed_at=NOW)
    score(connection, BOTH, 3)
    refresh_skill_and_risk(connection, CONFIG, computed_at=LATER)
    query = "SELECT ticker_id, horizon, mode, n, mae, computed_at FROM skill_tests WHERE mode = 'live' ORDER BY id"
    one, two, at = pytest.approx(RETURN - 0.02), pytest.approx(2 * RETURN - 0.02), "2024-03-14T23:00:00.000000Z"
    assert answer(connection, query) == [
        (1, 1, "live", 2, one, at), (1, 2, "live", 1, two, at), (2, 1, "live", 2, one, at), (2, 2, "live", 1, two, at),
        (None, 1, "live", 2, one, at), (None, 2, "live", 1, two, at),
    ]  # fmt: skip


def test_the_skill_of_other_configs_stays(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2, (OTHER_CONFIG,))
    refresh_skill_and_risk(connection, OTHER_CONFIG, computed_at=NOW)
    refresh_skill_and_risk(connection, CONFIG, computed_at=LATER)
    assert answer(connection, "SELECT DISTINCT config_id, n FROM skill_tests") == [(OTHER_CONFIG, 1)]


def test_the_risk_of_a_config_is_replaced_with_the_newest_forecasts(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    refresh_skill_and_risk(connection, CONFIG, computed_at=NOW)
    score(connection, BOTH, 3)
    refresh_skill_and_risk(connection, CONFIG, computed_at=LATER)
    refresh_skill_and_risk(connection, OTHER_CONFIG, computed_at=NOW)
    query = "SELECT ticker_id, n, exceedances, origin, target, var_return, computed_at FROM risk_tests"
    risk, at = pytest.approx(0.02 + 0.03 * stats.t.ppf(0.05, 5)), "2024-03-14T23:00:00.000000Z"
    where = f"WHERE config_id = '{CONFIG}' AND mode = 'live' AND horizon = 1 AND level = 0.05 ORDER BY id"
    assert answer(connection, f"{query} {where}") == [
        (1, 2, 0, "2024-03-08", "2024-03-11", risk, at), (2, 2, 0, "2024-03-08", "2024-03-11", risk, at),
        (None, 4, 0, None, None, None, at),
    ]  # fmt: skip
    assert answer(connection, f"SELECT DISTINCT mode, n FROM risk_tests WHERE config_id = '{OTHER_CONFIG}'") == [("*", 0)]
