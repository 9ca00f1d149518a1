"""The sums behind skill and risk: the same bytes whichever runs made them, and whole after a run that died."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from tests.price_homes import FAST
from tickercast.jobs.analysis.recompute import wrong_figures
from tickercast.jobs.runs import record
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import Home
from tickercast.storage.database import Engine, open_writer

pytestmark = pytest.mark.slow

SPAN = (date(2012, 10, 1), date(2012, 11, 16))
MIDDLE, NEXT = date(2012, 10, 24), date(2012, 10, 25)
SUMS = "SELECT ticker_id, horizon, mode, n, sums FROM score_sums ORDER BY ticker_id, horizon, mode"
DATES = "SELECT horizon, mode, target, sums FROM date_sums ORDER BY horizon, mode, target"
SKILL = "SELECT * FROM skill_tests ORDER BY ticker_id, horizon, mode"
MakeHome = Callable[[str, str], Home]


@pytest.fixture
def new_record(make_home: MakeHome) -> Iterator[Callable[[str], tuple[Home, Engine]]]:
    """Return a function (name) that makes a home with its writer's engine."""
    engines = []

    def make(name: str) -> tuple[Home, Engine]:
        home = make_home(name, FAST)
        engines.append(open_writer(home.database))
        return home, engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


def backfill(made: tuple[Home, Engine], start: date, end: date, *tickers: str) -> None:
    request = BackfillRequest(tickers or ("AAPL", "IBM"), start, end, source="sample", workers=1)
    backfill_span(*made, request)


def rows_of(made: tuple[Home, Engine], query: str) -> list[Any]:
    with made[1].connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def wrong_in(made: tuple[Home, Engine]) -> list[str]:
    with made[1].connect() as connection:
        return list(wrong_figures(connection))


def test_earlier_sessions_that_are_backfilled_later_are_in_the_sums(new_record: Callable[[str], tuple[Home, Engine]]) -> None:
    at_once, backwards = new_record("at once"), new_record("backwards")
    backfill(at_once, *SPAN)
    backfill(backwards, NEXT, SPAN[1], "AAPL")
    backfill(backwards, NEXT, SPAN[1], "IBM")
    backfill(backwards, SPAN[0], MIDDLE)
    # The later part began with a cold start of its own, so forecasts differ, but not how many there are.
    assert [row[:4] for row in rows_of(backwards, SUMS)] == [row[:4] for row in rows_of(at_once, SUMS)]
    assert rows_of(backwards, "SELECT * FROM unsummed") == []
    assert wrong_in(backwards) == wrong_in(at_once) == []


def test_a_run_that_died_between_scores_and_skill_heals_in_the_next(
    new_record: Callable[[str], tuple[Home, Engine]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, died = new_record("whole"), new_record("died")
    for made in (whole, died):
        backfill(made, SPAN[0], MIDDLE)
    backfill(whole, NEXT, SPAN[1])
    with monkeypatch.context() as patch:
        patch.setattr(record, "refresh_skill_and_risk", _die)
        with pytest.raises(KeyboardInterrupt):
            backfill(died, NEXT, SPAN[1])
    assert wrong_in(died) == []
    backfill(died, NEXT, SPAN[1])
    assert rows_of(died, SUMS) == rows_of(whole, SUMS)
    assert rows_of(died, DATES) == rows_of(whole, DATES)
    skill = [[row[:-1] for row in rows_of(made, SKILL)] for made in (died, whole)]
    assert skill[0] == skill[1] != []


def _die(*_arguments: Any, **_named: Any) -> None:
    raise KeyboardInterrupt
