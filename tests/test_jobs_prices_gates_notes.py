"""Notes on stored bars: runs of one price and runs without volume, from twenty bars on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.price_builders import CALM, bars_of_closes, bars_of_moves, with_value
from tickercast.jobs.prices.gates import notes
from tickercast.jobs.prices.verdicts import Verdict
from tickercast.storage.bars import Bars

HUNDRED = np.log(100.0)
BARS = bars_of_moves(*CALM)
SESSIONS = BARS.session.tolist()


def one_close(bars: int) -> Bars:
    """Return calm bars with so many equal closes in a row, from bar 40 on."""
    return bars_of_moves(*CALM, *(0.0,) * (bars - 1), *CALM)


def one_price(bars: int) -> Bars:
    """Return the same bars, the equal ones without a range."""
    series, run = one_close(bars), slice(40, 40 + bars)
    return with_value(with_value(series, "high", run, series.close[40]), "low", run, series.close[40])


@pytest.mark.parametrize(("bars", "count"), [(19, 0), (20, 1), (21, 1)])
def test_twenty_bars_with_one_price_are_noted(bars: int, count: int) -> None:
    message = "the same price since 2024-02-10, 20 sessions or more"
    assert list(notes(one_price(bars), None)) == [Verdict(SESSIONS[40], "ok", "stale", message)] * count


@pytest.mark.parametrize(("bars", "count"), [(19, 0), (20, 1)])
def test_a_history_that_begins_with_one_price_is_noted_from_twenty_bars_on(bars: int, count: int) -> None:
    flat_from_the_start = one_price(bars).select(slice(40, None))
    assert [verdict.session for verdict in notes(flat_from_the_start, None)] == SESSIONS[40:41] * count


def test_one_close_with_moves_in_the_session_is_not_stale() -> None:
    assert list(notes(one_close(30), None)) == []


def silent(bars: int, *, first: int = 40) -> Bars:
    """Return calm bars of which so many have no volume, from one on."""
    return with_value(bars_of_moves(*CALM, *CALM), "volume", slice(first, first + bars), 0)


@pytest.mark.parametrize(("bars", "count"), [(19, 0), (20, 1), (21, 1)])
def test_twenty_bars_without_volume_are_noted(bars: int, count: int) -> None:
    message = "no volume since 2024-02-10, 20 sessions or more"
    assert list(notes(silent(bars), None)) == [Verdict(SESSIONS[40], "ok", "zero volume", message)] * count


def test_a_ticker_without_any_volume_has_no_note_about_it() -> None:
    assert list(notes(silent(81, first=0), None)) == []


def test_one_share_in_all_is_volume() -> None:
    bars = with_value(silent(81, first=0), "volume", 80, 1)
    assert [verdict.code for verdict in notes(bars, None)] == ["zero volume"]


@pytest.mark.parametrize(("since", "count"), [(58, 1), (59, 1), (60, 0)])
def test_runs_that_ended_before_a_session_are_not_noted_again(since: int, count: int) -> None:
    # The runs are of bars 40 to 59.
    stale, no_volume = one_price(20), silent(20)
    assert len(list(notes(stale, stale.session[since].item()))) == count
    assert len(list(notes(no_volume, no_volume.session[since].item()))) == count


def test_each_run_is_noted_once() -> None:
    bars = with_value(with_value(bars_of_moves(*CALM, *CALM), "volume", slice(5, 30), 0), "volume", slice(50, 81), 0)
    assert [verdict.session for verdict in notes(bars, None)] == [bars.session[5].item(), bars.session[50].item()]


def test_a_flat_stretch_without_volume_has_both_notes() -> None:
    bars = with_value(one_price(30), "volume", slice(41, 70), 0)
    assert [(v.code, v.session) for v in notes(bars, None)] == [
        ("stale", bars.session[40].item()), ("zero volume", bars.session[41].item())
    ]  # fmt: skip


def test_a_single_bar_has_no_notes() -> None:
    assert list(notes(bars_of_closes(100.0), None)) == []
