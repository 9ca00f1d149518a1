"""How well past intervals held: rolling coverage, the PIT histogram and skill by month, each for one mode, with sampling bands.

rows: settled forecasts one session ahead, oldest first, with the columns of view `outcome`. They do not overlap, so where the
forecast is calibrated, whether one outcome is inside does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from math import exp, lgamma, log

from tickercast.jobs.pages.rows import Row

WINDOW = 60  # targets of a rolling share
BAND_LEVEL = 0.95  # share of the samples of a calibrated forecast that lie within a band
DECILES = 10
FEWEST_PIT = 20  # fewer values have no shape


@dataclass(frozen=True, slots=True)
class RollingShare:
    """The share of outcomes inside an interval over each run of WINDOW targets of a mode; targets: the last of each run."""

    mode: str
    level: int
    targets: list[str]
    shares: list[float]


@dataclass(frozen=True, slots=True)
class PitHistogram:
    """The share of PIT values in each tenth, and the band within which a calibrated forecast's shares lie."""

    mode: str
    n: int
    shares: list[float]
    band: tuple[float, float]
    first_target: str
    last_target: str


@dataclass(frozen=True, slots=True)
class MonthSkill:
    """The CRPS skill of a mode's forecasts in a month, YYYY-MM: above 0 is better than the random walk."""

    month: str
    mode: str
    n: int
    crps: float
    baseline_crps: float

    @property
    def skill(self) -> float:
        """Return 1 - crps / baseline_crps."""
        return 1 - self.crps / self.baseline_crps


def of_mode(rows: Sequence[Row], mode: str) -> list[Row]:
    """Return the rows of a mode."""
    return [row for row in rows if row["mode"] == mode]


def rolling_share(rows: Sequence[Row], mode: str, level: int) -> RollingShare:
    """Return a mode's rolling share inside a central interval; empty with fewer than WINDOW targets. level: 50, 80 or 90."""
    ours = of_mode(rows, mode)
    counts = list(accumulate((row[f"inside_{level}"] for row in ours), initial=0))
    shares = [(counts[end] - counts[end - WINDOW]) / WINDOW for end in range(WINDOW, len(counts))]
    return RollingShare(mode, level, [row["target"] for row in ours[WINDOW - 1 :]], shares)


def pit_histogram(rows: Sequence[Row], mode: str) -> PitHistogram | None:
    """Return the histogram of a mode's PIT values, None with fewer than FEWEST_PIT. A tenth includes its lower end."""
    ours = of_mode(rows, mode)
    if len(ours) < FEWEST_PIT:
        return None
    counts = [0] * DECILES
    for row in ours:
        counts[min(int(row["pit"] * DECILES), DECILES - 1)] += 1
    n = len(ours)
    shares = [count / n for count in counts]
    return PitHistogram(mode, n, shares, binomial_band(n, 1 / DECILES), ours[0]["target"], ours[-1]["target"])


def skill_by_month(rows: Sequence[Row]) -> list[MonthSkill]:
    """Return the skill of each month of targets and each mode in it, in that order. Modes are never pooled."""

    def key(row: Row) -> tuple[str, str]:
        return row["target"][:7], row["mode"]

    found = []
    for (month, mode), group in groupby(sorted(rows, key=key), key):
        ours = list(group)
        crps, baseline = (sum(row[name] for row in ours) / len(ours) for name in ("crps", "baseline_crps"))
        found.append(MonthSkill(month, mode, len(ours), crps, baseline))
    return found


def binomial_band(n: int, share: float, level: float = BAND_LEVEL) -> tuple[float, float]:
    """Return the central band of the share of n independent trials that succeed, each with the probability `share`."""
    tail = (1 - level) / 2
    return _binomial_quantile(n, share, tail) / n, _binomial_quantile(n, share, 1 - tail) / n


def _binomial_quantile(n: int, share: float, probability: float) -> int:
    """Return the smallest count whose cumulated probability reaches a probability."""
    below = 0.0
    for count in range(n + 1):
        log_choose = lgamma(n + 1) - lgamma(count + 1) - lgamma(n - count + 1)
        below += exp(log_choose + count * log(share) + (n - count) * log(1 - share))
        if below >= probability:
            return count
    return n
