"""The first schema: tables, triggers and public views.

Revision: 0001, the first
A record on PostgreSQL begins at the newest schema, so this one runs on SQLite alone.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SESSION = sa.Text()
INSTANT = sa.Text()
REAL = sa.Double().with_variant(sqlite.REAL(), "sqlite")
LARGE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

VIEWS = (
    """CREATE VIEW latest_forecast (ticker, origin, target, horizon, last_price, q05, q10, q25, q50, q75, q90, q95, made_at, mode, model_id, config, preset, field) AS
WITH newest AS (
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
    """CREATE VIEW forecast_history (ticker, origin, target, horizon, last_price, q05, q10, q25, q50, q75, q90, q95, made_at, mode, model_id, location, scale, dof, baseline_location, baseline_scale, baseline_dof, known_at, input_sha256, price_basis, run_id, config, preset, field) AS
SELECT t.symbol, f.origin, f.target, f.horizon, f.last_price, f.q05, f.q10, f.q25, f.q50, f.q75, f.q90, f.q95,
    f.made_at, f.mode, f.model_id, f.location, f.scale, f.dof, f.baseline_location, f.baseline_scale, f.baseline_dof,
    f.known_at, f.input_sha256, f.price_basis, f.run_id, f.config_id, c.preset, f.field
FROM forecasts f
JOIN tickers t ON t.id = f.ticker_id
JOIN configs c ON c.id = f.config_id""",
    """CREATE VIEW scored_forecast (ticker, origin, target, horizon, mode, realised_return, realised_price, q50, abs_error, baseline_abs_error, crps, baseline_crps, pit, inside_50, inside_80, inside_90, revision, config, preset, field) AS
SELECT t.symbol, s.origin, f.target, s.horizon, f.mode, s.realised_return, s.realised_price, f.q50,
    s.abs_error, s.baseline_abs_error, s.crps, s.baseline_crps, s.pit, s.inside_50, s.inside_80, s.inside_90, s.revision,
    s.config_id, c.preset, f.field
FROM forecasts f
JOIN tickers t ON t.id = f.ticker_id
JOIN configs c ON c.id = f.config_id
JOIN scores s ON s.ticker_id = f.ticker_id AND s.config_id = f.config_id AND s.origin = f.origin
    AND s.horizon = f.horizon AND s.revision = 0""",
    """CREATE VIEW skill (ticker, horizon, mode, n, first_target, last_target, mae, baseline_mae, crps, baseline_crps, crps_skill, coverage_50, coverage_80, coverage_90, hit_rate, dm_statistic, p_value, p_adjusted, verdict, computed_at, config, preset, field) AS
SELECT coalesce(t.symbol, '*'), s.horizon, s.mode, s.n, s.first_target, s.last_target, s.mae, s.baseline_mae,
    s.crps, s.baseline_crps, s.crps_skill, s.coverage_50, s.coverage_80, s.coverage_90, s.hit_rate, s.dm_statistic,
    s.p_value, s.p_adjusted, s.verdict, s.computed_at, s.config_id, c.preset, c.field
FROM skill_tests s
JOIN configs c ON c.id = s.config_id
LEFT JOIN tickers t ON t.id = s.ticker_id""",
    """CREATE VIEW loss_curve (ticker, origin, model_id, start, epoch, train_loss, validation_loss, gradient_norm, learning_rate, config, preset, field) AS
SELECT t.symbol, m.origin, m.id, m.start, l.epoch, l.train_loss, l.validation_loss, l.gradient_norm,
    l.learning_rate, m.config_id, c.preset, c.field
FROM losses l
JOIN models m ON m.id = l.model_id
JOIN configs c ON c.id = m.config_id
LEFT JOIN tickers t ON t.id = m.ticker_id""",
    """CREATE VIEW model_lineage (model_id, ticker, origin, role, start, reason, parent_id, depth, cold_ancestor_id, epochs, seconds, checkpoint_sha256, updates, config, preset, field) AS
SELECT m.id, t.symbol, m.origin, m.role, m.start, m.reason, m.parent_id, m.depth, m.cold_ancestor_id, m.epochs,
    m.seconds, m.checkpoint_sha256, m.updates, m.config_id, c.preset, c.field
FROM models m
JOIN configs c ON c.id = m.config_id
LEFT JOIN tickers t ON t.id = m.ticker_id""",
    """CREATE VIEW run_summary (run_id, kind, started_at, finished_at, status, tickers_ok, tickers_failed, forecasts, fingerprint, message) AS
SELECT r.id, r.kind, r.started_at, r.finished_at, r.status, r.tickers_ok, r.tickers_failed, r.forecasts,
    r.fingerprint, r.message
FROM runs r""",
    """CREATE VIEW freshness (ticker, status, last_bar, last_origin, sessions_behind, last_error, tracked) AS
SELECT o.symbol, o.status, o.last_bar, o.last_origin,
    CASE WHEN o.last_origin IS NOT NULL THEN (
        SELECT count(*) FROM sessions s WHERE s.exchange = o.exchange AND s.session > o.last_origin
        AND s.close_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) END,
    o.last_error, o.tracked
FROM (
    SELECT t.symbol, t.status, t.exchange, t.last_error, t.tracked,
        (SELECT p.last_session FROM price_files p WHERE p.ticker_id = t.id AND p.superseded_at IS NULL) AS last_bar,
        (SELECT max((SELECT max(f.origin) FROM forecasts f WHERE f.ticker_id = t.id AND f.config_id = c.id))
            FROM configs c) AS last_origin
    FROM tickers t) o""",
    """CREATE VIEW restatement (ticker, session, field, old_value, new_value, recorded_at, forecasts_affected) AS
SELECT t.symbol, r.session, r.field, r.old_value, r.new_value, r.recorded_at,
    (SELECT count(*) FROM forecasts f
        WHERE f.ticker_id = r.ticker_id AND f.origin >= r.session AND f.made_at < r.recorded_at)
FROM restatements r
JOIN tickers t ON t.id = r.ticker_id""",
    """CREATE VIEW price_file (ticker, path, rows, first_session, last_session, price_basis, sha256) AS
SELECT t.symbol, p.path, p.rows, p.first_session, p.last_session, p.price_basis, p.sha256
FROM price_files p
JOIN tickers t ON t.id = p.ticker_id
WHERE p.superseded_at IS NULL""",
)

