"""The public views: the contract that people query. Columns may be added, never renamed. docs/sql.md is made from here.

The migrations carry their own copy of these texts; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """One view: what it answers, each column with its meaning and unit, and the query behind it."""

    name: str
    answers: str
    columns: tuple[tuple[str, str], ...]
    body: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.columns)

    @property
    def create_statement(self) -> str:
        return f"CREATE VIEW {self.name} ({', '.join(self.names)}) AS\n{self.body}"


CONFIG_COLUMNS = (
    ("config", "id of the model and training settings: the start of their sha256"),
    ("preset", "density or article"),
    ("field", "the price that is forecast: close or open"),
)
TICKER = ("ticker", "current symbol")
ORIGIN = ("origin", "last session the forecast knew, ISO date")
TARGET = ("target", "session the forecast speaks of, ISO date")
HORIZON = ("horizon", "target - origin, in sessions")
MODE = ("mode", "live = made before the first target session opened; else catchup or backfill")
LAST_PRICE = ("last_price", "price at the origin, in the ticker's currency on its price basis")
QUANTILES = tuple(
    (f"q{level}", f"price the target is below with {level} % probability, on the origin's share scale")
    for level in ("05", "10", "25", "50", "75", "90", "95")
)
MADE_AT = ("made_at", "instant the forecast was made, UTC")
MODEL = ("model_id", "the training that made it; see model_lineage")
INSIDE = tuple(
    (f"inside_{level}", f"1 when the realised price fell into the central {level} % interval") for level in (50, 80, 90)
)
COVERAGE = tuple((f"coverage_{level}", f"share of targets inside the central {level} % interval") for level in (50, 80, 90))

FORECAST_SOURCE = """FROM forecasts f
JOIN tickers t ON t.id = f.ticker_id
JOIN configs c ON c.id = f.config_id"""

VIEWS = (
    View(
        "latest_forecast",
        "The newest forecasts of each ticker, under the active config; a ticker without rows under it shows its own newest.",
        (TICKER, ORIGIN, TARGET, HORIZON, LAST_PRICE, *QUANTILES, MADE_AT, MODE, MODEL, *CONFIG_COLUMNS),
        """WITH newest AS (
    SELECT t.id AS ticker_id, t.symbol, c.id AS config_id, c.preset, c.active,
        (SELECT max(m.origin) FROM forecasts m WHERE m.ticker_id = t.id AND m.config_id = c.id) AS origin
    FROM tickers t CROSS JOIN configs c
), ranked AS (
    SELECT n.*, row_number() OVER (PARTITION BY n.ticker_id ORDER BY n.active DESC, n.origin DESC, n.config_id) AS place
    FROM newest n WHERE n.origin IS NOT NULL
)
SELECT r.symbol, f.origin, f.target, f.horizon, f.last_price, f.q05, f.q10, f.q25, f.q50, f.q75, f.q90, f.q95,
    f.made_at, f.mode, f.model_id, f.config_id, r.preset, f.field
