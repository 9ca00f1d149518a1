"""Splits and dividends that a source does not report and somebody told with `release`. Later fetches keep them.

They are notes in `gate_verdicts`, codes `split told` and `dividend told`. Not here: source.splits of a folder (sources.folder).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from tickercast.jobs.clock import parse_day
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices.gates import SAME_FACTOR
from tickercast.jobs.prices.moves import move_over
from tickercast.jobs.prices.verdicts import NOTED
from tickercast.storage.bars import MOST_PRICE, MOST_SPLIT, PRICE_FIELDS, VALUE_FIELDS, Bars

SPLIT_TOLD, DIVIDEND_TOLD = "split told", "dividend told"
COMPARED_BARS = 10  # before a split, to see whether the source has applied it to earlier prices


@dataclass(frozen=True, slots=True)
class Told:
    """A split (new shares per old one, 1 = none) and a dividend per share (0 = none) on the bar of a session."""

    session: date
    split: float = 1.0
    dividend: float = 0.0

    @property
    def shown(self) -> str:
        """Return it for a line of text."""
        if self.dividend:
            return f"a dividend of {self.dividend:g} on {self.session}"
        ratio = f"{self.split:g}:1" if self.split >= 1 else f"1:{1 / self.split:g}"
        return f"a split of {ratio} on {self.session}"


def parse_told(splits: Sequence[str], dividends: Sequence[str]) -> tuple[Told, ...]:
    """Return what the options --split DATE=NEW:OLD and --dividend DATE=AMOUNT tell. Raises UsageError for other texts."""
    told = [Told(day, split=_ratio(value)) for day, value in (_parts(text, "--split", "2024-06-10=4:1") for text in splits)]
    for text in dividends:
        day, value = _parts(text, "--dividend", "2024-06-10=12.50")
        amount = _number(value)
        if not 0 < amount <= MOST_PRICE:
            raise UsageError(f"--dividend {text}: {value!r} is not an amount per share, like 2024-06-10=12.50")
        told.append(Told(day, dividend=amount))
    return tuple(told)


def told_actions(verdicts: Sequence[Mapping[str, Any]]) -> tuple[Told, ...]:
    """Return what somebody told of a ticker, by session. verdicts: all of the ticker, as stored, by session."""
    rows = [row for row in verdicts if row["state"] == NOTED and row["code"] in (SPLIT_TOLD, DIVIDEND_TOLD)]
    return tuple(Told(row["session"], row["split"] or 1.0, row["dividend"] or 0.0) for row in rows)


def told_row(told: Told) -> dict[str, Any]:
    """Return what was told as a row of `gate_verdicts`."""
    code, field = (DIVIDEND_TOLD, "dividend") if told.dividend else (SPLIT_TOLD, "split")
    return {
        "session": told.session, "code": code, "state": NOTED, "message": f"{told.shown}, told with `release`",
        "decided_at": None, **dict.fromkeys(VALUE_FIELDS), field: getattr(told, field),
    }  # fmt: skip


def with_told(bars: Bars, told: Sequence[Told]) -> Bars:
    """Return bars with what was told on the bar of its session, where the source reports nothing itself."""
    split, dividend = bars.split.copy(), bars.dividend.copy()
    for item in told:
        here = bars.session == np.datetime64(item.session)
        split[here & (split == 1.0)] = item.split
        dividend[here & (dividend == 0.0)] += item.dividend
    return replace(bars, split=split, dividend=dividend)


def as_told(incoming: Bars, stored: Bars | None, told: Sequence[Told]) -> Bars:
    """Return the bars of a fetch with what was told of them. Newer splits count first.

    A source can apply a split to its earlier prices and still not report it. Then those are multiplied back, as the stored
    bars show.
    """
    for item in sorted(told, key=lambda item: item.session, reverse=True):
        if stored is not None and _is_applied(incoming, stored, item):
            scale = np.where(incoming.session < np.datetime64(item.session), item.split, 1.0)
            prices = {name: getattr(incoming, name) * scale for name in PRICE_FIELDS}
            volume = np.rint(incoming.volume / scale).astype(np.int64)
            incoming = replace(incoming, **prices, volume=volume, dividend=incoming.dividend * scale)
    return with_told(incoming, told)


def refuse_unlikely(symbol: str, bars: Bars, told: Sequence[Told]) -> None:
    """Raise UsageError where the price did not move with what was told: its day may be a wrong one. bars: with it."""
    for item in told:
        i = int(np.searchsorted(bars.session, np.datetime64(item.session)))
        if i == 0 or i == len(bars) or bars.session[i] != np.datetime64(item.session):
            continue
        before, split, dividend = bars.close[i - 1], bars.split[i], bars.dividend[i]
        told_move = abs(move_over(before / split, bars.close[i], dividend))
        plain_move = abs(move_over(before / (split / item.split), bars.close[i], dividend - item.dividend))
        if told_move >= plain_move:
            raise UsageError(
                f"{symbol}: the price of {item.session} did not move with {item.shown}; nothing was released; check the day"
            )


def _is_applied(incoming: Bars, stored: Bars, told: Told) -> bool:
    """Return whether the prices before a told split are the stored ones divided by it."""
    common, theirs, ours = np.intersect1d(incoming.session, stored.session, return_indices=True)
    before = np.flatnonzero(common < np.datetime64(told.session))[-COMPARED_BARS:]
    if not len(before) or told.split == 1.0:
        return False
    factor = float(np.median(np.log(incoming.close[theirs[before]] / stored.close[ours[before]])))
    return abs(factor + math.log(told.split)) <= SAME_FACTOR


def _parts(text: str, option: str, example: str) -> tuple[date, str]:
    day, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{option} {text!r}: write it like {example}")
    parsed = parse_day(day.strip(), option)
    assert parsed is not None
    return parsed, value.strip()


def _ratio(value: str) -> float:
    new, _, old = value.partition(":")
    old_shares = _number(old) if old else math.nan
    ratio = _number(new) / old_shares if old_shares else math.nan
    if not 1 / MOST_SPLIT <= ratio <= MOST_SPLIT or ratio == 1:
        raise UsageError(f"--split {value!r} is not a ratio of new to old shares, like 4:1 or 1:10")
    return ratio


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
