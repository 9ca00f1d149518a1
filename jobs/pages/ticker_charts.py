"""The charts of one ticker's forecasts: the fan of the newest ones, and past forecasts with their outcomes as returns."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Any

from tickercast.jobs.pages.axes import every_fifth, long_day, month_axis, session_axis, short_day, titled
from tickercast.jobs.pages.charts import Chart, Numbers, Trace, band, line, points, short, vertical
from tickercast.jobs.pages.rows import Row
from tickercast.jobs.scoring.terms import MODES
from tickercast.jobs.terminal.figures import percent, price_decimals, price_text
from tickercast.jobs.terminal.text import counted

SHOWN_TARGETS = 252

# Of a band: its lower and upper quantile, the share of outcomes that it should hold, and its opacity over the one around it.
BANDS = (("q05", "q95", "90 %", 0.2), ("q10", "q90", "80 %", 0.3), ("q25", "q75", "50 %", 0.45))


def fan(ticker: str, forecasts: Sequence[Row], bars: Sequence[Row], currency: str) -> Chart:
    """Return the prices of the newest sessions, and from the origin on the median and the bands of the sessions ahead.

    bars: up to the origin, oldest first. Their prices are brought to the origin's scale by the adjusted returns.
    """
    origin, last_price, field = (forecasts[0][key] for key in ("origin", "last_price", "field"))
    prices = prices_on_scale_of(last_price, bars, field)
    past, ahead = [row["session"] for row in bars], [row["target"] for row in forecasts]
    data: list[Trace] = []
    for low, high, share, opacity in BANDS:
        lower, upper = ([last_price, *(row[name] for row in forecasts)] for name in (low, high))
        data += band([origin, *ahead], short(lower), short(upper), f"{share} band", opacity=opacity)
    medians = short([last_price, *(row["q50"] for row in forecasts)])
    data.append(line([origin, *ahead], medians, "median", "median", line={"width": 2, "dash": "dot"}))
    data.append(line(past, short(prices), field, "price", line={"width": 2.5}))
    days = [*past, *ahead]
    layout = {
        "xaxis": session_axis(days, every_fifth(days, origin)),
        "yaxis": titled(currency) | {"hoverformat": f",.{price_decimals(last_price)}f"},
        "shapes": [vertical(origin, "muted")],
        "annotations": [_end_label(forecasts[-1], name) for name in ("q05", "q50", "q95")],
        "margin": {"l": 8, "r": 64, "t": 8, "b": 8},
    }
    return Chart(
        "fan",
        "Prices and the sessions ahead",
        _fan_text(ticker, forecasts, bars),
        data,
        _fan_table(past, prices, forecasts),
        layout,
    )


def prices_on_scale_of(last_price: float, bars: Sequence[Row], field: str) -> list[float]:
    """Return the bars' prices on the share scale of the last one, adjusted for splits and dividends between them."""
    closes = [last_price if field == "close" else bars[-1]["close"]] if bars else []
    for later in reversed(bars[1:]):
        closes.append(closes[-1] * exp(-(later["adjusted_return"] or 0.0)))
    closes.reverse()
    if field == "close":
        return closes
    return [close * bar["open"] / bar["close"] for close, bar in zip(closes, bars, strict=True)]


def returns(ticker: str, past: Sequence[Row]) -> Chart:
    """Return past forecasts one session ahead as percent of the last price: the 90 % band, and what happened.

    Outcomes outside of the band stand out. past: oldest first, not empty.
    """
    rows = past[-SHOWN_TARGETS:]
    days = [row["target"] for row in rows]
    low, high = (short(percent_move(row, name) for row in rows) for name in ("q05", "q95"))
    data = band(days, low, high, "90 % band")
    for trace in data:
        trace["line"] = {"width": 0, "shape": "hvh"}
    misses = [row for row in rows if not row["inside_90"]]
    hits = [row for row in rows if row["inside_90"]]
    data.append(_outcomes(hits, "outcome inside", "outcome", {"size": 4}))
    data.append(_outcomes(misses, "outcome outside", "miss", {"size": 8, "symbol": "diamond"}))
    layout = {
        "xaxis": month_axis(days),
        "yaxis": {"ticksuffix": " %", "zeroline": True, "hoverformat": "+.2f"},
        **_mode_marks(rows),
    }
    return Chart(
        "returns",
        "One session ahead: the band and what happened",
        _returns_text(ticker, rows),
        data,
        _returns_table(rows),
        layout,
    )


