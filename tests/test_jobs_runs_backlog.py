"""The backlog: which sessions are due, and how tickers and sessions are cut into units of work."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from tickercast.jobs.runs.backlog import (
    TickerBacklog,
    backfill_due_sessions,
    bars_of_block,
    daily_due_sessions,
    plan_stacks,
    split_into_blocks,
)
from tickercast.jobs.workspace.config import PRESETS
from tickercast.storage.bars import Bars, make_bars

FIRST = date(2024, 1, 1)
DENSITY = replace(PRESETS["density"], window=100)  # needs max(130, 100 + 30) bars
ARTICLE = PRESETS["article"]


def day(number: int) -> date:
    """Return a day by its number, the first one being 0. Every day is a session here."""
    return FIRST + timedelta(days=number)


def bars(count: int) -> Bars:
    price = np.full(count, 100.0)
    return make_bars(
        np.datetime64(FIRST) + np.arange(count),
        {"open": price, "high": price, "low": price, "close": price, "volume": np.ones(count)},
    )


def ticker(
    key: str, due: tuple[int, ...] = (), committed: tuple[int, ...] = (), exchange: str = "XNYS", ticker_id: int = 1
) -> TickerBacklog:
    return TickerBacklog(
        ticker_id, key, key, exchange, "as_traded", bars(1), tuple(map(day, due)), frozenset(map(day, committed))
    )


def numbers(days: list[date] | tuple[date, ...]) -> list[int]:
    return [(d - FIRST).days for d in days]


@pytest.mark.parametrize(
    ("count", "committed", "expected"),
    [
        (10, (), [9]),  # a new ticker: the newest session alone
        (10, (7,), [8, 9]),
        (10, (5, 7), [8, 9]),  # a hole before the newest committed session stays a hole
        (10, (9,), []),
        (3, (), [2]),  # just enough bars
        (2, (), []),  # one bar too few
        (10, (0,), [2, 3, 4, 5, 6, 7, 8, 9]),  # sessions with too few bars before them are never due
    ],
)
def test_a_daily_run_owes_what_closed_after_the_newest_forecast(
    count: int, committed: tuple[int, ...], expected: list[int]
) -> None:
    assert numbers(daily_due_sessions(bars(count), set(map(day, committed)), 3)) == expected


@pytest.mark.parametrize(
    ("count", "start", "end", "expected"),
    [
        (133, None, None, [129, 130, 131, 132]),
        (133, 130, 131, [130, 131]),  # both ends are included
        (133, 100, 130, [129, 130]),  # the first origin has 130 bars, itself included
        (133, 132, 140, [132]),
        (129, None, None, []),
        (133, 133, None, []),
    ],
)
def test_a_backfill_owes_the_sessions_of_its_span_that_have_bars_enough(
    count: int, start: int | None, end: int | None, expected: list[int]
) -> None:
    first, last = (None if n is None else day(n) for n in (start, end))
    assert numbers(backfill_due_sessions(bars(count), first, last, DENSITY)) == expected


def test_a_backfill_owes_at_most_the_newest_sessions_up_to_its_end() -> None:
    assert numbers(backfill_due_sessions(bars(140), None, day(135), DENSITY, 3)) == [133, 134, 135]
    assert numbers(backfill_due_sessions(bars(131), None, None, DENSITY, 3)) == [129, 130]


@pytest.mark.parametrize(
    ("count", "start", "end", "first"),
    [
        (300, None, None, 239),  # 80 % of 300 bars are trained on: the last of them is the first origin
        (301, None, None, 240),  # 240.8 bars count as 241
        (300, None, 199, 159),  # 80 % of the 200 bars up to the end
        (140, None, None, 129),  # never fewer bars than a forecast needs
        (300, 150, None, 150),  # a start of the user's own
    ],
)
def test_without_a_start_the_article_begins_at_the_end_of_its_training_part(
    count: int, start: int | None, end: int | None, first: int
) -> None:
    days = backfill_due_sessions(bars(count), None if start is None else day(start), None if end is None else day(end), ARTICLE)
    assert numbers(days)[0] == first
    assert numbers(days)[-1] == (count - 1 if end is None else end)


@pytest.mark.parametrize(
    ("tickers", "size", "workers", "expected"),
    [
        (10, 128, 1, [10]),
        (128, 128, 1, [128]),
        (129, 128, 1, [65, 64]),  # even stacks, not 128 and 1
        (15, 128, 2, [15]),  # 15 // 8 = 1: too few for a second worker
        (16, 128, 2, [8, 8]),
        (100, 128, 4, [25, 25, 25, 25]),
        (16, 4, 1, [4, 4, 4, 4]),
    ],
)
def test_stacks_are_even_no_larger_than_allowed_and_keep_the_workers_busy(
    tickers: int, size: int, workers: int, expected: list[int]
) -> None:
    plans = plan_stacks([ticker(f"T{i:03}", (0,)) for i in range(tickers)], size, workers)
    assert [len(plan.tickers) for plan in plans] == expected


def test_a_stack_has_one_exchange_and_its_tickers_in_the_order_of_their_keys() -> None:
    plans = plan_stacks([ticker("C", (0,)), ticker("B.L", (0,), exchange="XLON"), ticker("A", (0,))], 128, 1)
    assert [(plan.exchange, [t.key for t in plan.tickers]) for plan in plans] == [("XLON", ["B.L"]), ("XNYS", ["A", "C"])]


def test_the_blocks_of_a_stack_are_the_due_sessions_of_its_own_tickers() -> None:
    plans = plan_stacks([ticker("A", (0, 1)), ticker("B.L", (2,), exchange="XLON")], 128, 1)
    assert [[numbers(block) for block in plan.blocks] for plan in plans] == [[[2]], [[0, 1]]]
    assert [numbers(plan.sessions) for plan in plans] == [[2], [0, 1]]


def test_stacks_do_not_depend_on_the_order_of_the_tickers() -> None:
    tickers = [ticker(f"T{i}", (0, 1)) for i in range(20)]
    assert plan_stacks(tickers, 8, 2) == plan_stacks(tickers[::-1], 8, 2)


@pytest.mark.parametrize(
    ("backlogs", "expected"),
    [
        ([()], []),
        ([(0, 1, 2)], [[0, 1, 2]]),
        ([tuple(range(21))], [list(range(21))]),
        ([tuple(range(22))], [list(range(21)), [21]]),
        ([(0, 2), (1,)], [[0, 1, 2]]),  # the sessions of all tickers together
        ([(0, 9)], [[0, 9]]),  # days without sessions between do not end a block
    ],
)
def test_blocks_hold_at_most_21_due_sessions(backlogs: list[tuple[int, ...]], expected: list[list[int]]) -> None:
    blocks = split_into_blocks([ticker(f"T{i}", due) for i, due in enumerate(backlogs)])
    assert [numbers(block) for block in blocks] == expected


@pytest.mark.parametrize(
    ("due", "committed", "expected"),
    [
        ((0, 2), (1,), [[0], [2]]),  # session 2 continues from the stored session 1
        ((0, 2), (0,), [[0], [2]]),  # another ticker has session 0: its chain continues there
        ((0, 2), (2,), [[0, 2]]),  # stored at the due session itself: nothing to continue from before it
        ((0, 2), (5,), [[0, 2]]),
        ((0, 1, 4, 5), (2, 3), [[0, 1], [4, 5]]),
    ],
)
def test_a_block_ends_where_stored_forecasts_lie_before_the_next_session(
    due: tuple[int, ...], committed: tuple[int, ...], expected: list[list[int]]
) -> None:
    blocks = split_into_blocks([ticker("A", due), ticker("B", (), committed)])
    assert [numbers(block) for block in blocks] == expected


@pytest.mark.parametrize(
    ("history_sessions", "expected"),
    [
        (4, list(range(6, 13))),  # the parent of session 10 served session 9 and read sessions 6 to 9
        (20, list(range(13))),  # the history is longer than what is stored
        (0, list(range(13))),  # all bars (preset article)
    ],
)
def test_a_block_reads_what_its_first_parent_read_up_to_its_last_origin(history_sessions: int, expected: list[int]) -> None:
    config = replace(ARTICLE, history_sessions=history_sessions)
    chosen = bars_of_block(bars(20), day(10), day(12), config)
    assert numbers(chosen.session.tolist()) == expected