TRIGGERS = (
    "CREATE TRIGGER forecasts_refuse_update BEFORE UPDATE ON forecasts BEGIN SELECT RAISE(ABORT, 'forecasts are never changed: UPDATE refused'); END",
    "CREATE TRIGGER forecasts_refuse_delete BEFORE DELETE ON forecasts BEGIN SELECT RAISE(ABORT, 'forecasts are never changed: DELETE refused'); END",
    "CREATE TRIGGER scores_refuse_update BEFORE UPDATE ON scores BEGIN SELECT RAISE(ABORT, 'scores are never changed: UPDATE refused'); END",
    "CREATE TRIGGER scores_refuse_delete BEFORE DELETE ON scores BEGIN SELECT RAISE(ABORT, 'scores are never changed: DELETE refused'); END",
)


def upgrade() -> None:
    create_tables()
    for statement in (*VIEWS, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("there is nothing before the first schema; restore a backup instead")


def create_tables() -> None:
    op.create_table(
        "configs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("preset", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("active", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("field IN ('close', 'open')", name=op.f("ck_configs_field")),
        sa.CheckConstraint("active IN (0, 1)", name=op.f("ck_configs_active")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_configs")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_configs_one_active",
        "configs",
        ["active"],
        unique=True,
        sqlite_where=sa.text("active = 1"),
        postgresql_where=sa.text("active = 1"),
    )
    op.create_table(
        "sessions",
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("session", SESSION, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("open_at", INSTANT, nullable=False),
        sa.Column("close_at", INSTANT, nullable=False),
        sa.CheckConstraint("open_at < close_at", name=op.f("ck_sessions_hours")),
        sa.PrimaryKeyConstraint("exchange", "session", name=op.f("pk_sessions")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tickers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("first_symbol", sa.Text(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("price_basis", sa.Text(), nullable=True),
        sa.Column("tracked", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "price_basis IN ('as_traded', 'split_adjusted', 'fully_adjusted')", name=op.f("ck_tickers_price_basis")
        ),
        sa.CheckConstraint("status IN ('active', 'quiet', 'held', 'suspended', 'too_short')", name=op.f("ck_tickers_status")),
        sa.CheckConstraint("tracked IN (0, 1)", name=op.f("ck_tickers_tracked")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickers")),
        sa.UniqueConstraint("symbol", name=op.f("uq_tickers_symbol")),
        sqlite_strict=True,
    )
    op.create_table(
        "price_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("first_session", SESSION, nullable=False),
        sa.Column("last_session", SESSION, nullable=False),
        sa.Column("price_basis", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("superseded_at", INSTANT, nullable=True),
        sa.CheckConstraint("rows > 0 AND first_session <= last_session", name=op.f("ck_price_files_span")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_price_files_ticker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_files")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_price_files_current",
        "price_files",
        ["ticker_id"],
        unique=True,
        sqlite_where=sa.text("superseded_at IS NULL"),
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "restatements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("session", SESSION, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("old_value", REAL, nullable=False),
        sa.Column("new_value", REAL, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "field IN ('open', 'high', 'low', 'close', 'volume', 'dividend', 'split')",
            name=op.f("ck_restatements_field"),
        ),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_restatements_ticker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restatements")),
        sa.UniqueConstraint(
            "ticker_id",
            "session",
            "field",
            "recorded_at",
            name=op.f("uq_restatements_ticker_id_session_field_recorded_at"),
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("config_id", sa.Text(), nullable=True),
        sa.Column("tickers_ok", sa.Integer(), nullable=False),
        sa.Column("tickers_failed", sa.Integer(), nullable=False),
        sa.Column("forecasts", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('backfill', 'run', 'daemon', 'evaluate')", name=op.f("ck_runs_kind")),
        sa.CheckConstraint("status IN ('running', 'done', 'partial', 'failed', 'interrupted')", name=op.f("ck_runs_status")),
        sa.ForeignKeyConstraint(["config_id"], ["configs.id"], name=op.f("fk_runs_config_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sqlite_strict=True,
    )
    op.create_table(
        "skill_tests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("config_id", sa.Text(), nullable=False),
        sa.Column("ticker_id", sa.Integer(), nullable=True),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("first_target", SESSION, nullable=False),
        sa.Column("last_target", SESSION, nullable=False),
        sa.Column("mae", REAL, nullable=False),
        sa.Column("baseline_mae", REAL, nullable=False),
        sa.Column("crps", REAL, nullable=False),
        sa.Column("baseline_crps", REAL, nullable=False),
        sa.Column("crps_skill", REAL, nullable=False),
        sa.Column("coverage_50", REAL, nullable=False),
        sa.Column("coverage_80", REAL, nullable=False),
        sa.Column("coverage_90", REAL, nullable=False),
        sa.Column("hit_rate", REAL, nullable=True),
        sa.Column("dm_statistic", REAL, nullable=True),
        sa.Column("p_value", REAL, nullable=True),
        sa.Column("p_adjusted", REAL, nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("computed_at", INSTANT, nullable=False),
        sa.CheckConstraint("mode IN ('live', 'catchup', 'backfill')", name=op.f("ck_skill_tests_mode")),
        sa.CheckConstraint("verdict IN ('better', 'worse', 'not distinguishable')", name=op.f("ck_skill_tests_verdict")),
        sa.ForeignKeyConstraint(["config_id"], ["configs.id"], name=op.f("fk_skill_tests_config_id")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_skill_tests_ticker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skill_tests")),
        sa.UniqueConstraint(
            "config_id", "ticker_id", "horizon", "mode", name=op.f("uq_skill_tests_config_id_ticker_id_horizon_mode")
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "symbols",
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", SESSION, nullable=False),
        sa.Column("valid_to", SESSION, nullable=True),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_symbols_span")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_symbols_ticker_id")),
        sa.PrimaryKeyConstraint("ticker_id", "valid_from", name=op.f("pk_symbols")),
        sqlite_strict=True,
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("ticker_id", sa.Integer(), nullable=True),
        sa.Column("session", SESSION, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_events_run_id")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_events_ticker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_strict=True,
    )
    op.create_table(
        "models",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticker_id", sa.Integer(), nullable=True),
        sa.Column("config_id", sa.Text(), nullable=False),
        sa.Column("origin", SESSION, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("start", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("prior_id", sa.Text(), nullable=True),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("cold_ancestor_id", sa.Text(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("updates", sa.Integer(), nullable=False),
        sa.Column("seed", LARGE, nullable=False),
        sa.Column("input_sha256", sa.Text(), nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.Column("seconds", REAL, nullable=False),
        sa.Column("checkpoint_sha256", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("(role = 'prior') = (ticker_id IS NULL)", name=op.f("ck_models_owner")),
        sa.CheckConstraint("(start = 'cold') = (parent_id IS NULL)", name=op.f("ck_models_parent")),
        sa.CheckConstraint("role IN ('chain', 'prior', 'twin')", name=op.f("ck_models_role")),
        sa.CheckConstraint("start IN ('cold', 'warm')", name=op.f("ck_models_start")),
        sa.ForeignKeyConstraint(["config_id"], ["configs.id"], name=op.f("fk_models_config_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["models.id"], name=op.f("fk_models_parent_id")),
        sa.ForeignKeyConstraint(["prior_id"], ["models.id"], name=op.f("fk_models_prior_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_models_run_id")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_models_ticker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sqlite_strict=True,
    )
    op.create_index("ix_models_ticker_id_config_id_origin", "models", ["ticker_id", "config_id", "origin"], unique=False)
    op.create_table(
        "run_tickers",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("origins", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.CheckConstraint("status IN ('ok', 'failed', 'skipped')", name=op.f("ck_run_tickers_status")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_tickers_run_id")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_run_tickers_ticker_id")),
        sa.PrimaryKeyConstraint("run_id", "ticker_id", name=op.f("pk_run_tickers")),
        sqlite_strict=True,
    )
    op.create_table(
        "checkpoints",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_checkpoints_model_id")),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_checkpoints")),
        sqlite_strict=True,
    )
    op.create_table(
        "forecasts",
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("config_id", sa.Text(), nullable=False),
        sa.Column("origin", SESSION, nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("target", SESSION, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("location", REAL, nullable=False),
        sa.Column("scale", REAL, nullable=False),
        sa.Column("dof", REAL, nullable=True),
        sa.Column("last_price", REAL, nullable=False),
        sa.Column("q05", REAL, nullable=False),
        sa.Column("q10", REAL, nullable=False),
        sa.Column("q25", REAL, nullable=False),
        sa.Column("q50", REAL, nullable=False),
        sa.Column("q75", REAL, nullable=False),
        sa.Column("q90", REAL, nullable=False),
        sa.Column("q95", REAL, nullable=False),
        sa.Column("baseline_location", REAL, nullable=False),
        sa.Column("baseline_scale", REAL, nullable=False),
        sa.Column("baseline_dof", REAL, nullable=True),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("known_at", INSTANT, nullable=False),
        sa.Column("input_sha256", sa.Text(), nullable=False),
        sa.Column("price_basis", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("field IN ('close', 'open')", name=op.f("ck_forecasts_field")),
        sa.CheckConstraint("mode IN ('live', 'catchup', 'backfill')", name=op.f("ck_forecasts_mode")),
        sa.CheckConstraint(
            "0 < last_price AND 0 < q05 AND q05 <= q10 AND q10 <= q25 AND q25 <= q50 AND q50 <= q75 AND q75 <= q90 AND q90 <= q95 AND q95 < 1e308",
            name=op.f("ck_forecasts_quantiles"),
        ),
        sa.CheckConstraint("abs(location) < 1e308 AND (dof IS NULL OR dof > 0)", name=op.f("ck_forecasts_location")),
        sa.CheckConstraint("horizon >= 1", name=op.f("ck_forecasts_horizon")),
        sa.CheckConstraint("scale > 0 AND scale < 1e308 AND baseline_scale > 0", name=op.f("ck_forecasts_scale")),
        sa.CheckConstraint("target > origin", name=op.f("ck_forecasts_target")),
        sa.ForeignKeyConstraint(["config_id"], ["configs.id"], name=op.f("fk_forecasts_config_id")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_forecasts_model_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_forecasts_run_id")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_forecasts_ticker_id")),
        sa.PrimaryKeyConstraint("ticker_id", "config_id", "origin", "horizon", name=op.f("pk_forecasts")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_forecasts_config_id_origin", "forecasts", ["config_id", "origin"], unique=False)
    op.create_table(
        "losses",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("train_loss", REAL, nullable=False),
        sa.Column("validation_loss", REAL, nullable=True),
        sa.Column("gradient_norm", REAL, nullable=False),
        sa.Column("learning_rate", REAL, nullable=False),
        sa.CheckConstraint("epoch >= 0", name=op.f("ck_losses_epoch")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_losses_model_id")),
        sa.PrimaryKeyConstraint("model_id", "epoch", name=op.f("pk_losses")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "baseline_forecasts",
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("config_id", sa.Text(), nullable=False),
        sa.Column("origin", SESSION, nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("location", REAL, nullable=False),
        sa.Column("scale", REAL, nullable=False),
        sa.Column("dof", REAL, nullable=True),
        sa.Column("crps", REAL, nullable=True),
        sa.CheckConstraint("scale > 0", name=op.f("ck_baseline_forecasts_scale")),
        sa.ForeignKeyConstraint(
            ["ticker_id", "config_id", "origin", "horizon"],
            ["forecasts.ticker_id", "forecasts.config_id", "forecasts.origin", "forecasts.horizon"],
            name=op.f("fk_baseline_forecasts_ticker_id_config_id_origin_horizon"),
        ),
        sa.PrimaryKeyConstraint("ticker_id", "config_id", "origin", "horizon", "name", name=op.f("pk_baseline_forecasts")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recalibrations",
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("config_id", sa.Text(), nullable=False),
        sa.Column("origin", SESSION, nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("scale_factor", REAL, nullable=False),
        sa.Column("raw_scale", REAL, nullable=False),
        sa.CheckConstraint("scale_factor > 0", name=op.f("ck_recalibrations_factor")),
        sa.ForeignKeyConstraint(
            ["ticker_id", "config_id", "origin", "horizon"],
            ["forecasts.ticker_id", "forecasts.config_id", "forecasts.origin", "forecasts.horizon"],
            name=op.f("fk_recalibrations_ticker_id_config_id_origin_horizon"),
        ),
        sa.PrimaryKeyConstraint("ticker_id", "config_id", "origin", "horizon", name=op.f("pk_recalibrations")),
        sqlite_strict=True,
    )
    op.create_table(
        "scores",
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("config_id", sa.Text(), nullable=False),
        sa.Column("origin", SESSION, nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("realised_return", REAL, nullable=False),
        sa.Column("realised_price", REAL, nullable=False),
        sa.Column("abs_error", REAL, nullable=False),
        sa.Column("baseline_abs_error", REAL, nullable=False),
        sa.Column("crps", REAL, nullable=False),
        sa.Column("baseline_crps", REAL, nullable=False),
        sa.Column("pit", REAL, nullable=False),
        sa.Column("inside_50", sa.Integer(), nullable=False),
        sa.Column("inside_80", sa.Integer(), nullable=False),
        sa.Column("inside_90", sa.Integer(), nullable=False),
        sa.CheckConstraint("inside_50 IN (0, 1) AND inside_80 IN (0, 1) AND inside_90 IN (0, 1)", name=op.f("ck_scores_inside")),
        sa.CheckConstraint("pit BETWEEN 0 AND 1 AND crps >= 0 AND baseline_crps >= 0", name=op.f("ck_scores_range")),
        sa.CheckConstraint("revision >= 0", name=op.f("ck_scores_revision")),
        sa.ForeignKeyConstraint(
            ["ticker_id", "config_id", "origin", "horizon"],
            ["forecasts.ticker_id", "forecasts.config_id", "forecasts.origin", "forecasts.horizon"],
            name=op.f("fk_scores_ticker_id_config_id_origin_horizon"),
        ),
        sa.PrimaryKeyConstraint("ticker_id", "config_id", "origin", "horizon", "revision", name=op.f("pk_scores")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