FROM ranked r
JOIN forecasts f ON f.ticker_id = r.ticker_id AND f.config_id = r.config_id AND f.origin = r.origin
WHERE r.place = 1""",
    ),
    View(
        "forecast_history",
        "Every forecast ever made, with its distribution and the baseline's.",
        (
            TICKER, ORIGIN, TARGET, HORIZON, LAST_PRICE, *QUANTILES, MADE_AT, MODE, MODEL,
            ("location", "location of the Student-t log return, natural-log return"),
            ("scale", "scale of the Student-t log return, natural-log return"),
            ("dof", "degrees of freedom; NULL = normal"),
            ("baseline_location", "the random walk's location, natural-log return"),
            ("baseline_scale", "the random walk's scale, natural-log return"),
            ("baseline_dof", "the random walk's degrees of freedom; NULL = normal"),
            ("known_at", "latest instant at which a bar that it used was recorded, UTC"),
            ("input_sha256", "hash of the bars that it used"),
            ("price_basis", "as_traded, split_adjusted or fully_adjusted"),
            ("run_id", "the run that made it; see run_summary"),
            *CONFIG_COLUMNS,
        ),
        f"""SELECT t.symbol, f.origin, f.target, f.horizon, f.last_price, f.q05, f.q10, f.q25, f.q50, f.q75, f.q90, f.q95,
    f.made_at, f.mode, f.model_id, f.location, f.scale, f.dof, f.baseline_location, f.baseline_scale, f.baseline_dof,
    f.known_at, f.input_sha256, f.price_basis, f.run_id, f.config_id, c.preset, f.field
{FORECAST_SOURCE}""",
    ),
    View(
        "scored_forecast",
        "Forecasts whose target has settled, against what came; revision 0 alone.",
        (
            TICKER, ORIGIN, TARGET, HORIZON, MODE,
            ("realised_return", "natural-log return from origin to target, adjusted for splits and dividends"),
            ("realised_price", "last_price * exp(realised_return): what came, on the origin's share scale"),
            ("q50", "median forecast price, on the origin's share scale"),
            ("abs_error", "|realised_return - location|, natural-log return"),
            ("baseline_abs_error", "the same of the random walk"),
            ("crps", "continuous ranked probability score, natural-log return; lower is better"),
            ("baseline_crps", "the same of the random walk"),
            ("pit", "probability the forecast gave to less than what came"),
            *INSIDE,
            ("revision", "0; a later restatement of the target adds rows that this view leaves out"),
            *CONFIG_COLUMNS,
        ),
        f"""SELECT t.symbol, s.origin, f.target, s.horizon, f.mode, s.realised_return, s.realised_price, f.q50,
    s.abs_error, s.baseline_abs_error, s.crps, s.baseline_crps, s.pit, s.inside_50, s.inside_80, s.inside_90, s.revision,
    s.config_id, c.preset, f.field
{FORECAST_SOURCE}
JOIN scores s ON s.ticker_id = f.ticker_id AND s.config_id = f.config_id AND s.origin = f.origin
    AND s.horizon = f.horizon AND s.revision = 0""",
    ),
    View(
        "skill",
        "How the forecasts did against the random walk, by ticker, horizon and mode.",
        (
            ("ticker", "current symbol; * = all tickers, tested on their mean by target date"),
            HORIZON, MODE,
            ("n", "scored forecasts; for * target dates"),
            ("first_target", "first target scored"),
            ("last_target", "last target scored"),
            ("mae", "mean abs_error, natural-log return"),
            ("baseline_mae", "the same of the random walk"),
            ("crps", "mean CRPS, natural-log return"),
            ("baseline_crps", "the same of the random walk"),
            ("crps_skill", "1 - crps / baseline_crps; above 0 is better than the random walk"),
            *COVERAGE,
            ("hit_rate", "share of forecasts whose location has the sign of what came"),
            ("dm_statistic", "Diebold-Mariano on CRPS, negative = better than the random walk"),
            ("p_value", "of the Diebold-Mariano test, two-sided"),
            ("p_adjusted", "p_value after Benjamini-Hochberg over tickers x horizons"),
            ("verdict", "better, worse or not distinguishable (n < 60 or p_adjusted > 0.05)"),
            ("computed_at", "instant of the test, UTC"),
            *CONFIG_COLUMNS,
        ),
        """SELECT coalesce(t.symbol, '*'), s.horizon, s.mode, s.n, s.first_target, s.last_target, s.mae, s.baseline_mae,
    s.crps, s.baseline_crps, s.crps_skill, s.coverage_50, s.coverage_80, s.coverage_90, s.hit_rate, s.dm_statistic,
    s.p_value, s.p_adjusted, s.verdict, s.computed_at, s.config_id, c.preset, c.field