def percent_move(row: Row, name: str) -> float:
    """Return a price of a forecast as its distance from the last price in percent."""
    return float(100 * (row[name] / row["last_price"] - 1))


def _end_label(forecast: Row, name: str) -> dict[str, Any]:
    value = forecast[name]
    return {
        "x": forecast["target"], "y": value, "text": price_text(value, forecast["last_price"]), "xanchor": "left",
        "xshift": 6, "showarrow": False,
    }  # fmt: skip


def _outcomes(rows: Sequence[Row], name: str, role: Any, marker: dict[str, Any]) -> Trace:
    moves = short((percent_move(row, "realised_price") for row in rows), 4)
    return points([row["target"] for row in rows], moves, name, role, marker=marker)


def _mode_marks(rows: Sequence[Row]) -> dict[str, Any]:
    """Return a line with its day where the live forecasts begin, if others were before."""
    first = next((place for place, row in enumerate(rows) if row["mode"] == "live"), 0)
    if not first:
        return {}
    day = rows[first]["target"]
    side, shift = ("left", 4) if 2 * first < len(rows) else ("right", -4)
    label = {"x": day, "y": 1, "yref": "paper", "yanchor": "top", "xanchor": side, "xshift": shift, "showarrow": False}
    return {"shapes": [vertical(day, "muted")], "annotations": [label | {"text": f"live from {short_day(day)}"}]}


def _fan_text(ticker: str, forecasts: Sequence[Row], bars: Sequence[Row]) -> str:
    last = forecasts[-1]
    low, high = (percent(percent_move(last, name) / 100, signed=True) for name in ("q05", "q95"))
    return (
        f"{ticker} over its newest {len(bars)} sessions, then {counted(len(forecasts), 'session')} ahead: "
        f"on {long_day(last['target'])} it ends between {low} % and {high} % of the last price with a probability of 90 %. "
        "Earlier prices are adjusted for splits and dividends."
    )


def _fan_table(past: Sequence[str], prices: Sequence[float], forecasts: Sequence[Row]) -> Numbers:
    last = forecasts[0]["last_price"]
    names = ("q05", "q10", "q25", "q50", "q75", "q90", "q95")
    known = [(day, price_text(price, last), *("",) * len(names)) for day, price in zip(past, prices, strict=True)]
    ahead = [(row["target"], "", *(price_text(row[name], last) for name in names)) for row in forecasts]
    return Numbers(("session", "price", *(f"{int(name[1:])} %" for name in names)), [*ahead[::-1], *known[::-1]])


def _returns_text(ticker: str, rows: Sequence[Row]) -> str:
    outside = sum(not row["inside_90"] for row in rows)
    modes = ", ".join(f"{count} {mode}" for mode in MODES if (count := sum(row["mode"] == mode for row in rows)))
    provisional = sum(row["state"] == "provisional" for row in rows)
    waiting = f" {counted(provisional, 'outcome')} may still be corrected." if provisional else ""
    return (
        f"{outside} of {len(rows)} moves of {ticker} ({percent(outside / len(rows))} %) ended outside of the band that should "
        f"hold 90 % of them ({modes}).{waiting}"
    )


def _returns_table(rows: Sequence[Row]) -> Numbers:
    def cells(row: Row) -> tuple[str, ...]:
        moves = (percent(percent_move(row, name) / 100, 2, signed=True) for name in ("q05", "q95", "realised_price"))
        return (row["target"], row["mode"], *moves, "inside" if row["inside_90"] else "outside", row["state"])

    head = ("target", "mode", "low, %", "high, %", "outcome, %", "90 % band", "state")
    return Numbers(head, [cells(row) for row in reversed(rows)])
