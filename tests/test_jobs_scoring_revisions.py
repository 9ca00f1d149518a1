"""Restated targets add revisions of their scores; what is owed is read from the record."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np
import pytest

from tests.scoring_builders import (
    BOTH,
    CONFIG,
    EVERY_CONFIG,
    GROWING,
    OF_ORIGIN,
    OTHER_CONFIG,
    SCORES,
    SESSIONS,
    answer,
    bars_of,
    restate,
    revise,
    rolled_back,
    score,
    scoring_engine,
    set_field,
)
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


def test_a_restated_target_adds_the_next_revision_and_keeps_the_first(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)
    revise(connection, bars_of(100, 120, 121))
    assert answer(connection, "SELECT revision, realised_return, realised_price FROM scores ORDER BY 1") == [
        (0, pytest.approx(log(1.1)), pytest.approx(110)),
        (1, pytest.approx(log(1.2)), pytest.approx(120)),
    ]
    restate(connection, 1)
    revise(connection, bars_of(100, 130, 121))
    assert answer(connection, "SELECT revision, realised_return, realised_price FROM scores ORDER BY 1")[2:] == [
        (2, pytest.approx(log(1.3)), pytest.approx(130)),
    ]


def test_a_restatement_back_to_the_first_value_is_a_revision_too(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)
    revise(connection, bars_of(100, 120, 121))
    restate(connection, 1)
    revise(connection, GROWING)
    assert answer(connection, "SELECT revision, realised_return FROM scores ORDER BY 1")[2:] == [(2, pytest.approx(log(1.1)))]


def test_each_score_that_the_restated_session_is_part_of_is_revised(connection: Connection) -> None:
    score(connection, BOTH, 5)
    restate(connection, 2)
    revise(connection, bars_of(100, 110, 120, 133.1, 146.41, 161.051))
    # Session 2 is the target of (0, 2) and (1, 1), and the origin of (2, 1) and (2, 2). It cancels out of (1, 2).
    query = f"SELECT ticker_id, origin, horizon, revision FROM {OF_ORIGIN} WHERE revision > 0 ORDER BY 2, 3"
    assert answer(connection, query) == [
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


@pytest.mark.parametrize(("field", "revisions"), [("close", 1), ("open", 2)])
def test_a_restated_open_revises_the_score_of_an_open_alone(connection: Connection, field: str, revisions: int) -> None:
    set_field(connection, field)
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)
    opens = {"open": [10, 19, 12], "high": [100, 110, 121], "low": [1, 1, 1], "close": [100, 110, 121]}
    bars = make_bars(np.array(SESSIONS[:3], dtype="datetime64[D]"), opens)
    revise(connection, bars)
    assert len(answer(connection, SCORES)) == revisions


@pytest.mark.parametrize(("ticker_id", "session"), [(2, 1), (1, 6)], ids=["ticker", "session"])
def test_another_tickers_or_a_later_sessions_restatement_revises_nothing(
    connection: Connection, ticker_id: int, session: int
) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, session, ticker_id=ticker_id)
    revise(connection, bars_of(100, 120, 121))
    assert [revision for *_, revision in answer(connection, SCORES)] == [0]


def test_a_restatement_revises_the_scores_under_every_config(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2, EVERY_CONFIG)
    restate(connection, 1)
    revise(connection, bars_of(100, 120, 121))
    assert answer(connection, f"SELECT config_id FROM {OF_ORIGIN} WHERE revision > 0 ORDER BY 1") == [(CONFIG,), (OTHER_CONFIG,)]


def test_a_revision_that_a_killed_run_left_out_is_written_by_a_later_one(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)  # and the run that stored it was killed before it scored
    restate(connection, 4)
    revise(connection, bars_of(100, 120, 121, 133.1, 150))
    assert (1, "2024-03-04", 1, 1) in answer(connection, SCORES)


def test_a_restatement_is_followed_once(connection: Connection) -> None:
    score(connection, {1: GROWING}, 2)
    restate(connection, 1)
    revise(connection, bars_of(100, 120, 121))
    revise(connection, bars_of(100, 130, 121))  # without a restatement that says so
    assert {revision for *_, revision in answer(connection, SCORES)} == {0, 1}
