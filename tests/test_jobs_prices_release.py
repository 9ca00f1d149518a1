"""Release: refused bars come back, and a split or dividend that the source does not report is told once and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import Command
from tests.loopback_yahoo import LoopbackYahoo
from tests.price_builders import CALM, after_calm, bars_of_moves, day_of, sample_bars, times, times_on, with_value
from tests.price_homes import PriceHome
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices.quarantine import refuse, release
from tickercast.jobs.prices.told import Told, as_told, parse_told
from tickercast.storage.bars import Bars, log_returns

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (day_of(f"2012-06-{day}") for day in (11, 12, 13, 14))
MakeHome = Callable[..., PriceHome]


@pytest.fixture
def ibm() -> Bars:
    return sample_bars("IBM", "2011-11-01")


def falling(bars: Bars, factor: float) -> Bars:
    """Return bars whose prices are lower by a factor from a Tuesday on, as at a split, a special dividend or a crash."""
    first = int(np.searchsorted(bars.session, np.datetime64(TUESDAY)))
    return times(bars, factor, slice(first, None))


@pytest.fixture
def quartered(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> PriceHome:
    """Return a home in which IBM fell to a quarter on a Tuesday, and is quarantined until Wednesday."""
    home = price_home("IBM")
    server.serve("IBM", falling(ibm, 0.25))
    home.run_days([MONDAY, TUESDAY, WEDNESDAY])
    return home


def states(home: PriceHome) -> list[tuple[str, str, str]]:
    return home.rows("gate", "session", "state", "code")


# --- refused bars ---


@pytest.fixture
def back(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> PriceHome:
    """Return a home in which IBM's bar of a Tuesday was a hundred times too high, and refused on Wednesday."""
    home = price_home("IBM")
    server.serve("IBM", times_on(ibm, str(TUESDAY), 100.0))
    home.run_days([MONDAY, TUESDAY, WEDNESDAY])
    assert states(home) == [("2012-06-12", "refused", "hundredfold")]
    return home


@pytest.mark.slow
@pytest.mark.parametrize("session", [None, TUESDAY])
def test_a_bar_that_was_refused_can_be_released_and_is_not_judged_again(back: PriceHome, session: object) -> None:
    line = release(back.home, back.engine, "IBM", session)  # type: ignore[arg-type]
    assert line == "IBM: 1 refused bar of 2012-06-12 is stored; the next run forecasts with the new history"
    assert back.bars("IBM").session[-2:].tolist() == [TUESDAY, WEDNESDAY]
    back.serve_and_run(THURSDAY)
    assert states(back) == [("2012-06-12", "ok", "hundredfold")]
    assert back.last_bar("IBM") == THURSDAY
    assert np.max(np.abs(log_returns(back.bars("IBM"), "close")[1:])) > 4


@pytest.mark.slow
def test_a_bar_refused_by_hand_can_be_released(quartered: PriceHome) -> None:
    refuse(quartered.engine, "IBM", None)
    assert "2 refused bars, 2012-06-12 to 2012-06-13, are stored" in release(quartered.home, quartered.engine, "IBM", None)
    assert quartered.last_bar("IBM") == WEDNESDAY


@pytest.mark.slow
def test_quarantined_bars_are_released_before_refused_ones(quartered: PriceHome) -> None:
    refuse(quartered.engine, "IBM", TUESDAY)
    release(quartered.home, quartered.engine, "IBM", None)
    assert [(day, state) for day, state, _ in states(quartered)] == [("2012-06-12", "refused"), ("2012-06-13", "ok")]


@pytest.mark.slow
def test_a_refused_bar_in_whose_place_another_is_stored_is_released_only_by_its_session(
    quartered: PriceHome, server: LoopbackYahoo, ibm: Bars
) -> None:
    server.serve("IBM", ibm)
    quartered.serve_and_run(WEDNESDAY)
    with pytest.raises(UsageError, match="IBM: no bar is quarantined or refused"):
        release(quartered.home, quartered.engine, "IBM", None)
    release(quartered.home, quartered.engine, "IBM", WEDNESDAY)
    assert len(quartered.rows("restatement", "field")) == 4


