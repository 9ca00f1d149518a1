"""Print how the gates decide on 200 cases made from real prices by known edits: crashes, errors, dividends and splits.

    python benchmarks/gate_study.py FILE.parquet [--adjustment split] [--cases 200] [--seed 12]

The file is as in a folder source, with a ticker column. Each case takes 500 bars of a ticker and edits them from one bar on. What
is right for a kind is stated beside it: where no data can tell a truth from an error, the bars must be held for a person.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.prices.gates import Judgement, apply_gates
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.storage.bars import PRICE_FIELDS, Bars

BEFORE, AFTER = 250, 250  # bars of a case before the edited one, and from it on
HELD, REFUSED, PASSED = "held", "refused", "let pass"
Rng = np.random.Generator
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Case:
    """Edited bars, and which of them are errors (n,). All others are true."""

    bars: Bars
    is_error: Mask


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of edit, what becomes of its bars where that is right, and the edit: from bars and the index of the first one."""

    name: str
    right: tuple[str, ...]
    edit: Callable[[Bars, int, Rng], Case]


def scaled(bars: Bars, factor: float | NDArray[np.float64], where: slice, *, shares: bool = False) -> Bars:
    """Return bars with the prices of a slice times a factor; shares: volumes and dividends go with it, as at a split."""
    scale = np.ones(len(bars))
    scale[where] = factor
    prices = {name: getattr(bars, name) * scale for name in PRICE_FIELDS}
    volume = np.rint(bars.volume / scale).astype(np.int64) if shares else bars.volume
    return replace(bars, **prices, volume=volume, dividend=bars.dividend * scale)


def set_at(bars: Bars, field: str, i: int, value: float) -> Bars:
    values = getattr(bars, field).copy()
    values[i] = value
    return replace(bars, **{field: values})


def true(bars: Bars) -> Case:
    return Case(bars, np.zeros(len(bars), dtype=np.bool_))


def wrong(bars: Bars, where: slice) -> Case:
    is_error = np.zeros(len(bars), dtype=np.bool_)
    is_error[where] = True
    return Case(bars, is_error)


# --- crashes: a fall of 40 to 97 % on one day, and what follows ---


def crash(drift: float) -> Callable[[Bars, int, Rng], Case]:
    """Return an edit to a crash with the range and volume of one. drift: log return a day afterwards."""

    def edit(bars: Bars, i: int, rng: Rng) -> Case:
        bars = fallen(bars, i, drift, rng)
        close, old = bars.close[i], bars.close[i - 1]
        opened = close * np.exp(rng.uniform(-0.1, 0.2)) if rng.random() < 0.7 else old * rng.uniform(0.9, 1.0)
        bars = set_at(bars, "open", i, opened)
        bars = set_at(bars, "high", i, max(opened, close) * np.exp(rng.uniform(0.03, 0.2)))
        bars = set_at(bars, "low", i, min(opened, close) * np.exp(-rng.uniform(0.03, 0.2)))
        times = np.exp(rng.uniform(np.log(8), np.log(80))) ** np.exp(-np.arange(len(bars) - i) / 3)
        volume = bars.volume.copy()
        volume[i:] = np.rint(volume[i:] * times)
        return true(replace(bars, volume=volume))

    return edit


def quiet_crash(drift: float) -> Callable[[Bars, int, Rng], Case]:
    """Return an edit to a crash whose range and volume are ordinary, as in a file without them."""
    return lambda bars, i, rng: true(fallen(bars, i, drift, rng))


def wild_crash(bars: Bars, i: int, rng: Rng) -> Case:
    """Return a quiet crash that slides on with a day of 40 to 80 % up every month."""
    bars = fallen(bars, i, 0.0, rng)
    after = len(bars) - i - 1
    rises = np.where(rng.random(after) < 1 / 21, rng.uniform(0.35, 0.6, after), 0.0)
    return true(scaled(bars, np.exp(np.cumsum(rises - rises.mean() - 0.002)), slice(i + 1, None)))


