"""Skill against the baseline, from scores made by hand.

Losses by hand: with differences d = 1, 2, 3, 4 the Diebold-Mariano statistic is 3.872983 and its p-value 0.030466
(test_jobs_scoring_significance.py has the arithmetic). Differences that alternate between m - 1 and m + 1 have mean m.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tickercast.jobs.scoring import skill
from tickercast.jobs.scoring.date_sums import date_sums_of
from tickercast.jobs.scoring.skill import verdict_of
from tickercast.jobs.scoring.ticker_sums import ticker_sums_of
from tickercast.storage.queries import ScoreColumns
from tickercast.storage.rows import SkillRow

FIRST = np.datetime64("2024-01-01")
COLUMNS: dict[str, Any] = {
    "ticker_id": 1, "horizon": 1, "mode": "backfill", "location": 0.01, "realised_return": 0.02, "abs_error": 0.01,
    "baseline_abs_error": 0.02, "crps": 0.005, "baseline_crps": 0.01, "inside_50": 0, "inside_80": 1, "inside_90": 1,
    "origin": FIRST, "scale": 0.02, "dof": 5.0, "pit": 0.7,
}  # fmt: skip


def scores_of(n: int, **columns: Any) -> ScoreColumns:
    """Return n scores on successive days. A column is one value for all of them, or n values."""
    given = {"target": FIRST + np.arange(n)} | COLUMNS | columns
    return ScoreColumns(**{name: np.broadcast_to(np.asarray(value), (n,)) for name, value in given.items()})


def together(*parts: ScoreColumns) -> ScoreColumns:
    """Return the scores of several parts, one part after the other."""
    return ScoreColumns(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(ScoreColumns)))


def won_by(mean: float, n: int, **columns: Any) -> ScoreColumns:
    """Return n scores whose baseline CRPS is higher by `mean` on average, alternating between mean - 1 and mean + 1."""
    return scores_of(n, crps=5.0, baseline_crps=5.0 + mean + np.resize([-1.0, 1.0], n), **columns)


def skill_rows(scores: ScoreColumns) -> list[SkillRow]:
    """Return the rows of each mode, without those of all modes together."""
    return [row for row in all_skill_rows(scores) if row.mode != "*"]


def all_skill_rows(scores: ScoreColumns) -> list[SkillRow]:
    return skill.skill_rows(ticker_sums_of(scores), date_sums_of(scores))


def keys(rows: Sequence[SkillRow]) -> list[tuple[int | None, int, str]]:
    return [(row.ticker_id, row.horizon, row.mode) for row in rows]


@pytest.mark.parametrize(
    ("n", "crps", "baseline_crps", "p_adjusted", "verdict"),
    [
        (60, 0.9, 1.0, 0.001, "better"),
        (60, 1.1, 1.0, 0.001, "worse"),
        (60, 0.9, 1.0, 0.05, "better"),
        (60, 1.1, 1.0, 0.05, "worse"),
        (1000, 0.9, 1.0, 0.050001, "not distinguishable"),
        (1000, 1.1, 1.0, 0.050001, "not distinguishable"),
        (1000, 0.9, 1.0, None, "not distinguishable"),
        (60, 1.0, 1.0, 0.001, "worse"),
    ],
)
def test_the_verdict_is_better_with_a_lower_crps_and_worse_with_a_higher_one_where_the_test_tells(
    n: int, crps: float, baseline_crps: float, p_adjusted: float | None, verdict: str
) -> None:
    assert verdict_of(n=n, crps=crps, baseline_crps=baseline_crps, p_adjusted=p_adjusted) == verdict


@pytest.mark.parametrize(("n", "verdict"), [(1, "not distinguishable"), (59, "not distinguishable"), (60, "better")])
def test_fewer_than_60_scores_are_never_distinguishable(n: int, verdict: str) -> None:
    assert verdict_of(n=n, crps=0.1, baseline_crps=1.0, p_adjusted=1e-9) == verdict


@pytest.mark.parametrize(
    ("mean", "n", "verdict"),
    [
        (0.5, 60, "better"),
        (-0.5, 60, "worse"),
        (0.0, 60, "not distinguishable"),
        (5.0, 59, "not distinguishable"),
        (-5.0, 59, "not distinguishable"),
    ],
)
def test_a_ticker_and_all_tickers_have_the_verdict_of_their_own_scores(mean: float, n: int, verdict: str) -> None:
    assert [(row.ticker_id, row.n, row.verdict) for row in skill_rows(won_by(mean, n))] == [(1, n, verdict), (None, n, verdict)]


def test_a_win_that_counts_alone_does_not_count_among_several_tickers() -> None:
    # t = 0.29 / sqrt(1 / 60) x sqrt(59 / 60) = 2.2275, p = 0.0297: below 0.05, and above it when doubled for two tickers.
    alone = skill_rows(won_by(0.29, 60))[0]
    among = skill_rows(together(won_by(0.29, 60), won_by(0.01, 60, ticker_id=2)))[0]
    p_value = 2 * float(stats.t.sf(0.29 * 59**0.5, 59))
    assert (alone.p_value, alone.p_adjusted, alone.verdict) == (pytest.approx(p_value), alone.p_value, "better")
    assert (among.p_value, among.p_adjusted, among.verdict) == (alone.p_value, pytest.approx(2 * p_value), "not distinguishable")


def test_p_values_are_adjusted_over_tickers_and_horizons_within_a_mode_and_for_all_tickers_separately() -> None:
    cases = [(t, h, mode) for t in (1, 2, 3) for h in (1, 2) for mode in ("live", "backfill")]
    wins = np.linspace(0.1, 0.6, len(cases))
    parts = [won_by(win, 40, ticker_id=t, horizon=h, mode=m) for win, (t, h, m) in zip(wins, cases, strict=True)]
    rows = skill_rows(together(*parts))
    families = {
        (mode, of_all): [row for row in rows if row.mode == mode and (row.ticker_id is None) == of_all]
        for mode in ("live", "backfill")
        for of_all in (True, False)
    }
    assert [len(family) for family in families.values()] == [2, 6, 2, 6]
    adjusted = {key: [row.p_adjusted for row in family] for key, family in families.items()}
    expected = {key: stats.false_discovery_control([row.p_value for row in family]) for key, family in families.items()}
    assert adjusted == {key: pytest.approx(values.tolist(), rel=1e-12) for key, values in expected.items()}


def test_a_group_without_a_test_does_not_count_as_one_when_others_are_adjusted() -> None:
    untested = scores_of(60, ticker_id=2, crps=5.0, baseline_crps=5.0)
    tested, other, _ = skill_rows(together(won_by(0.29, 60), untested))
    assert (tested.p_adjusted, other.p_value, other.p_adjusted) == (tested.p_value, None, None)


def test_the_test_compares_the_crps_and_is_negative_where_ours_is_smaller() -> None:
    losses = {"crps": np.array([1.0, 2.0, 3.0, 4.0]), "baseline_crps": np.array([2.0, 4.0, 6.0, 8.0])}
    row = skill_rows(scores_of(4, **losses))[0]
    assert (row.dm_statistic, row.p_value) == pytest.approx((-3.872983, 0.030466), abs=1e-6)


def test_all_tickers_are_tested_on_their_mean_by_date_and_counted_by_date() -> None:
    # By date 1, 2, 3, 4: ours (2 + 4) / 2 = 3, (4 + 8) / 2 = 6, 9, 12; baseline 2, 4, 6, 8: d = 1, 2, 3, 4.
    steps = np.array([1.0, 2.0, 3.0, 4.0])
    first = scores_of(4, ticker_id=1, crps=2 * steps, baseline_crps=steps)
    second = scores_of(4, ticker_id=2, crps=4 * steps, baseline_crps=3 * steps)
    of_all = skill_rows(together(first, second))[-1]
    assert (of_all.ticker_id, of_all.n) == (None, 4)
    assert (of_all.dm_statistic, of_all.p_value) == pytest.approx((3.872983, 0.030466), abs=1e-6)


def test_a_tickers_row_counts_scores_and_is_tested_by_date() -> None:
    # Two scores on the first date, of mean 1: d = 1, 2, 3, 4.
    days = FIRST + np.array([0, 0, 1, 2, 3])
    row = skill_rows(scores_of(5, target=days, crps=[0.5, 1.5, 2.0, 3.0, 4.0], baseline_crps=0.0))[0]
    assert (row.n, row.dm_statistic) == (5, pytest.approx(3.872983, abs=1e-6))


def test_a_date_with_fewer_tickers_weighs_as_much_as_any_other_in_the_test_of_all_tickers() -> None:
    # Ticker 2 has the last two dates only. Means by date: 1, 2, (1 + 5) / 2 = 3, (1 + 7) / 2 = 4: d = 1, 2, 3, 4.
    first = scores_of(4, ticker_id=1, crps=[1.0, 2.0, 1.0, 1.0], baseline_crps=0.0)
    second = scores_of(2, ticker_id=2, target=FIRST + np.array([2, 3]), crps=[5.0, 7.0], baseline_crps=0.0)
    of_all = skill_rows(together(first, second))[-1]
    assert (of_all.n, of_all.dm_statistic) == (4, pytest.approx(3.872983, abs=1e-6))
    assert of_all.crps == pytest.approx((1 + 2 + 3 + 4) / 4)


def test_the_order_of_the_scores_does_not_change_the_skill() -> None:
    rng = np.random.default_rng(0)
    columns = {"crps": rng.uniform(1, 2, 90), "baseline_crps": rng.uniform(1, 2, 90), "target": FIRST + np.arange(90) % 30}
    scores = scores_of(90, ticker_id=np.arange(90) // 30, horizon=3, **columns)
    assert skill_rows(scores.select(rng.permutation(90))) == skill_rows(scores)


def test_tickers_horizons_and_modes_have_rows_of_their_own_and_all_tickers_come_last() -> None:
    parts = [
        scores_of(3, ticker_id=t, horizon=h, mode=m)
        for t, h, m in ((2, 1, "live"), (1, 2, "live"), (1, 1, "catchup"), (1, 1, "live"))
    ]
    assert keys(skill_rows(together(*parts))) == [
        (1, 1, "catchup"), (1, 1, "live"), (1, 2, "live"), (2, 1, "live"),
        (None, 1, "catchup"), (None, 1, "live"), (None, 2, "live"),
    ]  # fmt: skip


def test_one_mode_does_not_count_in_the_figures_of_another() -> None:
    rows = skill_rows(together(scores_of(3, mode="live", crps=1.0), scores_of(5, mode="backfill", crps=3.0)))
    assert [(row.ticker_id, row.mode, row.n, row.crps) for row in rows] == [
        (1, "backfill", 5, 3.0), (1, "live", 3, 1.0), (None, "backfill", 5, 3.0), (None, "live", 3, 1.0),
    ]  # fmt: skip


def test_means_are_over_the_scores_of_a_group() -> None:
    row = skill_rows(
        scores_of(
            4, abs_error=[1, 2, 3, 6], baseline_abs_error=[2, 4, 6, 8], crps=[1, 1, 2, 4], baseline_crps=[3, 4, 4, 5],
            inside_50=[1, 0, 0, 0], inside_80=[1, 1, 0, 0], inside_90=[1, 1, 1, 0],
        )
    )[0]  # fmt: skip
    assert (row.mae, row.baseline_mae, row.crps, row.baseline_crps) == (3, 5, 2, 4)
    assert (row.coverage_50, row.coverage_80, row.coverage_90) == (0.25, 0.5, 0.75)


@pytest.mark.parametrize(("crps", "baseline_crps", "expected"), [(2.0, 4.0, 0.5), (5.0, 4.0, -0.25), (0.0, 0.0, 0.0)])
def test_the_crps_skill_is_one_less_the_ratio_and_0_for_a_baseline_without_error(
    crps: float, baseline_crps: float, expected: float
) -> None:
    assert skill_rows(scores_of(3, crps=crps, baseline_crps=baseline_crps))[0].crps_skill == expected


@pytest.mark.parametrize(
    ("location", "realised_return", "expected"),
    [
        ([0.1, 0.1, -0.1, -0.1], [0.2, 0.3, -0.2, 0.1], 0.75),
        ([0.1, 0.1, -0.1, -0.1], [-0.2, -0.3, 0.2, -0.1], 0.25),
        ([0.1, 0.0, -0.1, 0.1], [0.2, 0.3, 0.2, 0.0], 0.5),  # of the two where neither is zero
        ([0.0, 0.0, 0.0, 0.0], [0.2, 0.3, -0.2, 0.1], None),
        ([0.1, 0.1, 0.1, 0.1], [0.0, 0.0, 0.0, 0.0], None),
    ],
)
def test_the_hit_rate_is_the_share_of_locations_with_the_sign_of_the_return_and_zeros_do_not_count(
    location: list[float], realised_return: list[float], expected: float | None
) -> None:
    assert skill_rows(scores_of(4, location=location, realised_return=realised_return))[0].hit_rate == expected


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_a_test_needs_two_dates_more_than_the_horizon(horizon: int) -> None:
    enough = skill_rows(scores_of(horizon + 2, horizon=horizon, crps=np.arange(horizon + 2) ** 2.0))[0]
    too_few = skill_rows(scores_of(horizon + 1, horizon=horizon, crps=np.arange(horizon + 1) ** 2.0))[0]
    assert (enough.dm_statistic is not None, enough.p_value is not None) == (True, True)
    assert (too_few.dm_statistic, too_few.p_value, too_few.p_adjusted) == (None, None, None)
    assert too_few.verdict == "not distinguishable"


def test_losses_that_never_differ_have_no_statistic() -> None:
    row = skill_rows(scores_of(80, crps=0.5, baseline_crps=0.5))[0]
    assert (row.dm_statistic, row.p_value, row.p_adjusted, row.verdict) == (None, None, None, "not distinguishable")


def test_the_first_and_the_last_target_are_those_of_the_group() -> None:
    days = np.array(["2024-01-03", "2024-01-02", "2024-01-09", "2024-01-05"], dtype="datetime64[D]")
    row = skill_rows(scores_of(4, target=days))[0]
    assert (row.first_target.isoformat(), row.last_target.isoformat()) == ("2024-01-02", "2024-01-09")


def test_no_scores_have_no_skill() -> None:
    assert skill_rows(scores_of(0)) == []


def test_the_verdict_on_all_tickers_is_that_of_the_figures_that_are_tested() -> None:
    # Fifty tickers lose by 1 on each of ten dates; one ticker wins by 0.5 on each of ninety others: most dates are won.
    days = FIRST + np.arange(100)
    noise = np.resize([-0.1, 0.1], 100)
    lost = [scores_of(10, ticker_id=t, target=days[:10], crps=6.0, baseline_crps=5.0 + noise[:10]) for t in range(2, 52)]
    won = scores_of(90, ticker_id=1, target=days[10:], crps=5.0, baseline_crps=5.5 + noise[10:])
    of_all = next(row for row in skill_rows(together(won, *lost)) if row.ticker_id is None)
    assert of_all.dm_statistic is not None
    assert (of_all.dm_statistic < 0, of_all.verdict, of_all.crps_skill > 0) == (True, "better", True)
    assert of_all.crps == pytest.approx((90 * 5.0 + 10 * 6.0) / 100)


def test_mode_star_is_of_the_forecasts_of_all_modes_together() -> None:
    live, late = won_by(0.5, 40, mode="live"), won_by(0.5, 40, mode="backfill", target=FIRST + np.arange(40, 80))
    pooled = [row for row in all_skill_rows(together(live, late)) if row.mode == "*"]
    assert [(row.ticker_id, row.n, row.verdict) for row in pooled] == [(1, 80, "better"), (None, 80, "better")]


def test_mode_star_is_adjusted_apart_from_the_modes() -> None:
    parts = [won_by(0.29, 60, ticker_id=t, mode=m) for t in (1, 2) for m in ("live", "backfill")]
    rows = [row for row in all_skill_rows(together(*parts)) if row.mode == "*" and row.ticker_id is not None]
    expected = stats.false_discovery_control([row.p_value for row in rows])
    assert [row.p_adjusted for row in rows] == pytest.approx(expected.tolist(), rel=1e-12)