@pytest.mark.slow
def test_a_session_cannot_be_released_over_quarantined_ones_before_it(quartered: PriceHome) -> None:
    with pytest.raises(UsageError, match="1 bar before 2012-06-13 from 2012-06-12 on are quarantined too"):
        release(quartered.home, quartered.engine, "IBM", WEDNESDAY)
    assert quartered.last_bar("IBM") == MONDAY


@pytest.mark.slow
def test_a_refused_bar_with_other_values_that_jump_is_quarantined_again(
    quartered: PriceHome, server: LoopbackYahoo, ibm: Bars
) -> None:
    refuse(quartered.engine, "IBM", None)
    server.serve("IBM", falling(ibm, 0.2))
    quartered.serve_and_run(WEDNESDAY)
    assert [state for _, state, _ in states(quartered)] == ["held", "held"]
    release(quartered.home, quartered.engine, "IBM", None)
    assert quartered.bars("IBM").close[-1] == pytest.approx(ibm.through(WEDNESDAY).close[-1] * 0.2)


# --- what the source does not tell ---


@pytest.mark.slow
@pytest.mark.parametrize(("told", "field", "value"), [("split", "split", 4.0), ("dividend", "dividend", 146.8)])
def test_what_is_told_with_a_release_is_stored_and_kept_by_later_fetches(
    quartered: PriceHome, told: str, field: str, value: float
) -> None:
    release(quartered.home, quartered.engine, "IBM", None, [Told(TUESDAY, **{told: value})])
    bars = quartered.bars("IBM")
    assert getattr(bars, field)[-2:].tolist() == [value, 0.0 if field == "dividend" else 1.0]
    assert np.max(np.abs(log_returns(bars, "close")[-3:])) < 0.1
    quartered.run_days([THURSDAY, day_of("2012-06-15")])
    assert quartered.last_bar("IBM") == day_of("2012-06-15")
    assert getattr(quartered.bars("IBM"), field)[-4] == value
    assert {state for _, state, _ in states(quartered)} == {"ok"}
    assert quartered.rows("restatement", "field") == []


@pytest.mark.slow
def test_a_split_can_be_told_after_the_release(quartered: PriceHome) -> None:
    release(quartered.home, quartered.engine, "IBM", None)
    line = release(quartered.home, quartered.engine, "IBM", None, [Told(TUESDAY, split=4.0)])
    assert line.startswith("IBM: a split of 4:1 on 2012-06-12 is kept")
    assert quartered.rows("restatement", "session", "field", "new_value") == [("2012-06-12", "split", 4.0)]


@pytest.mark.slow
def test_a_split_of_a_session_without_a_bar_is_refused(quartered: PriceHome) -> None:
    with pytest.raises(UsageError, match="IBM: no bar of 2012-06-10 is quarantined, refused or stored"):
        release(quartered.home, quartered.engine, "IBM", None, [Told(day_of("2012-06-10"), split=4.0)])
    assert quartered.last_bar("IBM") == MONDAY


@pytest.mark.slow
@pytest.mark.parametrize("told", [Told(MONDAY, split=4.0), Told(TUESDAY, split=0.25), Told(WEDNESDAY, dividend=20.0)])
def test_a_split_or_dividend_that_the_price_did_not_move_with_is_not_believed(quartered: PriceHome, told: Told) -> None:
    with pytest.raises(UsageError, match="did not move with a"):
        release(quartered.home, quartered.engine, "IBM", None, [told])
    assert quartered.last_bar("IBM") == MONDAY


