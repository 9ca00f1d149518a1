"""Verdicts: their rows, the bars that rows keep, and the page that explains each code."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.price_builders import bars_of_closes, with_value
from tickercast.jobs.prices.verdicts import NOTED, QUARANTINED, REFUSED, VERDICT_CODES, Verdict, bars_of_verdicts, verdict_row

PAGE = Path(__file__).parent.parent / "docs" / "prices.md"
VALUES = {"open": 9.5, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 700, "dividend": 0.25, "split": 2.0}
JUMP = Verdict(date(2024, 1, 2), QUARANTINED, "jump", "a message", None)


def verdict_with_bar() -> Verdict:
    bars = bars_of_closes(10.0, start="2024-01-02")
    for field, value in VALUES.items():
        bars = with_value(bars, field, 0, value)
    return Verdict(date(2024, 1, 2), QUARANTINED, "jump", "a message", bars)


def test_the_stored_states_are_those_of_the_view() -> None:
    assert (REFUSED, QUARANTINED, NOTED) == ("refused", "held", "ok")


def test_a_row_has_the_verdict_and_the_values_of_its_bar() -> None:
    facts = {"session": date(2024, 1, 2), "code": "jump", "state": "held", "message": "a message", "decided_at": None}
    assert verdict_row(verdict_with_bar()) == facts | VALUES


def test_a_row_without_a_bar_has_no_values() -> None:
    assert {verdict_row(JUMP)[field] for field in VALUES} == {None}


def test_the_values_of_a_row_are_plain_numbers_that_a_database_takes() -> None:
    assert {type(verdict_row(verdict_with_bar())[field]) for field in VALUES} == {float, int}


def test_a_bar_comes_back_from_its_row_as_it_was() -> None:
    verdict = verdict_with_bar()
    bars = bars_of_verdicts([verdict_row(verdict)])
    assert bars.session.tolist() == [date(2024, 1, 2)]
    assert {field: getattr(bars, field).tolist() for field in VALUES} == {field: [value] for field, value in VALUES.items()}


def test_bars_of_rows_are_in_session_order() -> None:
    row = verdict_row(verdict_with_bar())
    rows = [row | {"session": date(2024, 1, day), "close": float(day)} for day in (4, 2, 3)]
    bars = bars_of_verdicts(rows)
    assert bars.session.tolist() == [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]
    assert bars.close.tolist() == [2.0, 3.0, 4.0]


def test_of_two_rows_of_a_session_the_last_gives_the_bar() -> None:
    row = verdict_row(verdict_with_bar())
    assert bars_of_verdicts([row | {"close": 1.0}, row | {"close": 2.0}]).close.tolist() == [2.0]


@pytest.mark.parametrize("code", VERDICT_CODES)
def test_every_gate_is_explained(code: str) -> None:
    assert f"| `{code}` | {VERDICT_CODES[code]} |" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("code", VERDICT_CODES)
def test_every_gate_states_what_it_does_with_a_bar(code: str) -> None:
    assert VERDICT_CODES[code].split(":")[0] in ("refused", "held", "noted")
