"""Bars in memory: one row for each session, or, in a history, one row for each time a session was recorded.

A history is bitemporal: a restated bar is a further row with a later recorded_at. Nothing is overwritten, so any past state
can be read again. Adjusted prices are derived here, on read. Files are in storage.bar_files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickercast.storage.days import Days, are_among, instant64

PRICE_FIELDS = ("open", "high", "low", "close")
VALUE_FIELDS = (*PRICE_FIELDS, "volume", "dividend", "split")
# A relative difference below this is float noise, not a restatement; the first record stays.
SAME_WITHIN = 1e-4
MOST_PRICE, MOST_SPLIT, MOST_VOLUME = 1e12, 1e5, 2**62
REPEATED = "repeated row"  # marks a row that repeats another; it is dropped and not reported

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing as its source states it. price_basis: as_traded, split_adjusted or fully_adjusted; kind: empty = not told."""

    ticker: str
    currency: str
    exchange: str
    time_zone: str
    price_basis: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """n bars in session order. Prices in the listing's currency, dividend per share, split 1.0 = none; arrays (n,)."""

    session: Days
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: NDArray[np.int64]
    dividend: Floats
    split: Floats
    recorded_at: Days
    source: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.session)

    def select(self, which: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Bars:
        """Return the bars of a slice, of positions or of a mask (n,)."""
        return Bars(*(getattr(self, f.name)[which] for f in fields(self)))

    def through(self, session: date) -> Bars:
        """Return the bars up to a session, inclusive."""
        return self.select(slice(int(np.searchsorted(self.session, np.datetime64(session), side="right"))))

    def recorded(self, at: datetime, source: str) -> Bars:
        """Return the same bars with the instant and the source of their recording."""
        stamp = np.full(len(self), instant64(at))
        return replace(self, recorded_at=stamp, source=np.full(len(self), source))


@dataclass(frozen=True, slots=True)
class BarHistory:
    """Every record of a ticker's bars, sorted by session, then recorded_at."""

    listing: Listing
    bars: Bars


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """A value of a stored bar that the source gives differently now."""

    session: date
    field: str
    old: float
    new: float


@dataclass(frozen=True, slots=True)
class Merge:
    """A history with new bars merged in.

    added: number of new sessions. restated: the values that changed. changed_from: the first session with a new row.
    """

    history: BarHistory
    added: int
    restated: tuple[ChangedValue, ...]
    changed_from: date | None = None

    @property
    def changed(self) -> bool:
        return bool(self.added or self.restated)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be stored as a bar. code: the gate's; reason: for the user."""

    session: date
    code: str
    reason: str


def make_bars(session: Days, values: Mapping[str, Any]) -> Bars:
    """Return bars, not yet recorded, from arrays (n,) by field name; volume, dividend and split may be missing."""
    n = len(session)
    floats = {name: np.asarray(values[name], np.float64) for name in PRICE_FIELDS}
    volume = np.nan_to_num(np.asarray(values.get("volume", np.zeros(n)), np.float64))
    return Bars(
        session=session.astype("datetime64[D]"),
        **floats,
        volume=np.clip(volume, -1, MOST_VOLUME).astype(np.int64),
        dividend=np.asarray(values.get("dividend", np.zeros(n)), np.float64),
        split=np.asarray(values.get("split", np.ones(n)), np.float64),
        recorded_at=np.full(n, np.datetime64("NaT", "us")),
        source=np.full(n, ""),
    )


def refuse_bad_rows(bars: Bars) -> tuple[Bars, tuple[Refusal, ...]]:
    """Return the bars that can be stored, in session order, and the refused rows with their reasons.

    Refused: a price that is null, zero, negative or above 1e12; a row whose prices contradict each other; a negative volume
    or dividend; a split outside 1e-5..1e5; a session given twice with different values. Of equal rows one is kept. The
    split and the dividend of a row refused for its prices or its volume move to the next bar.
    """
    order = np.argsort(bars.session, kind="stable")
    bars = bars.select(order)
    codes = np.full(len(bars), "", dtype=object)
    reasons = codes.copy()

    def refuse(which: NDArray[np.bool_], code: str, reason: str) -> None:
        if not which.any():
            return
        fresh = which & (codes == "")
        codes[fresh], reasons[fresh] = code, reason

    for name in PRICE_FIELDS:
        value = getattr(bars, name)
        refuse(~np.isfinite(value), "null price", f"{name} is null or not finite")
        refuse(value <= 0, "bad price", f"{name} is zero or negative")
        refuse(value > MOST_PRICE, "bad price", f"{name} is beyond {MOST_PRICE:.0e}")
    refuse(bars.high < bars.low, "incoherent", "high is below low")
    for name in ("open", "close"):
        value = getattr(bars, name)
        outside = (value > bars.high * (1 + SAME_WITHIN)) | (value < bars.low * (1 - SAME_WITHIN))
        refuse(outside, "incoherent", f"{name} is outside of low to high")
    refuse(bars.volume < 0, "bad volume", "volume is negative")
    refuse(~_are_dividends(bars.dividend), "bad action", "dividend is negative or absurd")
    refuse(~_are_splits(bars.split), "bad action", "split is not positive or absurd")
    _mark_duplicates(bars, codes, reasons)
    keep = codes == ""
    if keep.all():
        return bars, ()
    bars = _with_actions_passed_on(bars, codes)
    refused = [
        Refusal(day, code, reason)
        for day, code, reason in zip(bars.session[~keep].tolist(), codes[~keep], reasons[~keep], strict=True)
        if code != REPEATED
    ]
    return bars.select(keep), tuple(refused)


def as_known(history: BarHistory, known_at: datetime | None = None, through: date | None = None) -> Bars:
    """Return one bar for each session up to a date, inclusive: the latest recorded by an instant. Arrays may be the history's."""
    recorded = history.bars
    keep = np.ones(len(recorded), dtype=np.bool_)
    if known_at is not None:
        keep &= recorded.recorded_at <= instant64(known_at)
    if through is not None:
        keep &= recorded.session <= np.datetime64(through)
    bars = recorded if keep.all() else recorded.select(keep)
    last = np.ones(len(bars), dtype=np.bool_)
    last[:-1] = bars.session[1:] != bars.session[:-1]
    return bars if last.all() else bars.select(last)


def merge_bars(history: BarHistory | None, listing: Listing, incoming: Bars, *, recorded_at: datetime, source: str) -> Merge:
    """Return the history with newly fetched bars: new sessions added, bars with changed values as further rows.

    A value within 1e-4 relative of the stored one counts as the same. Bars that the source no longer gives stay.
    """
    incoming = incoming.recorded(recorded_at, source)
    if history is None:
        return Merge(BarHistory(listing, incoming), len(incoming), (), _first_session(incoming))
    latest = as_known(history)
    position = np.searchsorted(latest.session, incoming.session)
    known = np.zeros(len(incoming), dtype=np.bool_)
    inside = position < len(latest)
    known[inside] = latest.session[position[inside]] == incoming.session[inside]
    old, new = latest.select(position[known]), incoming.select(known)
    restated = tuple(_differences(old, new))
    changed_days = np.array(sorted({r.session for r in restated}), dtype="datetime64[D]")
    new_rows = incoming.select(~known | are_among(incoming.session, changed_days))
    bars = concatenate_bars([history.bars, new_rows])
    order = np.lexsort((bars.recorded_at, bars.session))
    merged = BarHistory(listing, bars.select(order))
    return Merge(merged, int((~known).sum()), restated, _first_session(new_rows))


def log_returns(bars: Bars, field: str) -> Floats:
    """Return the natural-log returns (n,) of a price field, adjusted for splits and dividends; the first is NaN.

    The return is log(P_t / (P_{t-1} / split_t - dividend_t)). The dividend is per share after the split, as Yahoo gives it.
    """
    price: Floats = getattr(bars, field)
    returns = np.full(len(price), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        returns[1:] = np.log(price[1:] / _net_of_actions(price[:-1], bars))
    return returns


def adjusted(bars: Bars) -> Bars:
    """Return the bars with prices adjusted for later splits and dividends, and volumes for later splits."""
    factor, shares = np.ones(len(bars)), np.ones(len(bars))
    before = bars.close[:-1]
    factor[:-1] = np.cumprod((_net_of_actions(before, bars) / before)[::-1])[::-1]
    shares[:-1] = np.cumprod(bars.split[:0:-1])[::-1]
    prices = {name: getattr(bars, name) * factor for name in PRICE_FIELDS}
    volume = np.rint(bars.volume * shares).astype(np.int64)
    return replace(bars, **prices, volume=volume)


def concatenate_bars(parts: Sequence[Bars]) -> Bars:
    """Return the rows of several bars, one part after the other. They are not sorted."""
    return Bars(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Bars)))