FROM skill_tests s
JOIN configs c ON c.id = s.config_id
LEFT JOIN tickers t ON t.id = s.ticker_id""",
    ),
    View(
        "loss_curve",
        "The loss of every training, epoch by epoch.",
        (
            TICKER, ORIGIN, MODEL,
            ("start", "cold or warm"),
            ("epoch", "pass over the history, from 0"),
            ("train_loss", "mean loss of the targets trained on: negative log likelihood (density), squared error (article)"),
            ("validation_loss", "mean loss of the held-out targets; NULL where none is held out"),
            ("gradient_norm", "norm of the gradient before clipping"),
            ("learning_rate", "step size of the optimizer"),
            *CONFIG_COLUMNS,
        ),
        """SELECT t.symbol, m.origin, m.id, m.start, l.epoch, l.train_loss, l.validation_loss, l.gradient_norm,
    l.learning_rate, m.config_id, c.preset, c.field
FROM losses l
JOIN models m ON m.id = l.model_id
JOIN configs c ON c.id = m.config_id
LEFT JOIN tickers t ON t.id = m.ticker_id""",
    ),
    View(
        "model_lineage",
        "Every training: what it began from, and why.",
        (
            MODEL, TICKER, ORIGIN,
            ("role", "chain, prior or twin"),
            ("start", "cold or warm"),
            ("reason", "why it started cold, or warm"),
            ("parent_id", "the model a warm start went on from"),
            ("depth", "warm starts since the cold one"),
            ("cold_ancestor_id", "the cold start of its chain"),
            ("epochs", "passes over the history"),
            ("seconds", "time of the training, its share of the stack's"),
            ("checkpoint_sha256", "hash of its params and optimizer state"),
            ("updates", "optimizer steps"),
            *CONFIG_COLUMNS,
        ),
        """SELECT m.id, t.symbol, m.origin, m.role, m.start, m.reason, m.parent_id, m.depth, m.cold_ancestor_id, m.epochs,
    m.seconds, m.checkpoint_sha256, m.updates, m.config_id, c.preset, c.field
FROM models m
JOIN configs c ON c.id = m.config_id
LEFT JOIN tickers t ON t.id = m.ticker_id""",
    ),
    View(
        "warm_start",
        "What warm starts cost or gain against cold twins trained at the same origins (backfill --twins).",
        (
            TICKER, HORIZON,
            ("n", "scored origins that have a twin"),
            ("crps", "mean CRPS of the warm forecasts, natural-log return"),
            ("twin_crps", "mean CRPS of the cold twins'"),
            ("gain", "1 - crps / twin_crps: above 0, warm is better"),
            ("seconds", "mean training time of a warm start"),
            ("twin_seconds", "mean training time of a cold twin"),
            *CONFIG_COLUMNS,
        ),
        """SELECT t.symbol, b.horizon, count(*), avg(s.crps), avg(b.crps), 1 - avg(s.crps) / avg(b.crps), avg(m.seconds),
    avg(w.seconds), b.config_id, c.preset, c.field
FROM baseline_forecasts b
JOIN tickers t ON t.id = b.ticker_id
JOIN configs c ON c.id = b.config_id
JOIN forecasts f ON f.ticker_id = b.ticker_id AND f.config_id = b.config_id AND f.origin = b.origin AND f.horizon = b.horizon
JOIN scores s ON s.ticker_id = b.ticker_id AND s.config_id = b.config_id AND s.origin = b.origin AND s.horizon = b.horizon
    AND s.revision = 0
