"""The charts of how well past intervals held: rolling coverage, the PIT histogram and the skill by month. Modes stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tickercast.jobs.pages.axes import MOST_LABELS, titled
from tickercast.jobs.pages.calibration import (
    DECILES,
    WINDOW,
    MonthSkill,
    PitHistogram,
    RollingShare,
    binomial_band,
    of_mode,
    rolling_share,
)
from tickercast.jobs.pages.charts import Chart, Numbers, Role, Trace, band, columns, horizontal, line, short
from tickercast.jobs.pages.rows import Row
from tickercast.jobs.scoring.terms import MODES
from tickercast.jobs.terminal.figures import basis_points, percent
from tickercast.jobs.terminal.text import counted

LEVELS = (90, 80)
FEWEST_TARGETS = 5  # of a month whose skill is drawn where other months have more
BAR_WIDTH = 0.8  # of a month's place
MODE_ROLES: dict[str, Role] = {"live": "price", "catchup": "event", "backfill": "baseline"}


def coverage(settled: Sequence[Row]) -> Chart | None:
    """Return the rolling share inside the 90 % and the 80 % interval, each mode for itself; None where none has WINDOW targets.

    settled: scored forecasts one session ahead, oldest first.
    """
    found = {level: [each for mode in MODES if (each := rolling_share(settled, mode, level)).targets] for level in LEVELS}
    if not found[LEVELS[0]]:
        return None
    days = [target for each in found[LEVELS[0]] for target in each.targets]
    data: list[Trace] = []
    for panel, (level, lines) in enumerate(found.items(), 1):
        data += _coverage_panel(level, lines, (min(days), max(days)), "" if panel == 1 else str(panel))
    layout = {
        "xaxis": {"type": "date", "anchor": "y2"},
        "yaxis": {"domain": [0.54, 1], "tickformat": ".0%", **titled("inside 90 %")},
        "yaxis2": {"domain": [0, 0.46], "tickformat": ".0%", **titled("inside 80 %")},
    }
    return Chart("coverage", f"Coverage of {WINDOW} targets", _coverage_text(settled), data, _coverage_table(found), layout)


def pit(histogram: PitHistogram) -> Chart:
    """Return the histogram of a mode's PIT values with the band within which a calibrated forecast's bars lie."""
    low, high = histogram.band
    centres = [(decile + 0.5) / DECILES for decile in range(DECILES)]
    inside = sum(low <= share <= high for share in histogram.shares)
    data = [
        columns(centres, short(histogram.shares, 4), "share of outcomes", MODE_ROLES[histogram.mode], width=0.095),
        *band([0, 1], [low, low], [high, high], "95 % band of a calibrated forecast", "good"),
    ]
    text = (
        f"Where outcomes fell in their forecast distribution, {histogram.mode}, {counted(histogram.n, 'target')} from "
        f"{histogram.first_target} to {histogram.last_target}: {inside} of {DECILES} tenths are within the band. "
        + _pit_shape(histogram)
    )
    rows = [
        (f"{decile / DECILES:.1f} to {(decile + 1) / DECILES:.1f}", percent(share), f"{percent(low)} to {percent(high)}")
        for decile, share in enumerate(histogram.shares)
    ]
    layout = {
        "xaxis": {"range": [0, 1], "tickformat": ".1f", **titled("probability that the forecast gave to less")},
        "yaxis": {"tickformat": ".0%", "rangemode": "tozero"},
        "shapes": [horizontal(1 / DECILES, "good")],
        "hovermode": "closest",
        "bargap": 0.05,
    }
    head = ("PIT", "share of outcomes, %", "band, %")
    return Chart(f"pit-{histogram.mode}", f"PIT histogram, {histogram.mode}", text, data, Numbers(head, rows), layout)


def skill(months: Sequence[MonthSkill]) -> Chart:
    """Return the CRPS skill of each month, a bar for each mode in it with targets enough. months: not empty, in order."""
    drawn = [month for month in months if month.n >= FEWEST_TARGETS] or months
    modes = [mode for mode in MODES if any(month.mode == mode for month in drawn)]
    data = [_skill_bars(drawn, mode) for mode in modes]
    labels = sorted({month.month for month in drawn})
    step = -(-len(labels) // MOST_LABELS)
    layout = {
        "xaxis": {
            "type": "category", "categoryorder": "array", "categoryarray": labels, "tickvals": labels[::-step][::-1],
            "ticktext": [f"{date.fromisoformat(f'{label}-01'):%b<br>%Y}" for label in labels[::-step][::-1]], "tickangle": 0,
            "showgrid": False,
        },
        "yaxis": {"ticksuffix": " %", "zeroline": True},
        "shapes": [horizontal(0, "muted", dash="solid")],
        "barmode": "overlay",
    }  # fmt: skip
    rows = [
        (
            each.month,
            each.mode,
            str(each.n),
            percent(each.skill, signed=True),
            *map(basis_points, (each.crps, each.baseline_crps)),
        )
        for each in reversed(months)
    ]
    head = ("month", "mode", "n", "skill, %", "CRPS, bp", "random walk, bp")
    return Chart("skill", "Skill by month", _skill_text(drawn, modes), data, Numbers(head, rows), layout)


def _skill_bars(months: Sequence[MonthSkill], mode: str) -> Trace:
    """Return the bars of a mode. Those of one month share its width, so that a month of one mode has one broad bar."""
    ours = [month for month in months if month.mode == mode]
    beside = [[month.mode for month in months if month.month == each.month] for each in ours]
    widths = [BAR_WIDTH / len(modes) for modes in beside]
    offsets = [-BAR_WIDTH / 2 + modes.index(mode) * width for modes, width in zip(beside, widths, strict=True)]
    return columns(
        [month.month for month in ours], short((100 * month.skill for month in ours), 3), mode, MODE_ROLES[mode],
        customdata=[month.n for month in ours], hovertemplate="%{y:.1f} %, n = %{customdata}", width=widths, offset=offsets,
    )  # fmt: skip


def _coverage_panel(level: int, lines: Sequence[RollingShare], span: tuple[str, str], axis: str) -> list[Trace]:
    low, high = binomial_band(WINDOW, level / 100)
    place = {"yaxis": f"y{axis}"}
    first = {"showlegend": not axis}
    traces = band(list(span), [low, low], [high, high], "95 % band of a calibrated forecast", "good", 0.14)
    nominal = line(list(span), [level / 100] * 2, "intended", "good", line={"width": 1, "dash": "dot"}, hoverinfo="skip")
    drawn = [line(each.targets, short(each.shares, 4), each.mode, MODE_ROLES[each.mode]) for each in lines]
    for trace in (*traces, nominal):
        trace["hoverinfo"] = "skip"
    traces[1] |= first
    return [trace | place | {} for trace in traces] + [nominal | place | first] + [
        trace | place | first | {"hovertemplate": f"%{{y:.1%}} of {WINDOW} inside {level} %"} for trace in drawn
    ]  # fmt: skip


def _coverage_text(settled: Sequence[Row]) -> str:
    """Return the coverage of each mode so far, in words."""
    parts = []
    for mode in MODES:
        if ours := of_mode(settled, mode):
            shares = " and ".join(f"{percent(sum(row[f'inside_{level}'] for row in ours) / len(ours))} %" for level in LEVELS)
            missing = "" if len(ours) >= WINDOW else f"; a line needs {WINDOW}"
            parts.append(f"{mode} {shares} (n = {len(ours)}{missing})")
    return (
        f"Inside the 90 % and the 80 % interval were: {'; '.join(parts)}. A line is the share of {WINDOW} targets of one mode "
        "up to that day; a calibrated forecast stays within the band 95 % of the time."
    )


def _coverage_table(found: dict[int, list[RollingShare]]) -> Numbers:
    wide, narrow = (found[level] for level in LEVELS)
    rows = [
        (target, each.mode, percent(share), percent(other))
        for each, beside in zip(wide, narrow, strict=True)
        for target, share, other in zip(each.targets, each.shares, beside.shares, strict=True)
    ]
    return Numbers(("up to", "mode", "inside 90 %, %", "inside 80 %, %"), sorted(rows, reverse=True))


def _pit_shape(histogram: PitHistogram) -> str:
    """Return what the histogram says of the intervals."""
    low, high = histogram.band
    ends, middle = (histogram.shares[0] + histogram.shares[-1]) / 2, sum(histogram.shares[3:7]) / 4
    if ends > high:
        return "Too many are at the ends: the intervals are too narrow."
    if middle > high or ends < low:
        return "Too many are in the middle: the intervals are too wide."
    return "It shows neither too narrow nor too wide intervals."


def _skill_text(months: Sequence[MonthSkill], modes: Sequence[str]) -> str:
    parts = []
    for mode in modes:
        ours = [month for month in months if month.mode == mode]
        parts.append(f"{mode} {sum(month.skill > 0 for month in ours)} of {counted(len(ours), 'month')}")
    return (
        f"Months in which the forecasts one session ahead had a lower CRPS than the random walk: {'; '.join(parts)}. "
        f"A month has about 21 targets, so single months say little; one with fewer than {FEWEST_TARGETS} has no bar."
    )