def _first_session(bars: Bars) -> date | None:
    return min(bars.session.tolist(), default=None)


def _net_of_actions(before: Floats, bars: Bars) -> Floats:
    """Return the prices before each bar but the first, (n - 1,), divided by its split and less its dividend.

    A dividend as large as the price or larger is ignored: it is an error of the source.
    """
    on_new_shares = before / bars.split[1:]
    dividend = bars.dividend[1:]
    return np.where(dividend < on_new_shares, on_new_shares - dividend, on_new_shares)


def _mark_duplicates(bars: Bars, codes: NDArray[np.object_], reasons: NDArray[np.object_]) -> None:
    usable = np.flatnonzero(codes == "")
    days = bars.session[usable]
    values = np.column_stack([getattr(bars, name)[usable] for name in VALUE_FIELDS])
    same_day = np.zeros(len(usable), dtype=np.bool_)
    same_day[1:] = days[1:] == days[:-1]
    if not same_day.any():
        return
    for day in np.unique(days[same_day]):
        members = np.flatnonzero(days == day)
        alike = bool((values[members] == values[members[0]]).all())
        chosen = usable[members[1:] if alike else members]
        codes[chosen] = REPEATED if alike else "duplicate"
        reasons[chosen] = "session given twice with different values"


def _with_actions_passed_on(bars: Bars, codes: NDArray[np.object_]) -> Bars:
    """Return the bars, with the split and the dividend of each row refused for its prices or volume moved to the next bar."""
    is_lost = np.isin(codes, ("null price", "bad price", "incoherent", "bad volume"))
    lost = np.flatnonzero(is_lost & _are_splits(bars.split) & _are_dividends(bars.dividend))
    usable = np.flatnonzero(codes == "")
    after = np.searchsorted(usable, lost)
    has_next = after < len(usable)
    lost, next_rows = lost[has_next], usable[after[has_next]]
    split, dividend = bars.split.copy(), bars.dividend.copy()
    np.multiply.at(split, next_rows, bars.split[lost])
    np.add.at(dividend, next_rows, bars.dividend[lost])
    return replace(bars, split=split, dividend=dividend)


def _are_dividends(dividend: Floats) -> NDArray[np.bool_]:
    return (dividend >= 0) & (dividend <= MOST_PRICE)


def _are_splits(split: Floats) -> NDArray[np.bool_]:
    return (split >= 1 / MOST_SPLIT) & (split <= MOST_SPLIT)


def _differences(old: Bars, new: Bars) -> Iterable[ChangedValue]:
    for name in VALUE_FIELDS:
        was, now = (getattr(b, name) for b in (old, new))
        differs = np.abs(now - was) > SAME_WITHIN * np.maximum(np.abs(was), np.abs(now))
        for i in np.flatnonzero(differs):
            yield ChangedValue(old.session[i].item(), name, float(was[i]), float(now[i]))
