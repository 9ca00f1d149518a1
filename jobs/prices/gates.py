"""The gates between a source's bars and the store: they admit each bar or give a verdict on it.

Whether a bar is admitted depends only on bars up to that one, so it is the same for a bar alone and for a whole history. A jump
that no split or dividend explains quarantines its bar and those that follow at the new level. They stay in quarantine until the
price comes back, the source corrects it, or somebody decides. A stored bar is not judged again, unless it changes by far.

Not here: rows that cannot be a bar at all (storage.bars.refuse_bad_rows), days that are no closed session (ingest), and how
long a level lasts (levels).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.prices.levels import actions_over, judge_levels
from tickercast.jobs.prices.moves import series_of
from tickercast.jobs.prices.verdicts import NOTED, QUARANTINED, Verdict
from tickercast.jobs.terminal.text import counted
from tickercast.storage.bars import PRICE_FIELDS, SAME_WITHIN, Bars, concatenate_bars
from tickercast.storage.days import are_among

Mask = NDArray[np.bool_]
Days = NDArray[np.datetime64]

STALE_BARS, ZERO_VOLUME_BARS = 20, 20
CHANGED_BY_FAR = 0.15  # share of a price; a stored bar that changes by less is not judged again
# Of bars that were delivered again, in logs of delivered over stored close:
RESCALED = 0.2  # beyond this a bar may be on another scale
SAME_FACTOR = 0.02  # factors within this range of each other are one factor
FEWEST_RESCALED = 3  # bars, unless all differ


@dataclass(frozen=True, slots=True)
class Judgement:
    """The bars that may be stored, and the verdicts on the others."""

    admitted: Bars
    verdicts: list[Verdict]


def apply_gates(stored: Bars | None, incoming: Bars, dismissed: Bars | None = None) -> Judgement:
    """Return which incoming bars may be stored, and a verdict on each other one.

    stored: one bar per session, as known. incoming: usable bars in session order. dismissed: bars that were refused; an
    incoming bar with the same values is left out without a verdict.
    """
    delivered = incoming
    if dismissed is not None:
        incoming = _without_dismissed(stored, incoming, dismissed)
    rescaled: list[Verdict] = []
    if stored is not None and len(stored) and len(incoming):
        incoming, rescaled = _without_rescaled(stored, incoming)
    if not len(incoming):
        return Judgement(incoming, rescaled)
    bars, is_new = _merged(stored, incoming)
    judged = judge_levels(series_of(bars), is_new)
    admitted = judged.bars.select(judged.keep & are_among(bars.session, incoming.session))
    return Judgement(admitted, rescaled + [_as_delivered(verdict, delivered) for verdict in judged.verdicts])


def notes(bars: Bars, since: date | None) -> Iterator[Verdict]:
    """Yield notes on stored bars: runs of one price, and runs without volume, whose last bar is of `since` or later."""
    first = np.datetime64(since) if since else bars.session[0]
    same_price = np.concatenate([[False], (bars.close[1:] == bars.close[:-1]) & (bars.high[1:] == bars.low[1:])])
    for begin, end in _runs(same_price):
        if end - begin + 1 >= STALE_BARS and bars.session[end - 1] >= first:
            day = bars.session[begin - 1].item()
            yield Verdict(day, NOTED, "stale", f"the same price since {day}, {STALE_BARS} sessions or more")
    if not (bars.volume > 0).any():
        return
    for begin, end in _runs(bars.volume == 0):
        if end - begin >= ZERO_VOLUME_BARS and bars.session[end - 1] >= first:
            day = bars.session[begin].item()
            yield Verdict(day, NOTED, "zero volume", f"no volume since {day}, {ZERO_VOLUME_BARS} sessions or more")


def _without_dismissed(stored: Bars | None, incoming: Bars, dismissed: Bars) -> Bars:
    """Return the incoming bars without the dismissed ones, whose splits and dividends go to the bar after them.

    They go there only where they explain its price: those of a dismissed bar may be the very error.
    """
    series = _in_order(incoming, *([stored] if stored is not None else []), dismissed)
    left_out = _same_bars(series, dismissed)
    split, dividend = series.split.copy(), series.dividend.copy()
    for begin, end in _runs(left_out):
        if begin > 0 and end < len(series):
            split[end], dividend[end] = actions_over(series, begin, end, float(series.close[begin - 1]))
    series = replace(series, split=split, dividend=dividend)
    return series.select(~left_out & are_among(series.session, incoming.session))


def _in_order(*parts: Bars) -> Bars:
    """Return one bar for each session of some bars, in session order: that of the first part that has the session."""
    series = concatenate_bars(parts)
    _, first = np.unique(series.session, return_index=True)
    return series.select(first)


def _as_delivered(verdict: Verdict, delivered: Bars) -> Verdict:
    """Return a verdict with its bar as the source delivered it, so that it is known again."""
    return replace(verdict, bars=delivered.select(delivered.session == np.datetime64(verdict.session)))


def _without_rescaled(stored: Bars, incoming: Bars) -> tuple[Bars, list[Verdict]]:
    """Return the incoming bars without those on another scale than the stored ones, and verdicts where there are any.

    A bar that is a stored one times the factor is left out, and the stored one stays. Bars of new sessions next to one are on
    that scale too, whether they are newer or fill a gap, and are quarantined.
    """
    common, ours, theirs = np.intersect1d(stored.session, incoming.session, assume_unique=True, return_indices=True)
    factors = np.log(incoming.close[theirs] / stored.close[ours])
    differs = np.abs(factors) > RESCALED
    if not _have_one_factor(factors, differs):
        return incoming, []
    is_other_scale = _on_other_scale(incoming.session, common, differs)
    added = incoming.session[is_other_scale & ~are_among(incoming.session, stored.session)]
    days = added if len(added) else common[differs][:1]
    times = float(np.exp(np.median(factors[differs])))
    message = f"{times:.4g} times the stored price in {counted(int(differs.sum()), 'bar')}, as after a split that is not reported"
    return incoming.select(~is_other_scale), [Verdict(day, QUARANTINED, "rescaled", message) for day in days.tolist()]


def _on_other_scale(sessions: Days, common: Days, differs: Mask) -> Mask:
    """Return which of some sessions (n,) are on the other scale: where a bar differs from the stored one next to it.

    Next to a session are the common one at it or before it, and the one at it or after it.
    """
    before = np.searchsorted(common, sessions, side="right") - 1
    after = np.minimum(np.searchsorted(common, sessions), len(common) - 1)
    is_other: Mask = differs[np.maximum(before, 0)] | differs[after]
    return is_other


def _have_one_factor(factors: NDArray[np.float64], differs: Mask) -> bool:
    """Return whether bars that differ from the stored ones do so by one factor, and are all bars or at least three."""
    if not differs.any() or not (differs.all() or differs.sum() >= FEWEST_RESCALED):
        return False
    return bool(np.ptp(factors[differs]) <= SAME_FACTOR)


def _merged(stored: Bars | None, incoming: Bars) -> tuple[Bars, Mask]:
    """Return one series of the stored and the incoming bars in session order, and which of it is new or restated."""
    if stored is None or not len(stored):
        return incoming, np.ones(len(incoming), dtype=np.bool_)
    rest = stored.select(~are_among(stored.session, incoming.session))
    series = concatenate_bars([rest, incoming])
    is_new = np.concatenate([np.zeros(len(rest), dtype=np.bool_), ~_same_bars(incoming, stored, within=CHANGED_BY_FAR)])
    order = np.argsort(series.session)
    return series.select(order), is_new[order]


def _same_bars(bars: Bars, others: Bars, within: float = SAME_WITHIN) -> Mask:
    """Return which bars have one among others with the same session, split and dividend, and prices within a share of it."""
    _, ours, theirs = np.intersect1d(bars.session, others.session, assume_unique=True, return_indices=True)
    matches = np.zeros(len(bars), dtype=np.bool_)
    same = np.ones(len(ours), dtype=np.bool_)
    for name in (*PRICE_FIELDS, "dividend", "split"):
        a, b = getattr(bars, name)[ours], getattr(others, name)[theirs]
        share = within if name in PRICE_FIELDS else SAME_WITHIN
        same &= np.abs(a - b) <= share * np.maximum(np.abs(a), np.abs(b))
    matches[ours] = same
    return matches


def _runs(mask: Mask) -> Iterator[tuple[int, int]]:
    """Yield the begin and the end (exclusive) of each run of True."""
    # A difference of booleans is where they change.
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]))).tolist()
    yield from zip(edges[::2], edges[1::2], strict=True)