@pytest.mark.slow
def test_prices_on_another_scale_are_stored_once_their_split_is_told(
    price_home: MakeHome, server: LoopbackYahoo, ibm: Bars
) -> None:
    home = price_home("IBM")
    server.serve("IBM", ibm)
    home.serve_and_run(MONDAY)
    # The source has applied a split to all prices and volumes and reports none.
    server.serve("IBM", replace(times(ibm, 0.25), volume=ibm.volume * 4))
    home.serve_and_run(TUESDAY)
    with pytest.raises(UsageError, match="`tickercast release IBM --split 2012-06-12=NEW:OLD`"):
        release(home.home, home.engine, "IBM", None)
    release(home.home, home.engine, "IBM", None, [Told(TUESDAY, split=4.0)])
    home.serve_and_run(WEDNESDAY)
    bars = home.bars("IBM")
    assert (home.status("IBM"), bars.session[-1].item(), bars.split[-2:].tolist()) == ("active", WEDNESDAY, [4.0, 1.0])
    assert np.max(np.abs(log_returns(bars, "close")[-5:])) < 0.1
    assert home.rows("restatement", "field") == []


@pytest.mark.slow
def test_a_split_is_told_on_the_command_line(quartered: PriceHome, tickercast: Command) -> None:
    home = quartered.home.folder
    wrong = tickercast("--home", home, "release", "IBM", "--split", "2012-06-12")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    done = tickercast("--home", home, "release", "IBM", "--split", "2012-06-12=4:1")
    assert done.returncode == 0
    assert "2 quarantined bars, 2012-06-12 to 2012-06-13, are stored, a split of 4:1 on 2012-06-12 is kept" in done.stderr


@pytest.mark.parametrize(
    ("splits", "dividends", "expected"),
    [
        (["2024-06-10=4:1"], [], [Told(day_of("2024-06-10"), split=4.0)]),
        (["2024-06-10=1:10", "2025-01-02=3:2"], [], [Told(day_of("2024-06-10"), 0.1), Told(day_of("2025-01-02"), 1.5)]),
        ([], ["2024-06-10=12.50"], [Told(day_of("2024-06-10"), dividend=12.5)]),
    ],
)
def test_splits_and_dividends_are_read_from_options(
    splits: Sequence[str], dividends: Sequence[str], expected: Sequence[Told]
) -> None:
    assert list(parse_told(splits, dividends)) == expected


@pytest.mark.parametrize(
    "text", ["4:1", "2024-06-10", "2024-06-10=4", "2024-06-10=4:0", "2024-06-10=0:1", "2024-06-10=1:1", "2024-06-10=x:1",
             "2024-06-10=nan:1", "2024-06-10=1e9:1", "June=4:1"]
)  # fmt: skip
def test_another_text_is_no_split(text: str) -> None:
    with pytest.raises(UsageError, match="--split"):
        parse_told([text], [])


@pytest.mark.parametrize("text", ["2024-06-10=", "2024-06-10=-1", "2024-06-10=0", "2024-06-10=inf", "12.5"])
def test_another_text_is_no_dividend(text: str) -> None:
    with pytest.raises(UsageError, match="--dividend"):
        parse_told([], [text])


BARS = bars_of_moves(*CALM)
SPLIT_DAY = BARS.session[35].item()


def test_what_the_source_reports_itself_counts_before_what_was_told() -> None:
    reported = with_value(with_value(BARS, "split", 35, 5.0), "dividend", 35, 2.0)
    told = [Told(SPLIT_DAY, split=4.0), Told(SPLIT_DAY, dividend=1.0)]
    assert (as_told(reported, BARS, told).split[35], as_told(reported, BARS, told).dividend[35]) == (5.0, 2.0)


def test_two_told_splits_that_a_source_applied_are_both_taken_back() -> None:
    first, second = Told(BARS.session[20].item(), split=2.0), Told(SPLIT_DAY, split=4.0)
    traded = times(times(BARS, 8.0, slice(0, 20)), 4.0, slice(20, 35))
    split = np.ones(len(BARS))
    split[20], split[35] = 2.0, 4.0
    applied = as_told(BARS, replace(traded.select(slice(0, 35)), split=split[:35]), [first, second])
    assert applied.close == pytest.approx(traded.close)
    assert applied.split.tolist() == split.tolist()


def test_a_told_split_that_the_source_did_not_apply_leaves_its_prices() -> None:
    bars = after_calm(-np.log(4.0), 0.01)
    told = as_told(bars, bars.select(slice(0, 41)), [Told(bars.session[41].item(), split=4.0)])
    assert told.close.tolist() == bars.close.tolist()