def fallen(bars: Bars, i: int, drift: float, rng: Rng) -> Bars:
    fall = 1 - rng.uniform(0.40, 0.97)
    return scaled(bars, fall * np.exp(drift * np.arange(len(bars) - i)), slice(i, None))


# --- errors ---


def spike(bars: Bars, i: int, rng: Rng) -> Case:
    factor = float(np.exp(rng.choice([-1, 1]) * rng.uniform(np.log(5), np.log(40))))
    return wrong(scaled(bars, factor, slice(i, i + 1)), slice(i, i + 1))


def hundredfold(bars: Bars, i: int, rng: Rng) -> Case:
    days = int(rng.integers(1, 10))
    return wrong(scaled(bars, float(rng.choice([0.01, 100.0])), slice(i, i + days)), slice(i, i + days))


def level_shift(bars: Bars, i: int, rng: Rng) -> Case:
    days, factor = int(rng.integers(20, 120)), float(rng.choice([1 / 8, 1 / 3, 3.0, 8.0, 100.0]))
    return wrong(scaled(bars, factor, slice(i, i + days)), slice(i, i + days))


def lasting_shift(bars: Bars, i: int, rng: Rng) -> Case:
    return wrong(scaled(bars, float(np.exp(rng.uniform(np.log(5), np.log(40)))), slice(i, None)), slice(i, None))


# --- dividends: 10 to 90 % of the price ---


def told_dividend(bars: Bars, i: int, rng: Rng) -> Case:
    share = rng.uniform(0.10, 0.90)
    paid = fallen_by_dividend(bars, i, share)
    return true(set_at(paid, "dividend", i, share * bars.close[i - 1]))


def untold_dividend(least: float, most: float) -> Callable[[Bars, int, Rng], Case]:
    return lambda bars, i, rng: true(fallen_by_dividend(bars, i, rng.uniform(least, most)))


def false_dividend(bars: Bars, i: int, rng: Rng) -> Case:
    return wrong(set_at(bars, "dividend", i, rng.uniform(0.12, 0.90) * bars.close[i - 1]), slice(i, i + 1))


def fallen_by_dividend(bars: Bars, i: int, share: float) -> Bars:
    return scaled(bars, 1 - share, slice(i, None))


# --- splits: 2:1 to 50:1, and the reverse ---


def ratio(rng: Rng) -> float:
    return float(rng.choice([2.0, 3, 4, 5, 8, 10, 15, 20, 25, 30, 50]) ** rng.choice([-1, 1]))


def told_split(bars: Bars, i: int, rng: Rng) -> Case:
    new = ratio(rng)
    return true(set_at(scaled(bars, 1 / new, slice(i, None), shares=True), "split", i, new))


def untold_split(bars: Bars, i: int, rng: Rng) -> Case:
    return true(scaled(bars, 1 / ratio(rng), slice(i, None), shares=True))


def late_split(bars: Bars, i: int, rng: Rng) -> Case:
    """Return a split that the source reports on its day and applies some days later."""
    new, days = ratio(rng), int(rng.integers(1, 6))
    split = set_at(scaled(bars, 1 / new, slice(i + days, None), shares=True), "split", i, new)
    return wrong(split, slice(i, i + days))


def false_split(bars: Bars, i: int, rng: Rng) -> Case:
    return wrong(set_at(bars, "split", i, ratio(rng)), slice(i, None))


KINDS = (
    Kind("crash, sliding on", (PASSED,), crash(-0.004)),
    Kind("crash, then flat", (PASSED,), crash(0.0)),
    Kind("crash, recovering", (PASSED,), crash(0.006)),
    Kind("crash on ordinary range and volume, sliding on", (HELD,), quiet_crash(-0.002)),
    Kind("the same, recovering", (HELD,), quiet_crash(0.006)),
    Kind("the same, sliding on by wild days", (HELD,), wild_crash),
    Kind("error of one day, 5 to 40 times", (REFUSED,), spike),
    Kind("hundredfold, 1 to 9 days", (REFUSED,), hundredfold),
    Kind("level shift of 20 to 120 days", (REFUSED,), level_shift),
    Kind("level shift for good", (HELD,), lasting_shift),
    Kind("dividend, told", (PASSED,), told_dividend),
    Kind("dividend to 40 %, untold", (HELD, PASSED), untold_dividend(0.10, 0.40)),
    Kind("dividend from 45 %, untold", (HELD,), untold_dividend(0.45, 0.90)),
    Kind("dividend, told and not paid", (HELD,), false_dividend),
    Kind("split, told", (PASSED,), told_split),
    Kind("split, untold", (HELD,), untold_split),
    Kind("split, told and applied late", (REFUSED,), late_split),
    Kind("split, told and never made", (HELD,), false_split),
)


