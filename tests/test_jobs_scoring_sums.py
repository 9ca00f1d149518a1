"""Running sums of scores: parts give the bytes of the whole, skill from them is that of all scores, and they heal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.scoring_builders import (
    BOTH,
    CONFIG,
    GROWING,
    NOW,
    OTHER_CONFIG,
    answer,
    rolled_back,
    score,
    scoring_engine,
)
from tickercast.jobs.scoring.date_sums import DateSums, date_sums_of, stored_date_sums
from tickercast.jobs.scoring.exceedance_counts import counts_of_date
from tickercast.jobs.scoring.risk import risk_rows
from tickercast.jobs.scoring.significance import diebold_mariano
from tickercast.jobs.scoring.skill import skill_rows
from tickercast.jobs.scoring.sums import complete_sums, wrong_sums
from tickercast.jobs.scoring.terms import SUMMED
from tickercast.jobs.scoring.ticker_sums import TickerSums, advanced, stored_ticker_sums, ticker_sums_of
from tickercast.jobs.scoring.updates import refresh_skill_and_risk
from tickercast.storage import queries
from tickercast.storage.database import Connection, Engine
from tickercast.storage.queries import ScoreColumns

TICKERS, DAYS, HORIZONS = 3, 130, 3
FIRST = np.datetime64("2024-01-01")
SUMS = "SELECT * FROM score_sums ORDER BY 1, 2, 3, 4"
DATES = "SELECT * FROM date_sums ORDER BY 1, 2, 3, 4"
SKILL = "SELECT ticker_id, horizon, mode, n, crps, dm_statistic FROM skill_tests ORDER BY id"


def random_scores() -> ScoreColumns:
    """Return the scores of each ticker, day and horizon, in an order of chance; the first days are backfilled."""
    rng = np.random.default_rng(3)
    ticker, day, horizon = (index.ravel() for index in np.indices((TICKERS, DAYS, HORIZONS)))
    n = len(ticker)
    chance = {name: rng.normal(0, 0.02, n) for name in ("location", "realised_return")}
    losses = {name: rng.gamma(2, 0.01, n) for name in ("abs_error", "baseline_abs_error", "crps", "baseline_crps", "scale")}
    inside = {f"inside_{level}": rng.integers(0, 2, n) for level in (50, 80, 90)}
    columns: dict[str, Any] = chance | losses | inside | {
        "ticker_id": ticker + 1, "horizon": horizon + 1, "mode": np.where(day < 40, b"backfill", b"live"),
        "origin": FIRST + day, "target": FIRST + day + horizon + 1, "dof": rng.uniform(3, 9, n), "pit": rng.uniform(0, 0.4, n),
    }  # fmt: skip
    return ScoreColumns(**columns).select(rng.permutation(n))


SCORES = random_scores()


def bytes_of(sums: dict[int, TickerSums]) -> list[Any]:
    return sorted(row for stored in sums.values() for row in stored.rows())


def in_parts(is_first: Callable[[ScoreColumns], Any]) -> tuple[dict[int, TickerSums], DateSums]:
    """Return the sums of some scores and then of the others, stored and read in between."""
    chosen = is_first(SCORES)
    early, late = SCORES.select(np.flatnonzero(chosen)), SCORES.select(np.flatnonzero(~chosen))
    stored = stored_ticker_sums(bytes_of(ticker_sums_of(early)))
    return advanced(stored, late), stored_date_sums(date_sums_of(early).rows()).added(date_sums_of(late))


@pytest.mark.parametrize("days", [1, 2, 3, 39, 40, 41, DAYS - 1])
def test_scores_that_come_later_give_the_bytes_of_scores_that_come_at_once(days: int) -> None:
    tickers, dates = in_parts(lambda scores: scores.origin < FIRST + days)
    assert bytes_of(tickers) == bytes_of(ticker_sums_of(SCORES))
    assert dates.rows() == date_sums_of(SCORES).rows()


def test_a_ticker_that_comes_later_changes_no_byte() -> None:
    tickers, dates = in_parts(lambda scores: scores.ticker_id != 2)
    assert bytes_of(tickers) == bytes_of(ticker_sums_of(SCORES))
    assert dates.rows() == date_sums_of(SCORES).rows()


@pytest.mark.parametrize("horizon", [1, 2, 3])
def test_a_ticker_is_tested_on_the_differences_of_all_its_scores(horizon: int) -> None:
    own = SCORES.select(np.flatnonzero((SCORES.ticker_id == 2) & (SCORES.horizon == horizon)))
    own = own.select(np.argsort(own.target))
    tickers, dates = in_parts(lambda scores: scores.origin < FIRST + 77)
    [row] = [row for row in skill_rows(tickers, dates) if (row.ticker_id, row.horizon, row.mode) == (2, horizon, "*")]
    expected = diebold_mariano(own.crps, own.baseline_crps, horizon)
    assert (row.dm_statistic, row.p_value) == pytest.approx(expected, rel=1e-12)
    assert (row.mae, row.crps) == pytest.approx((own.abs_error.mean(), own.crps.mean()), rel=1e-12)
    assert (row.n, row.coverage_80) == (DAYS, pytest.approx(own.inside_80.mean(), rel=1e-12))


def test_all_tickers_are_tested_on_the_means_of_all_dates() -> None:
    own = SCORES.select(np.flatnonzero(SCORES.horizon == 2))
    own = own.select(np.lexsort([own.ticker_id, own.target]))
    ours, baseline = (losses.reshape(DAYS, TICKERS).mean(axis=1) for losses in (own.crps, own.baseline_crps))
    rows = [row for row in skill_rows(*in_parts(lambda scores: scores.ticker_id == 3)) if row.ticker_id is None]
    [row] = [row for row in rows if (row.horizon, row.mode) == (2, "*")]
    assert (row.dm_statistic, row.p_value) == pytest.approx(diebold_mariano(ours, baseline, 2), rel=1e-12)
    assert (row.n, row.crps, row.mae) == (DAYS, pytest.approx(ours.mean(), rel=1e-12), pytest.approx(own.abs_error.mean()))


def test_risk_in_parts_is_the_risk_at_once() -> None:
    at_once = risk_rows(ticker_sums_of(SCORES), date_sums_of(SCORES), [])
    assert risk_rows(*in_parts(lambda scores: scores.origin < FIRST + 50), []) == at_once
    assert any(row.conditional_p is not None for row in at_once)


def test_exceedances_of_a_date_are_read_from_its_sums() -> None:
    row = next(row for row in date_sums_of(SCORES).rows() if row.horizon == 1 and row.target == "2024-02-05")
    pit = SCORES.pit[(SCORES.horizon == 1) & (SCORES.target == np.datetime64("2024-02-05"))]
    assert counts_of_date(row.sums) == [len(pit), (pit < 0.01).sum(), (pit < 0.05).sum()]


def test_figures_too_large_for_a_sum_do_not_turn_it_negative() -> None:
    same = SCORES.select(np.flatnonzero((SCORES.horizon == 1) & (SCORES.target == FIRST + 2)))
    same = replace(same, crps=np.full(len(same.crps), 1e30))
    assert (len(same.crps), (date_sums_of(same).figures()[:, SUMMED.index("crps")] > 0).all()) == (TICKERS, True)


def test_differences_that_hardly_vary_are_tested_as_exactly_as_others() -> None:
    own = SCORES.select(np.flatnonzero((SCORES.ticker_id == 1) & (SCORES.horizon == 3)))
    own = replace(own, crps=1000 + own.crps)
    own = own.select(np.argsort(own.target))
    [row] = [row for row in skill_rows(ticker_sums_of(own), date_sums_of(own)) if row.ticker_id == 1 and row.mode == "*"]
    assert row.dm_statistic == pytest.approx(diebold_mariano(own.crps, own.baseline_crps, 3)[0], rel=1e-9)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with scoring_engine() as engine:
        yield engine


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with rolled_back(engine) as connection:
        yield connection


def sums_of_scores(connection: Connection) -> tuple[list[Any], list[Any]]:
    """Return the sums of all stored scores of a config, as they are stored."""
    scores = queries.scored_forecasts(connection, CONFIG, (1, 2))
    return bytes_of(ticker_sums_of(scores)), date_sums_of(scores).rows()


def stored_sums(connection: Connection) -> tuple[list[Any], list[Any]]:
    return queries.score_sums(connection, CONFIG, (1, 2)), queries.date_sums(connection, CONFIG)


def test_sums_are_committed_with_their_scores(connection: Connection) -> None:
    score(connection, {1: GROWING}, 3)
    assert stored_sums(connection) == sums_of_scores(connection)
    score(connection, BOTH, 6)
    assert stored_sums(connection) == sums_of_scores(connection)
    assert len(stored_sums(connection)[0]) == 8  # two tickers, two horizons, mode live and all modes


def test_scores_of_earlier_targets_are_summed_anew_for_their_ticker_alone(connection: Connection) -> None:
    paused = GROWING.select(np.array([0, 1, 3, 4, 5, 6]))
    score(connection, {1: paused, 2: GROWING}, 6)
    score(connection, {1: GROWING}, 6)
    assert queries.unsummed_tickers(connection, CONFIG) == {1}
    assert [row for row in stored_sums(connection)[0] if row.ticker_id == 2] == [
        row for row in sums_of_scores(connection)[0] if row.ticker_id == 2
    ]
    assert list(wrong_sums(connection, CONFIG)) == []
    complete_sums(connection, CONFIG)
    assert stored_sums(connection) == sums_of_scores(connection)
    assert queries.unsummed_tickers(connection, CONFIG) == set()


def test_an_unsummed_ticker_is_not_advanced_before_it_is_summed_anew(connection: Connection) -> None:
    paused = GROWING.select(np.array([0, 1, 3, 4, 5, 6]))
    score(connection, {1: paused}, 4)
    score(connection, {1: GROWING}, 4)
    score(connection, BOTH, 6)
    complete_sums(connection, CONFIG)
    assert stored_sums(connection) == sums_of_scores(connection)


def test_the_sums_of_a_record_of_an_earlier_version_are_computed_from_its_scores(connection: Connection) -> None:
    score(connection, {1: GROWING}, 4)
    for table in ("score_sums", "date_sums"):
        connection.exec_driver_sql(f"DELETE FROM {table}")
    connection.exec_driver_sql(f"INSERT INTO unsummed VALUES ('{CONFIG}', 0)")
    score(connection, BOTH, 6)
    assert stored_sums(connection) == ([], [])
    refresh_skill_and_risk(connection, CONFIG, computed_at=NOW)
    assert stored_sums(connection) == sums_of_scores(connection)
    assert queries.unsummed_tickers(connection, CONFIG) == set()


def test_a_config_whose_scores_are_not_in_its_skill_is_known(connection: Connection) -> None:
    score(connection, {1: GROWING}, 3)
    assert queries.configs_behind(connection) == [CONFIG]
    refresh_skill_and_risk(connection, CONFIG, computed_at=NOW)
    assert queries.configs_behind(connection) == []
    score(connection, {1: GROWING}, 4)
    assert queries.configs_behind(connection) == [CONFIG]
    connection.exec_driver_sql(f"INSERT INTO unsummed VALUES ('{OTHER_CONFIG}', 0)")
    assert queries.configs_behind(connection) == [CONFIG, OTHER_CONFIG]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE score_sums SET n = n + 1 WHERE ticker_id = 2 AND horizon = 1 AND mode = '*'", "ticker 2"),
        ("DELETE FROM score_sums WHERE ticker_id = 1 AND horizon = 2", "ticker 1"),
        ("DELETE FROM score_sums WHERE ticker_id = 1", "ticker 1"),
        ("UPDATE score_sums SET sums = (SELECT sums FROM score_sums ORDER BY ticker_id LIMIT 1) WHERE ticker_id = 2", "ticker 2"),
        ("DELETE FROM date_sums WHERE target = '2024-03-07'", "by date"),
        ("UPDATE date_sums SET sums = zeroblob(length(sums)) WHERE target = '2024-03-07'", "by date"),
    ],
)
def test_sums_that_are_not_those_of_the_scores_are_found(connection: Connection, damage: str, told: str) -> None:
    score(connection, {1: GROWING, 2: GROWING.select(np.arange(5))}, 6)
    assert list(wrong_sums(connection, CONFIG)) == []
    connection.exec_driver_sql(damage)
    [line] = wrong_sums(connection, CONFIG)
    assert told in line


def test_one_flipped_bit_of_a_sum_is_found(connection: Connection) -> None:
    score(connection, BOTH, 6)
    [row] = answer(connection, "SELECT sums FROM score_sums WHERE ticker_id = 1 AND horizon = 2 AND mode = 'live'")
    content = bytearray(row[0])
    content[8 * 4] ^= 1  # the lowest bit of the sum of CRPS
    connection.exec_driver_sql("UPDATE score_sums SET sums = ? WHERE ticker_id = 1 AND horizon = 2", (bytes(content),))
    assert len(list(wrong_sums(connection, CONFIG))) == 1