JOIN models m ON m.id = f.model_id
LEFT JOIN models w ON w.ticker_id = b.ticker_id AND w.config_id = b.config_id AND w.origin = b.origin AND w.role = 'twin'
WHERE b.name = 'cold twin' AND b.crps IS NOT NULL
GROUP BY t.symbol, b.horizon, b.config_id, c.preset, c.field""",
    ),
    View(
        "baseline_skill",
        "Other models' forecasts beside ours on the same settled targets, by one estimator (backfill --baselines).",
        (
            TICKER, HORIZON,
            ("name", "the other model"),
            ("n", "targets that both were scored on"),
            ("crps", "mean of ours: twice the mean pinball loss over the levels 0.05 to 0.95, natural-log return"),
            ("other_crps", "mean of the other's, by the same estimator"),
            ("ratio", "crps / other_crps: below 1, ours is better"),
            *CONFIG_COLUMNS,
        ),
        """SELECT t.symbol, b.horizon, b.name, count(*), avg(o.crps), avg(b.crps), avg(o.crps) / avg(b.crps), b.config_id,
    c.preset, c.field
FROM baseline_forecasts b
JOIN baseline_forecasts o ON o.ticker_id = b.ticker_id AND o.config_id = b.config_id AND o.origin = b.origin
    AND o.horizon = b.horizon AND o.name = 'tickercast'
JOIN tickers t ON t.id = b.ticker_id
JOIN configs c ON c.id = b.config_id
WHERE b.name NOT IN ('tickercast', 'cold twin')
GROUP BY t.symbol, b.horizon, b.name, b.config_id, c.preset, c.field""",
    ),
    View(
        "calibration",
        "Coverage of the intervals and a histogram of the PIT, by ticker and month of the target.",
        (
            TICKER, HORIZON, MODE,
            ("month", "month of the targets, YYYY-MM"),
            ("n", "scored forecasts"),
            *COVERAGE,
            *(
                (f"pit_{decile}", f"share of PIT values in the {decile + 1}. tenth; 0.1 when calibrated")
                for decile in range(10)
            ),
            *CONFIG_COLUMNS,
        ),
        "SELECT t.symbol, s.horizon, f.mode, substr(CAST(f.target AS TEXT), 1, 7), count(*), avg(s.inside_50),\n"
        "    avg(s.inside_80), avg(s.inside_90),\n"
        + "".join(
            f"    avg(CASE WHEN s.pit {'>=' if d == 0 else '>'} {d / 10} AND s.pit <= {(d + 1) / 10} THEN 1.0 ELSE 0.0 END),\n"
            for d in range(10)
        )
        + """    s.config_id, c.preset, c.field
FROM scores s
JOIN forecasts f ON f.ticker_id = s.ticker_id AND f.config_id = s.config_id AND f.origin = s.origin AND f.horizon = s.horizon
JOIN tickers t ON t.id = s.ticker_id
JOIN configs c ON c.id = s.config_id
WHERE s.revision = 0
GROUP BY t.symbol, s.horizon, f.mode, substr(CAST(f.target AS TEXT), 1, 7), s.config_id, c.preset, c.field""",
    ),
    View(
        "run_summary",
        "Every run: what it did and how it ended.",
        (
            ("run_id", "number of the run"),
            ("kind", "backfill, run or daemon"),
            ("started_at", "UTC"),
            ("finished_at", "UTC; NULL while it runs or when it was killed"),
            ("status", "running, done, partial, failed or interrupted"),
            ("tickers_ok", "tickers that went through"),
            ("tickers_failed", "tickers that failed"),
            ("forecasts", "forecasts it added"),
            ("fingerprint", "what the bytes depend on: Python, NumPy, BLAS and its kernel, CPU class"),
            ("message", "its closing line"),
        ),
        """SELECT r.id, r.kind, r.started_at, r.finished_at, r.status, r.tickers_ok, r.tickers_failed, r.forecasts,
    r.fingerprint, r.message
