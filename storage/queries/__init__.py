"""Read the database: small typed functions over an open connection, one module for each kind of row."""

from __future__ import annotations

from storage.queries.forecasts import committed_origins, forecast_densities, known_at, last_origins, past_publications
from storage.queries.models import ServingModel, prior_model, serving_model
from storage.queries.prices import (
    CurrentFile,
    bars_left_out,
    copied_bars,
    current_file,
    is_copied,
    judged_sessions,
    needed_files,
    superseded_files,
    unscored_restatements,
    verdicts,
)
from storage.queries.runs import (
    RunRow,
    closed_sessions,
    has_event,
    last_run_started,
    newest_run_between,
    runs_started_since,
    session_ends,
)
from storage.queries.scores import (
    NewestScore,
    ScorableForecast,
    ScoreColumns,
    crps_against_twins,
    newest_scores,
    scored_forecasts,
    unscored_forecasts,
    unscored_twins,
)
from storage.queries.tickers import TickerRow, bar_count, free_key, has_forecasts, list_tickers, older_symbols, ticker_by_symbol
from storage.queries.views import read_view

__all__ = [
    "CurrentFile",
    "NewestScore",
    "RunRow",
    "ScorableForecast",
    "ScoreColumns",
    "ServingModel",
    "TickerRow",
    "bar_count",
    "bars_left_out",
    "closed_sessions",
    "committed_origins",
    "copied_bars",
    "crps_against_twins",
    "current_file",
    "forecast_densities",
    "free_key",
    "has_event",
    "has_forecasts",
    "is_copied",
    "judged_sessions",
    "known_at",
    "last_origins",
    "last_run_started",
    "list_tickers",
    "needed_files",
    "newest_run_between",
    "newest_scores",
    "older_symbols",
    "past_publications",
    "prior_model",
    "read_view",
    "runs_started_since",
    "scored_forecasts",
    "serving_model",
    "session_ends",
    "superseded_files",
    "ticker_by_symbol",
    "unscored_forecasts",
    "unscored_restatements",
    "unscored_twins",
    "verdicts",
]
