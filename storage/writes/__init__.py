"""Write the database: every function takes the writer's open transaction, and the caller commits. One module for each noun."""

from __future__ import annotations

from tickercast.storage.writes.events import add_reports, note_context_requests
from tickercast.storage.writes.forecasts import insert_baseline_forecasts, insert_origins, insert_recalibrations
from tickercast.storage.writes.inserts import insert_mappings, insert_rows
from tickercast.storage.writes.models import insert_losses, insert_models, prune_checkpoints
from tickercast.storage.writes.notices import begin_notices, end_notices, mark_told
from tickercast.storage.writes.prices import (
    WrittenMerge,
    copy_all_bars,
    copy_bars,
    decide_verdicts,
    record_merges,
    record_price_file,
    record_verdicts,
    replace_verdict,
)
from tickercast.storage.writes.retention import remove_ended_notices, remove_run_tickers, remove_unused_runs
from tickercast.storage.writes.runs import (
    add_failed_run,
    beat_in_cycle,
    ensure_config,
    record_event,
    record_run_tickers,
    start_run,
    update_run,
)
from tickercast.storage.writes.score_sums import mark_summed, mark_unsummed, put_date_sums, put_score_sums, remove_sums
from tickercast.storage.writes.scores import insert_scores, replace_risk, replace_skill, score_twins
from tickercast.storage.writes.tickers import (
    add_ticker,
    forget_ticker,
    rename_ticker,
    store_sessions,
    update_ticker,
    update_tickers,
)

__all__ = [
    "WrittenMerge",
    "add_failed_run",
    "add_reports",
    "add_ticker",
    "beat_in_cycle",
    "begin_notices",
    "copy_all_bars",
    "copy_bars",
    "decide_verdicts",
    "end_notices",
    "ensure_config",
    "forget_ticker",
    "insert_baseline_forecasts",
    "insert_losses",
    "insert_mappings",
    "insert_models",
    "insert_origins",
    "insert_recalibrations",
    "insert_rows",
    "insert_scores",
    "mark_summed",
    "mark_told",
    "mark_unsummed",
    "note_context_requests",
    "prune_checkpoints",
    "put_date_sums",
    "put_score_sums",
    "record_event",
    "record_merges",
    "record_price_file",
    "record_run_tickers",
    "record_verdicts",
    "remove_ended_notices",
    "remove_run_tickers",
    "remove_sums",
    "remove_unused_runs",
    "rename_ticker",
    "replace_risk",
    "replace_skill",
    "replace_verdict",
    "score_twins",
    "start_run",
    "store_sessions",
    "update_run",
    "update_ticker",
    "update_tickers",
]
