"""Rows that cannot be stored as bars: each limit from both sides, duplicates, and what becomes of a refused row's actions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tickercast.storage.bars import PRICE_FIELDS, Bars, Refusal, make_bars, refuse_bad_rows

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2024, 3, day) for day in (4, 5, 6, 7))
WEEK = np.array([MONDAY, TUESDAY, WEDNESDAY, THURSDAY], dtype="datetime64[D]")
TWICE = "session given twice with different values"


def week(**changes: dict[int, float]) -> Bars:
    """Return four bars at 10000 with some values changed: by field name, then by position."""
    columns = {name: np.full(4, 10_000.0) for name in ("open", "high", "low", "close")}
    columns |= {"volume": np.full(4, 9.0), "dividend": np.zeros(4), "split": np.ones(4)}
    for name, values in changes.items():
        for position, value in values.items():
            columns[name][position] = value
    return make_bars(WEEK, columns)


def refused(bars: Bars) -> list[tuple[date, str, str]]:
    return [(row.session, row.code, row.reason) for row in refuse_bad_rows(bars)[1]]


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"close": np.nan}, "null price", "close is null or not finite"),
        ({"open": np.inf}, "null price", "open is null or not finite"),
        ({"low": 0.0}, "bad price", "low is zero or negative"),
        ({"open": -1.0}, "bad price", "open is zero or negative"),
        ({"high": 1.001e12}, "bad price", "high is beyond 1e+12"),
        ({"high": 9_999.5}, "incoherent", "high is below low"),
        ({"close": 10_001.1}, "incoherent", "close is outside of low to high"),
        ({"open": 9_998.9}, "incoherent", "open is outside of low to high"),
        ({"volume": -1}, "bad volume", "volume is negative"),
        ({"dividend": -0.01}, "bad action", "dividend is negative or absurd"),
        ({"dividend": 1.001e12}, "bad action", "dividend is negative or absurd"),
        ({"dividend": np.nan}, "bad action", "dividend is negative or absurd"),
        ({"split": 0.0}, "bad action", "split is not positive or absurd"),
        ({"split": 0.99e-5}, "bad action", "split is not positive or absurd"),
        ({"split": 1.01e5}, "bad action", "split is not positive or absurd"),
        ({"split": np.nan}, "bad action", "split is not positive or absurd"),
        ({"close": np.nan, "volume": -1}, "null price", "close is null or not finite"),  # the first reason found is given
    ],
)
def test_a_value_beyond_a_limit_is_refused_with_its_code_and_reason(changes: dict[str, float], code: str, reason: str) -> None:
    bars = week(**{name: {1: value} for name, value in changes.items()})
    assert refused(bars) == [(TUESDAY, code, reason)]
    assert refuse_bad_rows(bars)[0].session.tolist() == [MONDAY, WEDNESDAY, THURSDAY]


@pytest.mark.parametrize(
    "changes",
    [
        {"open": 1e12, "high": 1e12, "low": 1e12, "close": 1e12},
        {"close": 10_001.0},  # 1e-4 above the high counts as the high
        {"close": 9_999.0},
        {"volume": 0},
        {"volume": 1},
        {"dividend": 1e12},
        {"split": 1e-5},
        {"split": 1e5},
    ],
)
def test_a_value_at_a_limit_is_stored(changes: dict[str, float]) -> None:
    kept, rows = refuse_bad_rows(week(**{name: {1: value} for name, value in changes.items()}))
    assert (len(kept), rows) == (4, ())


def test_rows_of_one_session_are_refused_in_the_order_in_which_they_are_given() -> None:
    price = np.tile([np.nan, 0.0, 1.0], 40)
    columns = dict.fromkeys(PRICE_FIELDS, price) | {"volume": np.where(price == 1.0, -1.0, 9.0)}
    rows = refuse_bad_rows(make_bars(np.full(120, "2024-03-04", dtype="datetime64[D]"), columns))[1]
    assert [row.code for row in rows] == ["null price", "bad price", "bad volume"] * 40


def test_of_two_equal_rows_one_is_stored_and_nothing_is_reported() -> None:
    kept, rows = refuse_bad_rows(week().select(np.array([0, 1, 2, 2, 3, 3, 3])))
    assert (kept.session.tolist(), rows) == (WEEK.tolist(), ())


@pytest.mark.parametrize("position", [0, 2, 3])
def test_rows_of_one_session_that_differ_are_all_refused(position: int) -> None:
    twice = week().select(np.sort([0, 1, 2, 3, position]))
    bars = replace(twice, volume=np.array([1, 2, 3, 4, 5]))
    day = WEEK[position].item()
    assert refuse_bad_rows(bars)[1] == (Refusal(day, "duplicate", TWICE), Refusal(day, "duplicate", TWICE))
    assert refuse_bad_rows(bars)[0].session.tolist() == [d for d in WEEK.tolist() if d != day]


def test_a_session_given_three_times_is_refused_when_only_the_last_row_differs() -> None:
    bars = replace(week().select(np.array([0, 1, 1, 1])), volume=np.array([9, 9, 9, 8]))
    assert refused(bars) == [(TUESDAY, "duplicate", TWICE)] * 3


@pytest.mark.parametrize("damage", [{"close": np.nan}, {"low": 0.0}, {"close": 20_000.0}, {"volume": -1}])
def test_the_actions_of_a_row_refused_for_its_price_or_volume_move_to_the_next_bar(damage: dict[str, float]) -> None:
    actions = {"split": {1: 2.0, 2: 3.0}, "dividend": {1: 0.5, 2: 0.25}}
    kept, _ = refuse_bad_rows(week(**{name: {1: value} for name, value in damage.items()}, **actions))
    assert kept.session.tolist() == [MONDAY, WEDNESDAY, THURSDAY]
    assert (kept.split.tolist(), kept.dividend.tolist()) == ([1.0, 6.0, 1.0], [0.0, 0.75, 0.0])


def test_the_actions_of_two_refused_rows_move_to_the_next_bar_together() -> None:
    bars = week(close={1: np.nan, 2: np.nan}, split={1: 2.0, 2: 5.0}, dividend={1: 0.5, 2: 1.5})
    kept, _ = refuse_bad_rows(bars)
    assert (kept.split.tolist(), kept.dividend.tolist()) == ([1.0, 10.0], [0.0, 2.0])


@pytest.mark.parametrize("actions", [{"split": 0.0, "dividend": 1.0}, {"split": 2.0, "dividend": -1.0}])
def test_actions_that_are_impossible_themselves_do_not_move(actions: dict[str, float]) -> None:
    kept, _ = refuse_bad_rows(week(close={1: np.nan}, **{name: {1: value} for name, value in actions.items()}))
    assert (kept.split.tolist(), kept.dividend.tolist()) == ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0])


def test_the_split_of_a_row_refused_for_its_dividend_is_lost() -> None:
    kept, _ = refuse_bad_rows(week(split={1: 2.0}, dividend={1: -1.0}))
    assert kept.split.tolist() == [1.0, 1.0, 1.0]


def test_the_actions_of_the_last_row_wait_for_no_bar() -> None:
    kept, _ = refuse_bad_rows(week(close={3: np.nan}, split={3: 2.0}, dividend={3: 1.0}))
    assert (kept.split.tolist(), kept.dividend.tolist()) == ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
