"""The gates: vendor faults are recognised, repaired and clean histories pass, and no verdict looks ahead."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.prices.gates import Judgement, apply_gates, notes
from jobs.prices.sources.folder import FolderSource
from jobs.prices.sources.sample import SampleSource
from jobs.prices.verdicts import GATES
from storage.bars import Bars, as_known, make_bars, merge_bars
from tests.test_storage_bars import FIRST, LISTING

HORROR = Path(__file__).parent / "data" / "horror"
DOCUMENT = Path(__file__).parent.parent / "docs" / "prices.md"


def horror(name: str, tmp_path: Path) -> Judgement:
    (tmp_path / "T.csv").write_bytes((HORROR / f"{name}.csv").read_bytes())
    fetch = FolderSource(str(tmp_path), "split").fetch("T", None)
    return apply_gates(None, fetch.bars)


def walk_of(moves: list[float], start: str = "2024-01-01") -> Bars:
    """Return bars whose closes follow some log moves from 100, all of each move overnight, with a range of 2 %."""
    close = 100 * np.exp(np.cumsum([0.0, *moves]))
    days = np.datetime64(start) + np.arange(len(close))
    values = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": np.full(len(close), 1000)}
    return make_bars(days, values)


CALM = [0.01, -0.01] * 20


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AET.L", {("refused", "hundredfold"): 9}),
        ("ALPHA.PA", {("refused", "jump"): 1}),
        ("CNE.L", {("refused", "jump"): 1}),
        ("LA.V", {("refused", "split not applied"): 1}),
        ("KAP.IL", {("held", "dividend twice"): 1}),
        ("KME.MI", {("held", "dividend too large"): 1}),
    ],
)
def test_a_vendors_fault_is_recognised_and_its_repair_passes(
    name: str, expected: dict[tuple[str, str], int], tmp_path: Path
) -> None:
    assert Counter((v.state, v.code) for v in horror(name, tmp_path).verdicts) == expected
    assert horror(f"{name}-fixed", tmp_path).verdicts == []


@pytest.mark.parametrize("ticker", SampleSource().tickers())
def test_thirteen_clean_years_pass_even_through_crashes(ticker: str) -> None:
    bars = SampleSource().fetch(ticker, None).bars
    judgement = apply_gates(None, bars)
    assert (judgement.verdicts, len(judgement.admitted)) == ([], len(bars))


@pytest.mark.parametrize(
    ("factor", "code"),
    [(100, "hundredfold"), (0.01, "hundredfold"), (0.5, "split not told"), (9.1, "jump"), (0.05, "split not told")],
)
def test_a_block_at_another_level_is_kept_apart_until_the_price_is_back(factor: float, code: str) -> None:
    bars = walk_of(CALM)
    scale = np.ones(len(bars))
    scale[30:33] = factor
    wrong = replace(bars, **{n: getattr(bars, n) * scale for n in ("open", "high", "low", "close")})
    first, whole = apply_gates(None, wrong.select(slice(0, 32))), apply_gates(None, wrong)
    assert [(v.state, v.code) for v in first.verdicts] == [("held", code)] * 2
    assert [(v.state, v.code) for v in whole.verdicts] == [("refused", code)] * 3
    assert str(bars.session[33]) in whole.verdicts[0].message
    assert len(whole.admitted) == len(bars) - 3


def test_a_split_that_is_told_is_no_jump_and_one_not_applied_is_held() -> None:
    bars = walk_of(CALM)
    split = np.ones(len(bars))
    split[30] = 4
    before = np.where(np.arange(len(bars)) < 30, 4.0, 1.0)
    traded = replace(bars, split=split, **{n: getattr(bars, n) * before for n in ("open", "high", "low", "close")})
    assert apply_gates(None, traded).verdicts == []
    told_alone = apply_gates(None, replace(bars, split=split))
    assert {(v.state, v.code) for v in told_alone.verdicts} == {("held", "split not applied")}
    assert told_alone.admitted.session[-1] == bars.session[29]


def test_a_real_crash_on_wide_range_and_large_volume_passes() -> None:
    bars = walk_of([*CALM, np.log(0.5), *CALM])
    low, volume = bars.low.copy(), bars.volume.copy()
    low[41], volume[41] = bars.close[41] * 0.7, 40_000
    assert apply_gates(None, replace(bars, low=low, volume=volume)).verdicts == []


def test_stored_bars_are_not_judged_again() -> None:
    bars = walk_of([*CALM, np.log(100), 0.01, -0.01])
    stored = merge_bars(None, LISTING, bars.select(slice(0, 42)), recorded_at=FIRST, source="folder").history
    judgement = apply_gates(as_known(stored), bars.select(slice(38, None)))
    assert (judgement.verdicts, len(judgement.admitted)) == ([], len(bars) - 38)


def test_a_bar_that_was_refused_for_good_is_passed_over_as_long_as_it_comes_alike() -> None:
    bars = walk_of([*CALM, np.log(100)])
    refused = bars.select(slice(41, 42))
    assert apply_gates(None, bars, refused).verdicts == []
    assert len(apply_gates(None, bars, refused).admitted) == 41
    other = replace(refused, close=refused.close * 1.5, high=refused.high * 1.5)
    assert [v.code for v in apply_gates(None, bars, other).verdicts] == ["hundredfold"]


def test_bars_on_another_scale_than_the_stored_ones_are_held() -> None:
    bars = walk_of(CALM)
    stored = merge_bars(None, LISTING, bars.select(slice(0, 40)), recorded_at=FIRST, source="folder").history
    half = replace(bars, **{n: getattr(bars, n) / 2 for n in ("open", "high", "low", "close")})
    judgement = apply_gates(as_known(stored), half.select(slice(30, None)))
    assert [(v.session, v.state, v.code) for v in judgement.verdicts] == [(bars.session[40].item(), "held", "rescaled")]
    assert len(judgement.admitted) == 0


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([0.01, -0.012, 0.004, 4.6, -4.6, 0.69, -0.69, 2.5]), min_size=25, max_size=60),
    st.integers(1, 24),
)
def test_what_is_admitted_does_not_depend_on_later_bars(moves: list[float], cut: int) -> None:
    bars = walk_of([*CALM[:10], *moves])
    part = bars.select(slice(0, len(bars) - cut))
    whole = apply_gates(None, bars).admitted.session
    assert apply_gates(None, part).admitted.session.tolist() == whole[whole <= part.session[-1]].tolist()


def test_flat_and_silent_stretches_are_noted_once_each() -> None:
    bars = walk_of([*CALM, *[0.0] * 30, *CALM])
    flat = slice(41, 71)
    high, low, volume = bars.high.copy(), bars.low.copy(), bars.volume.copy()
    high[flat], low[flat], volume[flat] = bars.close[flat], bars.close[flat], 0
    found = list(notes(replace(bars, high=high, low=low, volume=volume), None))
    assert [(v.code, v.state, v.session) for v in found] == [
        ("stale", "ok", bars.session[40].item()),
        ("zero volume", "ok", bars.session[41].item()),
    ]


def test_every_gate_is_explained() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [code for code, meaning in GATES.items() if f"| `{code}` | {meaning} |" not in text] == []
