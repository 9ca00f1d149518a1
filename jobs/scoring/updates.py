"""Write scores, skill and risk: what is due is read from the record, computed and inserted over the caller's open transaction.

Not here: the arithmetic (scores, skill, risk), the sums of scores (sums), or when a run scores (jobs.runs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from tickercast.jobs.scoring.date_sums import DateSums
from tickercast.jobs.scoring.risk import risk_rows
from tickercast.jobs.scoring.scores import score_columns, score_rows, twin_crps
from tickercast.jobs.scoring.skill import skill_rows
from tickercast.jobs.scoring.sums import add_scores, complete_sums, stored_sums
from tickercast.jobs.scoring.ticker_sums import TickerSums
from tickercast.storage import queries, writes
from tickercast.storage.bars import Bars
from tickercast.storage.database import Connection
from tickercast.storage.queries import ScorableForecast
from tickercast.storage.rows import ScoreRow

LEAST_CHANGE = 1e-12  # of a realised return; a smaller change adds no revision


def settled_before(bars: Bars, through: date | None) -> date | None:
    """Return the session before which a ticker's targets are settled, None without bars: its own newest bar.

    through: the last session that the record may know of; None = all of them.
    """
    known = bars if through is None else bars.through(through)
    newest: date | None = known.session[-1].item() if len(known) else None
    return newest


def score_settled(
    connection: Connection, bars: Mapping[int, Bars], before: Mapping[int, date], unscored: Sequence[int] | None = None
) -> None:
    """Insert the scores of some tickers' forecasts that are due and have none, and add them to the sums of their configs.

    Only a ticker's own bars count: a target is due when it is before the ticker's session in `before` (settled_before) and
    has a bar. A target without one stays due. bars, before: by ticker id. unscored: ids of the tickers' origins that are,
    None = as the record says. Cold twins get their CRPS with their forecasts.
    """
    due = queries.unscored_forecasts(connection, before, unscored)
    scores = [row for field in ("close", "open") for row in score_rows([f for f in due if f.field == field], bars, field)]
    writes.insert_scores(connection, scores)
    _add_to_sums(connection, due, scores)
    origins = {forecast.origin_id: forecast for forecast in due}
    configs = {origins[score.origin_id].config_id for score in scores}
    for config_id in sorted(configs):
        _score_twins(connection, config_id, scores, [origins[score.origin_id].origin for score in scores])


def revise_scores(connection: Connection, ticker_id: int, bars: Bars) -> None:
    """Insert a further revision of each score of a ticker that a changed bar changed.

    What is owed is read from the record: the first bar that changed since scores were last revised, by a restatement or by a
    bar that was released or came late. Earlier revisions stay. bars: as known.
    """
    first = queries.rescore_from(connection, ticker_id)
    if first is None:
        return
    newest = queries.newest_scores(connection, ticker_id, first)
    stored = {(score.forecast.origin_id, score.forecast.horizon): score for score in newest}
    revised = []
    for field in ("close", "open"):
        for row in score_rows([score.forecast for score in newest if score.forecast.field == field], {ticker_id: bars}, field):
            before = stored[row.origin_id, row.horizon]
            if abs(row.realised_return - before.realised_return) > LEAST_CHANGE:
                revised.append(row._replace(revision=before.revision + 1))
    writes.insert_scores(connection, revised)
    writes.update_ticker(connection, ticker_id, rescore_from=None)


def refresh_skill_and_risk(connection: Connection, config_id: str, *, computed_at: datetime) -> None:
    """Replace the stored skill and risk of a config with what all its scores and its newest forecasts give now.

    They are computed from the sums of the scores, which are completed first where they lack some.
    """
    complete_sums(connection, config_id)
    tickers, dates = stored_sums(connection, config_id)
    writes.replace_skill(connection, config_id, skill_rows(tickers, dates), computed_at=computed_at)
    _replace_risk(connection, config_id, tickers, dates, computed_at)


def refresh_risk(connection: Connection, config_id: str, *, computed_at: datetime) -> None:
    """Replace the stored risk of a config alone, and leave its skill as it is."""
    complete_sums(connection, config_id)
    _replace_risk(connection, config_id, *stored_sums(connection, config_id), computed_at)


def _replace_risk(
    connection: Connection, config_id: str, tickers: Mapping[int, TickerSums], dates: DateSums, computed_at: datetime
) -> None:
    rows = risk_rows(tickers, dates, queries.newest_forecasts(connection, config_id))
    writes.replace_risk(connection, config_id, rows, computed_at=computed_at)


def _add_to_sums(connection: Connection, forecasts: Sequence[ScorableForecast], scores: Sequence[ScoreRow]) -> None:
    """Add new scores of some forecasts to the sums of their configs."""
    by_key = {(forecast.origin_id, forecast.horizon): forecast for forecast in forecasts}
    by_config: dict[str, list[tuple[ScorableForecast, ScoreRow]]] = {}
    for score in scores:
        forecast = by_key[score.origin_id, score.horizon]
        by_config.setdefault(forecast.config_id, []).append((forecast, score))
    for config_id in sorted(by_config):
        add_scores(connection, config_id, score_columns(by_config[config_id]))


def _score_twins(connection: Connection, config_id: str, scores: Sequence[ScoreRow], origins: Sequence[date]) -> None:
    """Store the CRPS of the cold twins of forecasts that were just scored, at the same realised returns."""
    realised = {(score.origin_id, score.horizon): score.realised_return for score in scores}
    candidates = queries.unscored_twins(connection, config_id, min(origins), max(origins))
    twins = {key: twin for key, twin in candidates.items() if key in realised}
    crps = twin_crps(list(twins.values()), [realised[key] for key in twins])
    writes.score_twins(connection, dict(zip(twins, crps, strict=True)))
