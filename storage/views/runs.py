"""The views of runs and their settings: what each did, for each ticker, what happened, and how far each record is behind."""

from __future__ import annotations

from tickercast.storage.views.definition import Column, View, ticker

RUN_SUMMARY = View(
    "run_summary",
    "Every run: what it did and how it ended.",
    (
        Column("run_id", "number of the run", "r.id", "int"),
        Column("kind", "backfill, run or daemon", "r.kind"),
        Column("started_at", "UTC", "r.started_at", "instant"),
        Column("finished_at", "UTC; NULL while it runs, or when it was killed", "r.finished_at", "instant"),
        Column("status", "running, done, partial, failed or interrupted", "r.status"),
        Column("tickers_ok", "number of tickers that succeeded", "r.tickers_ok", "int"),
        Column("tickers_failed", "number of tickers that failed", "r.tickers_failed", "int"),
        Column("forecasts", "number of forecasts it added", "r.forecasts", "int"),
        Column("fingerprint", "what the bytes depend on: Python, NumPy, BLAS and its kernel, CPU class", "r.fingerprint"),
        Column("message", "its closing line", "r.message"),
        Column(
            "seconds",
            "time from start to end; NULL while it runs, or when it was killed",
            "round((julianday(r.finished_at) - julianday(r.started_at)) * 86400, 3)",
            "float",
        ),
        Column("config", "id of the config that it forecast under; see config", "r.config_id"),
    ),
    "FROM runs r",
)

RUN_TICKER = View(
    "run_ticker",
    "What each run did for each ticker.",
    (
        Column("run_id", "number of the run", "r.run_id", "int"),
        ticker(),
        Column("status", "ok, failed or skipped", "r.status"),
        Column("origins", "number of origins that it forecast from", "r.origins", "int"),
        Column("message", "why it failed", "r.message"),
    ),
    """FROM run_tickers r
JOIN tickers t ON t.id = r.ticker_id""",
)

EVENT = View(
    "event",
    "What a user should know about: restatements, trainings that diverged, changes of a ticker's status, warnings.",
    (
        Column("ticker", "current symbol; NULL = of no single ticker", "t.symbol"),
        Column("at", "instant it was recorded, UTC", "e.at", "instant"),
        Column("kind", "what happened, in a word", "e.kind"),
        Column("session", "the session it is about; NULL = none", "e.session", "date"),
        Column("message", "what happened, in a sentence", "e.message"),
        Column("run_id", "the run that recorded it; see run_summary", "e.run_id", "int", optional=True),
    ),
    """FROM events e
LEFT JOIN tickers t ON t.id = e.ticker_id""",
)

CONFIG = View(
    "config",
    "The model and training settings behind each config id.",
    (
        Column("id", "start of the sha256 of the settings", "c.id"),
        Column("preset", "density or article", "c.preset"),
        Column("field", "price that is forecast: close or open", "c.field"),
        Column("settings", "all model and training settings, JSON", "c.settings"),
        Column("active", "1 for the config of the settings file at the last run", "c.active", "bool"),
        Column("created_at", "instant of its first run, UTC", "c.created_at", "instant"),
    ),
    "FROM configs c",
)

SYMBOL_HISTORY = View(
    "symbol_history",
    "The symbols of each ticker over time.",
    (
        ticker(),
        Column("symbol", "symbol in that span", "s.symbol"),
        Column("valid_from", "first day, ISO date", "s.valid_from", "date"),
        Column("valid_to", "day from which it no longer holds; NULL = it holds now", "s.valid_to", "date"),
    ),
    """FROM symbols s
JOIN tickers t ON t.id = s.ticker_id""",
)

LAST_BAR = "(SELECT p.last_session FROM price_files p WHERE p.ticker_id = t.id AND p.superseded_at IS NULL)"
# The newest origin under any config. One lookup by config uses the key of origins; one max over the table would read it all.
LAST_ORIGIN_OF_CONFIG = "(SELECT max(g.origin) FROM origins g WHERE g.ticker_id = t.id AND g.config_id = c.id)"
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
        Column("last_bar", "last session with a stored bar", "o.last_bar", "date"),
        Column("last_origin", "last origin with forecasts", "o.last_origin", "date"),
        Column(
            "sessions_behind",
            "sessions closed by now since last_origin; NULL before the first forecast",
            f"CASE WHEN o.last_origin IS NOT NULL THEN {CLOSED_SINCE_LAST_ORIGIN} END",
            "int",
            optional=True,
        ),
        Column("last_error", "the last error; NULL after a success", "o.last_error"),
        Column("tracked", "1 when the daily run includes it", "o.tracked", "bool"),
        Column(
            "held_bars",
            "number of quarantined bars; see gate",
            "(SELECT count(*) FROM gate_verdicts g WHERE g.ticker_id = o.id AND g.state = 'held')",
            "int",
        ),
        Column("source", "where its prices come from: yahoo, folder or sample", "o.source"),
        Column("source_path", "the folder of its files; empty for other sources", "o.source_path"),
    ),
    f"""FROM (
    SELECT t.id, t.symbol, t.status, t.exchange, t.last_error, t.tracked, t.source, t.source_path,
        {LAST_BAR} AS last_bar,
        {LAST_ORIGIN} AS last_origin
    FROM tickers t) o""",
)