FROM runs r""",
    ),
    View(
        "freshness",
        "How far each ticker's record is behind the present.",
        (
            TICKER,
            ("status", "active, quiet, held, suspended or too_short"),
            ("last_bar", "last session stored"),
            ("last_origin", "last session forecast from"),
            ("sessions_behind", "sessions closed by now since last_origin; NULL before the first forecast"),
            ("last_error", "what went wrong last; NULL after a success"),
            ("tracked", "1 when the daily run follows it"),
            ("held_bars", "bars that a gate holds; see gate"),
        ),
        """SELECT o.symbol, o.status, o.last_bar, o.last_origin,
    CASE WHEN o.last_origin IS NOT NULL THEN (
        SELECT count(*) FROM sessions s WHERE s.exchange = o.exchange AND s.session > o.last_origin
        AND s.close_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) END,
    o.last_error, o.tracked,
    (SELECT count(*) FROM gate_verdicts g WHERE g.ticker_id = o.id AND g.state = 'held')
FROM (
    SELECT t.id, t.symbol, t.status, t.exchange, t.last_error, t.tracked,
        (SELECT p.last_session FROM price_files p WHERE p.ticker_id = t.id AND p.superseded_at IS NULL) AS last_bar,
        (SELECT max((SELECT max(f.origin) FROM forecasts f WHERE f.ticker_id = t.id AND f.config_id = c.id))
            FROM configs c) AS last_origin
    FROM tickers t) o""",
    ),
    View(
        "restatement",
        "Stored bars that the source changed later, and how many forecasts had used the old value.",
        (
            TICKER,
            ("session", "session of the bar"),
            ("field", "open, high, low, close, volume, dividend or split"),
            ("old_value", "as first recorded"),
            ("new_value", "as recorded later"),
            ("recorded_at", "instant the change was seen, UTC"),
            ("forecasts_affected", "forecasts made before that from this session or a later one"),
        ),
        """SELECT t.symbol, r.session, r.field, r.old_value, r.new_value, r.recorded_at,
    (SELECT count(*) FROM forecasts f
        WHERE f.ticker_id = r.ticker_id AND f.origin >= r.session AND f.made_at < r.recorded_at)
FROM restatements r
JOIN tickers t ON t.id = r.ticker_id""",
    ),
    View(
        "gate",
        "What the gates say of single sessions: bars held or refused, and stretches worth knowing.",
        (
            TICKER,
            ("session", "session of the bar, or the first of a stretch"),
            ("code", "the gate; docs/prices.md explains each"),
            ("state", "held = kept apart until decided; refused; ok = noted, or a held bar that was released"),
            ("message", "what was found"),
            ("open", "open of a bar that was kept apart, as traded where the source tells splits"),
            ("high", "its high"),
            ("low", "its low"),
            ("close", "its close"),
            ("volume", "its volume"),
            ("dividend", "its dividend per share"),
            ("split", "its split; 1 = none"),
            ("recorded_at", "instant the verdict was reached first, UTC"),
            ("decided_at", "instant a held bar was released or refused, UTC"),
        ),
        """SELECT t.symbol, g.session, g.code, g.state, g.message, g.open, g.high, g.low, g.close, g.volume, g.dividend,
    g.split, g.recorded_at, g.decided_at
FROM gate_verdicts g
JOIN tickers t ON t.id = g.ticker_id""",
    ),
    View(
        "price_file",
        "The Parquet file that holds each ticker's bars now.",
        (
            TICKER,
            ("path", "below the prices folder"),
            ("rows", "rows in the file: a restated session has several"),
            ("first_session", "first session stored"),
            ("last_session", "last session stored"),
            ("price_basis", "as_traded, split_adjusted or fully_adjusted"),
            ("sha256", "hash of the file"),
        ),
        """SELECT t.symbol, p.path, p.rows, p.first_session, p.last_session, p.price_basis, p.sha256
FROM price_files p
JOIN tickers t ON t.id = p.ticker_id
WHERE p.superseded_at IS NULL""",
    ),
)  # fmt: skip


def _refusal(table: str, action: str) -> str:
    return (
        f"CREATE TRIGGER {table}_refuse_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are never changed: {action} refused'); END"
    )


TRIGGERS = {
    f"{table}_refuse_{action.lower()}": _refusal(table, action)
    for table in ("forecasts", "scores")
    for action in ("UPDATE", "DELETE")
}