def outcome(judgement: Judgement) -> str:
    states = {verdict.state for verdict in judgement.verdicts}
    return HELD if HELD in states else REFUSED if REFUSED in states else PASSED


@dataclass(slots=True)
class Row:
    """What became of the cases of a kind: outcomes, and bars by whether they are true."""

    outcomes: Counter[str]
    true_refused: int = 0
    lost: int = 0  # true bars that are refused without their values, so that no command takes them back
    errors_stored: int = 0


def judge(case: Case, row: Row) -> str:
    judgement = apply_gates(None, case.bars)
    errors = set(case.bars.session[case.is_error].tolist())
    refused = [verdict for verdict in judgement.verdicts if verdict.state == REFUSED and verdict.session not in errors]
    row.true_refused += len(refused)
    row.lost += sum(verdict.bars is None for verdict in refused)
    row.errors_stored += int(np.isin(judgement.admitted.session, case.bars.session[case.is_error]).sum())
    found = outcome(judgement)
    row.outcomes[found] += 1
    return found


def cut(histories: dict[str, Bars], rng: Rng) -> Bars:
    """Return 500 bars of some ticker that the gates admit as they are."""
    while True:
        bars = histories[str(rng.choice(sorted(histories)))]
        begin = int(rng.integers(0, len(bars) - BEFORE - AFTER))
        part = bars.select(slice(begin, begin + BEFORE + AFTER))
        if not apply_gates(None, part).verdicts and part.volume.min() > 0:
            return part


def print_table(rows: Iterable[tuple[Kind, Row]]) -> None:
    print("| kind | right | held | refused | let pass | as is right | true bars refused | for good | errors stored |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind, row in rows:
        counts = [row.outcomes[state] for state in (HELD, REFUSED, PASSED)]
        right = sum(row.outcomes[state] for state in kind.right)
        shown = " | ".join(str(count) for count in counts)
        bars = f"{row.true_refused} | {row.lost} | {row.errors_stored}"
        print(f"| {kind.name} | {' or '.join(kind.right)} | {shown} | {right} of {sum(counts)} | {bars} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--adjustment", default="split")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=12)
    asked = parser.parse_args()
    source = FolderSource(str(asked.file), asked.adjustment)
    fetched = {ticker: source.fetch(ticker, None).bars for ticker in source.tickers()}
    found = Counter(verdict.state for bars in fetched.values() for verdict in apply_gates(None, bars).verdicts)
    count = sum(len(bars) for bars in fetched.values())
    print(f"{count:,} bars of {len(fetched)} tickers as they are: {found[HELD]} held, {found[REFUSED]} refused\n")
    histories = {ticker: bars for ticker, bars in fetched.items() if len(bars) > BEFORE + AFTER}
    rng = np.random.default_rng(asked.seed)
    rows = {kind: Row(Counter()) for kind in KINDS}
    for number in range(asked.cases):
        kind = KINDS[number % len(KINDS)]
        judge(kind.edit(cut(histories, rng), BEFORE, rng), rows[kind])
    print_table(rows.items())
    right = sum(row.outcomes[state] for kind, row in rows.items() for state in kind.right)
    lost, refused = sum(row.lost for row in rows.values()), sum(row.true_refused for row in rows.values())
    print(f"\n{right} of {asked.cases} as is right; {refused} true bars refused, {lost} of them for good")


if __name__ == "__main__":
    main()
