"""What the scores say of forecasts against the random walk, in a sentence and in a word. Rows are those of view `skill`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tickercast.jobs.pages.rows import Row
from tickercast.jobs.scoring.terms import ALL_MODES, ALL_TICKERS, FEWEST_SCORES, NOT_DISTINGUISHABLE
from tickercast.jobs.terminal.figures import basis_points, p_text

# In the order of interest: each mode by itself, then all together. Modes are never pooled without saying so.
MODE_NAMES = {"live": "live", "catchup": "catchup", "backfill": "backfill", ALL_MODES: "all modes together"}
NOTHING_SCORED = "No forecast has been scored yet."


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict one session ahead: better, worse or not distinguishable; the mode of its n forecasts.

    live: the number of live forecasts where the verdict is of another mode, since there are too few of them for one.
    """

    word: str
    mode: str
    n: int
    live: int = 0


def verdict_sentences(skill: Sequence[Row]) -> list[str]:
    """Return the verdict one session ahead as a sentence for each mode, live first."""
    return [_sentence(row) for row in one_session_ahead(skill)] or [NOTHING_SCORED]


@dataclass(frozen=True, slots=True)
class ModeVerdict:
    """The verdict of the forecasts of one mode, one session ahead. crps, baseline_crps: natural-log returns."""

    mode: str
    word: str
    crps: float
    baseline_crps: float
    n: int
    p_adjusted: float | None


def verdicts_by_mode(skill: Sequence[Row]) -> list[ModeVerdict]:
    """Return the verdict one session ahead of each mode, live first. The one of all modes together is left out."""
    return [
        ModeVerdict(row["mode"], row["verdict"], row["crps"], row["baseline_crps"], row["n"], row["p_adjusted"])
        for row in one_session_ahead(skill)
        if row["mode"] != ALL_MODES
    ]


def verdict_of(skill: Sequence[Row]) -> Verdict | None:
    """Return the one verdict for a row of a table: that of the live forecasts once they are enough for a test, else the next."""
    rows = [row for row in one_session_ahead(skill) if row["mode"] != ALL_MODES]
    if not rows:
        return None
    mode = judged_mode(rows)
    best = next(row for row in rows if row["mode"] == mode)
    live = sum(row["n"] for row in rows if row["mode"] == "live") if best["mode"] != "live" else 0
    return Verdict(best["verdict"], best["mode"], best["n"], live)


def one_session_ahead(skill: Sequence[Row]) -> list[Row]:
    """Return the rows at horizon 1, live first; without the one of all modes together where there is only one mode."""
    return of_distinct_modes(sorted((row for row in skill if row["horizon"] == 1), key=mode_order))


def of_distinct_modes(rows: Sequence[Row]) -> list[Row]:
    """Return rows without those of all modes together where there is only one mode, since they would say the same again."""
    has_several = len({row["mode"] for row in rows} - {ALL_MODES}) > 1
    return [row for row in rows if row["mode"] != ALL_MODES or has_several]


def judged_mode(rows: Sequence[Row]) -> str:
    """Return the mode to judge by: live once it has scores enough for a test, else the next; where none has, that with most.

    rows: not empty, live first.
    """
    return str(next((row for row in rows if row["n"] >= FEWEST_SCORES), max(rows, key=lambda row: row["n"]))["mode"])


def mode_order(row: Row) -> int:
    """Return the place of a row among those of other modes: live first."""
    return list(MODE_NAMES).index(row["mode"])


def _sentence(row: Row) -> str:
    who = f"{'All tickers together' if row['ticker'] == ALL_TICKERS else 'These forecasts'} ({MODE_NAMES[row['mode']]})"
    figures = f"CRPS {basis_points(row['crps'])} bp against {basis_points(row['baseline_crps'])} bp, n = {row['n']}"
    if row["verdict"] == NOT_DISTINGUISHABLE:
        return f"{who}: not distinguishable from a random walk one session ahead ({figures})."
    return f"{who}: {row['verdict']} than a random walk one session ahead ({figures}, {p_text(row['p_adjusted'])})."
