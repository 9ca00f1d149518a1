"""Write scores and skill: what is due is read from the record, computed and inserted over the caller's open transaction.

Not here: the arithmetic (scores, skill), or when a run scores (jobs.runs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from jobs.scoring.scores import score_rows, twin_crps
from jobs.scoring.skill import skill_rows
from storage import queries, writes
from storage.bars import Bars
from storage.database import Connection
from storage.rows import ScoreRow

LEAST_CHANGE = 1e-12  # of a realised return; a smaller change adds no revision


def score_settled(
    connection: Connection, bars: Mapping[int, Bars], *, config_id: str, field: str, before: date, from_origin: date | None
) -> None:
    """Insert the scores of some tickers' forecasts that are due, and store the CRPS of their cold twins.

    A target is due when a later session is known: `before` is the newest known session, and earlier targets are due. bars:
    by ticker_id; those after a target do not change its score. from_origin: the first origin to search, None for all.
    """
    due = queries.unscored_forecasts(connection, list(bars), config_id, before=before, from_origin=from_origin)
    scores = score_rows(due, bars, field)
    writes.insert_rows(connection, scores)
    if scores:
        _score_twins(connection, config_id, scores)


def revise_scores(
    connection: Connection, ticker_id: int, bars: Bars, *, config_id: str, field: str, restated_at: datetime
) -> None:
    """Insert a further revision of each score of a ticker whose realised return changed with a restatement.

    bars: the restated ones. restated_at: the instant at which the changed bars were recorded. Earlier revisions stay.
    """
    span = queries.restated_at(connection, ticker_id, restated_at)
    if span is None:
        return
    newest = queries.newest_scores(connection, ticker_id, config_id, *span)
    stored = {(score.forecast.origin, score.forecast.horizon): score for score in newest}
    revised = []
    for row in score_rows([score.forecast for score in newest], {ticker_id: bars}, field):
        before = stored[row.origin, row.horizon]
        if abs(row.realised_return - before.realised_return) > LEAST_CHANGE:
            revised.append(replace(row, revision=before.revision + 1))
    writes.insert_rows(connection, revised)


def refresh_skill(connection: Connection, config_id: str, *, computed_at: datetime) -> None:
    """Replace the stored skill of a config with what all its scores give now."""
    rows = skill_rows(queries.scored_forecasts(connection, config_id))
    writes.replace_skill(connection, config_id, rows, computed_at=computed_at)


def _score_twins(connection: Connection, config_id: str, scores: Sequence[ScoreRow]) -> None:
    """Store the CRPS of the cold twins of forecasts that were just scored, at the same realised returns."""
    realised = {(score.ticker_id, score.origin, score.horizon): score.realised_return for score in scores}
    origins = [score.origin for score in scores]
    candidates = queries.unscored_twins(connection, config_id, min(origins), max(origins))
    twins = [twin for twin in candidates if (twin.ticker_id, twin.origin, twin.horizon) in realised]
    crps = twin_crps(twins, [realised[twin.ticker_id, twin.origin, twin.horizon] for twin in twins])
    writes.score_twins(connection, [replace(twin, crps=value) for twin, value in zip(twins, crps, strict=True)])
