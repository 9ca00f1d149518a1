"""Bars in memory: one row a session, or, in a history, one row each time a session was recorded anew.

A history is bitemporal: a restated bar is a further row with a later recorded_at, and nothing is overwritten, so any past
state can be read again. Adjusted prices are derived here, on read. Files are storage.bar_files' matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

PRICE_FIELDS = ("open", "high", "low", "close")
VALUE_FIELDS = (*PRICE_FIELDS, "volume", "dividend", "split")
# Two vintages of one bar differ by float noise below this; the first record stays.
SAME_WITHIN = 1e-4

Days = NDArray[np.datetime64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source says of a ticker. price_basis: as_traded, split_adjusted or fully_adjusted."""

    ticker: str
    currency: str
    exchange: str
    time_zone: str
    price_basis: str


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

    def rows(self, which: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Bars:
        """Return some of the rows."""
        return Bars(*(getattr(self, f.name)[which] for f in fields(self)))

    def through(self, session: date) -> Bars:
        """Return the bars up to a session, inclusive."""
        return self.rows(slice(0, int(np.searchsorted(self.session, np.datetime64(session), side="right"))))

    def recorded(self, at: datetime, source: str) -> Bars:
        """Return the same bars with the instant and the source of their recording."""
        stamp = np.full(len(self), _utc64(at), dtype="datetime64[us]")
        return replace(self, recorded_at=stamp, source=np.full(len(self), source))


@dataclass(frozen=True, slots=True)
class BarHistory:
    """Every record of a ticker's bars, sorted by session, then recorded_at."""

    listing: Listing
    rows: Bars


@dataclass(frozen=True, slots=True)
class Restatement:
    """A value of a stored bar that the source gives otherwise now."""

    session: date
    field: str
    old: float
    new: float


@dataclass(frozen=True, slots=True)
class Merge:
    """A history after new bars came in. added: sessions that were new; restated: values that changed."""

    history: BarHistory
    added: int
    restated: tuple[Restatement, ...]

    @property
    def changed(self) -> bool:
        return bool(self.added or self.restated)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that no bar can be made of, and why."""

    session: date | None
    reason: str


def make_bars(session: Days, values: dict[str, NDArray[np.generic]]) -> Bars:
    """Return bars of arrays by field name; volume, dividend and split may be left out. Not yet recorded."""
    n = len(session)
    floats = {name: np.asarray(values[name], np.float64) for name in PRICE_FIELDS}
    return Bars(
        session=session.astype("datetime64[D]"),
        **floats,
        volume=np.asarray(values.get("volume", np.zeros(n)), np.int64),
        dividend=np.asarray(values.get("dividend", np.zeros(n)), np.float64),
        split=np.asarray(values.get("split", np.ones(n)), np.float64),
        recorded_at=np.full(n, np.datetime64("NaT", "us")),
        source=np.full(n, "", dtype=np.str_),
    )


def refuse_unusable(bars: Bars) -> tuple[Bars, tuple[Refusal, ...]]:
    """Return the bars that can be stored, in session order, and the rest with its reasons.

    Refused: a price that is null, zero, negative or not finite, high < low, a negative volume or dividend, a split that is
    not positive, and a session given twice with different values (given twice alike counts once).
    """
    order = np.argsort(bars.session, kind="stable")
    bars = bars.rows(order)
    reasons = np.full(len(bars), "", dtype=object)
    for name in PRICE_FIELDS:
        value = getattr(bars, name)
        reasons[(reasons == "") & ~np.isfinite(value)] = f"{name} is null or not finite"
        reasons[(reasons == "") & (value <= 0)] = f"{name} is zero or negative"
    reasons[(reasons == "") & (bars.high < bars.low)] = "high is below low"
    reasons[(reasons == "") & (bars.volume < 0)] = "volume is negative"
    reasons[(reasons == "") & ~(np.isfinite(bars.dividend) & (bars.dividend >= 0))] = "dividend is negative"
    reasons[(reasons == "") & ~(np.isfinite(bars.split) & (bars.split > 0))] = "split is not positive"
    _mark_duplicates(bars, reasons)
    keep = reasons == ""
    refused = [
        Refusal(day, str(reason))
        for day, reason in zip(bars.session[~keep].tolist(), reasons[~keep], strict=True)
        if reason != "the same row again"
    ]
    return bars.rows(keep), tuple(refused)


def as_known(history: BarHistory, known_at: datetime | None = None, through: date | None = None) -> Bars:
    """Return one bar a session: the latest recorded by an instant, of the sessions up to a date."""
    rows = history.rows
    keep = np.ones(len(rows), dtype=np.bool_)
    if known_at is not None:
        keep &= rows.recorded_at <= _utc64(known_at)
    if through is not None:
        keep &= rows.session <= np.datetime64(through)
    rows = rows.rows(keep)
    last = np.ones(len(rows), dtype=np.bool_)
    last[:-1] = rows.session[1:] != rows.session[:-1]
    return rows.rows(last)


def merge_bars(history: BarHistory | None, listing: Listing, incoming: Bars, *, recorded_at: datetime, source: str) -> Merge:
    """Return the history with newly fetched bars: new sessions added, changed values as further rows.

    A value within 1e-4 relative of the stored one is the same. Bars that the source no longer gives stay.
    """
    incoming = incoming.recorded(recorded_at, source)
    if history is None:
        return Merge(BarHistory(listing, incoming), len(incoming), ())
    latest = as_known(history)
    place = np.searchsorted(latest.session, incoming.session)
    known = np.zeros(len(incoming), dtype=np.bool_)
    inside = place < len(latest)
    known[inside] = latest.session[place[inside]] == incoming.session[inside]
    old, new = latest.rows(place[known]), incoming.rows(known)
    restated = tuple(_differences(old, new))
    changed_days = np.array(sorted({r.session for r in restated}), dtype="datetime64[D]")
    take = incoming.rows(~known | np.isin(incoming.session, changed_days))
    rows = _joined([history.rows, take])
    order = np.lexsort((rows.recorded_at, rows.session))
    return Merge(BarHistory(listing, rows.rows(order)), int((~known).sum()), restated)


def log_returns(bars: Bars, field: str) -> Floats:
    """Return (n,) natural-log returns from the bar before, adjusted for splits and dividends; the first is NaN.

    log(P_t / (P_{t-1} / split_t - dividend_t)): the dividend is per share of this session's count (Yahoo's convention).
    """
    price = np.asarray(getattr(bars, field), np.float64)
    returns = np.full(len(price), np.nan)
    before = price[:-1] / bars.split[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        # A dividend of all the price or more is no dividend; without it the move stays what was traded.
        net = np.where(bars.dividend[1:] < before, before - bars.dividend[1:], before)
        returns[1:] = np.log(price[1:] / net)
    return returns


def adjusted(bars: Bars) -> Bars:
    """Return the bars with prices adjusted for later splits and dividends, as known by the last bar; volume for splits."""
    n = len(bars)
    factor, shares = np.ones(n), np.ones(n)
    for i in range(n - 1, 0, -1):
        before = bars.close[i - 1] / bars.split[i]
        net = before - bars.dividend[i] if bars.dividend[i] < before else before
        factor[i - 1] = factor[i] * net / bars.close[i - 1]
        shares[i - 1] = shares[i] * bars.split[i]
    prices = {name: getattr(bars, name) * factor for name in PRICE_FIELDS}
    volume = np.rint(bars.volume * shares).astype(np.int64)
    return replace(bars, **prices, volume=volume)


def _mark_duplicates(bars: Bars, reasons: NDArray[np.object_]) -> None:
    usable = np.flatnonzero(reasons == "")
    days = bars.session[usable]
    values = np.column_stack([np.asarray(getattr(bars, name), np.float64)[usable] for name in VALUE_FIELDS])
    same_day = np.zeros(len(usable), dtype=np.bool_)
    same_day[1:] = days[1:] == days[:-1]
    if not same_day.any():
        return
    for day in np.unique(days[same_day]):
        members = np.flatnonzero(days == day)
        alike = bool((values[members] == values[members[0]]).all())
        chosen = members[1:] if alike else members
        reasons[usable[chosen]] = "the same row again" if alike else "session given twice with different values"


def _differences(old: Bars, new: Bars) -> Iterable[Restatement]:
    for name in VALUE_FIELDS:
        was, now = (np.asarray(getattr(b, name), np.float64) for b in (old, new))
        differs = np.abs(now - was) > SAME_WITHIN * np.maximum(np.abs(was), np.abs(now))
        for i in np.flatnonzero(differs):
            yield Restatement(old.session[i].item(), name, float(was[i]), float(now[i]))


def _joined(parts: Sequence[Bars]) -> Bars:
    return Bars(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Bars)))


def _utc64(instant: datetime) -> np.datetime64:
    if instant.tzinfo is None:
        raise ValueError(f"{instant}: an instant needs its time zone")
    return np.datetime64(int(instant.timestamp() * 1_000_000 + 0.5), "us")
