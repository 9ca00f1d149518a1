"""The views of runs: what each did, and how far each ticker's record is behind the present."""

from __future__ import annotations

from storage.views.definition import Column, View, ticker

RUN_SUMMARY = View(
    "run_summary",
    "Every run: what it did and how it ended.",
    (
        Column("run_id", "number of the run", "r.id"),
        Column("kind", "backfill, run or daemon", "r.kind"),
        Column("started_at", "UTC", "r.started_at"),
        Column("finished_at", "UTC; NULL while it runs, or when it was killed", "r.finished_at"),
        Column("status", "running, done, partial, failed or interrupted", "r.status"),
        Column("tickers_ok", "number of tickers that succeeded", "r.tickers_ok"),
        Column("tickers_failed", "number of tickers that failed", "r.tickers_failed"),
        Column("forecasts", "number of forecasts it added", "r.forecasts"),
        Column("fingerprint", "what the bytes depend on: Python, NumPy, BLAS and its kernel, CPU class", "r.fingerprint"),
        Column("message", "its closing line", "r.message"),
    ),
    "FROM runs r",
)

LAST_BAR = "(SELECT p.last_session FROM price_files p WHERE p.ticker_id = t.id AND p.superseded_at IS NULL)"
# The newest origin under any config. One lookup by config uses the key of forecasts; one max over the table would read it all.
LAST_ORIGIN_OF_CONFIG = "(SELECT max(f.origin) FROM forecasts f WHERE f.ticker_id = t.id AND f.config_id = c.id)"
LAST_ORIGIN = f"(SELECT max({LAST_ORIGIN_OF_CONFIG}) FROM configs c)"
CLOSED_SINCE_LAST_ORIGIN = """(
        SELECT count(*) FROM sessions s WHERE s.exchange = o.exchange AND s.session > o.last_origin
        AND s.close_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"""

FRESHNESS = View(
    "freshness",
    "How far each ticker's record is behind the present.",
    (
        ticker("o"),
        Column("status", "active, quiet, held, suspended or too_short", "o.status"),
        Column("last_bar", "last session with a stored bar", "o.last_bar"),
        Column("last_origin", "last origin with forecasts", "o.last_origin"),
        Column(
            "sessions_behind",
            "sessions closed by now since last_origin; NULL before the first forecast",
            f"CASE WHEN o.last_origin IS NOT NULL THEN {CLOSED_SINCE_LAST_ORIGIN} END",
        ),
        Column("last_error", "the last error; NULL after a success", "o.last_error"),
        Column("tracked", "1 when the daily run includes it", "o.tracked"),
        Column(
            "held_bars",
            "number of quarantined bars; see gate",
            "(SELECT count(*) FROM gate_verdicts g WHERE g.ticker_id = o.id AND g.state = 'held')",
        ),
    ),
    f"""FROM (
    SELECT t.id, t.symbol, t.status, t.exchange, t.last_error, t.tracked,
        {LAST_BAR} AS last_bar,
        {LAST_ORIGIN} AS last_origin
    FROM tickers t) o""",
)
