"""Keys of tickers and their sources, priors with their members, bars in SQL, digests of rows, and what follows from them in views.

Revision: 0005, after 0004
A record on PostgreSQL begins at the newest schema, so this one runs on SQLite alone.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SESSION = sa.Text()
INSTANT = sa.Text()
REAL = sa.Double().with_variant(sqlite.REAL(), "sqlite")
BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

CHANGED_VIEWS = ("latest_forecast", "scored_forecast", "skill", "model_lineage", "run_summary", "freshness")
VIEWS = {
    "latest_forecast": """CREATE VIEW latest_forecast (ticker, origin, target, horizon, last_price, q05, q10, q25, q50, q75, q90, q95, made_at, mode, model_id, config, preset, field, currency, move_percent, width_percent, sessions_behind) AS
WITH newest AS (
    SELECT t.id AS ticker_id, t.symbol, t.exchange, t.currency, c.id AS config_id, c.preset, c.active,
        (SELECT max(m.origin) FROM forecasts m WHERE m.ticker_id = t.id AND m.config_id = c.id) AS origin
    FROM tickers t CROSS JOIN configs c
), ranked AS (
    SELECT n.*, row_number() OVER (PARTITION BY n.ticker_id ORDER BY n.active DESC, n.origin DESC, n.config_id) AS place, (
        SELECT count(*) FROM sessions s WHERE s.exchange = n.exchange AND s.session > n.origin
        AND s.close_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) AS sessions_behind
    FROM newest n WHERE n.origin IS NOT NULL
)
SELECT r.symbol,
    f.origin,
    f.target,
    f.horizon,
    f.last_price,
    f.q05,
    f.q10,
    f.q25,
    f.q50,
    f.q75,
    f.q90,
    f.q95,
    f.made_at,
    f.mode,
    f.model_id,
    f.config_id,
    r.preset,
    f.field,
    r.currency,
    100.0 * (f.q50 / f.last_price - 1),
    100.0 * (f.q95 - f.q05) / f.last_price,
    r.sessions_behind
FROM ranked r
JOIN forecasts f ON f.ticker_id = r.ticker_id AND f.config_id = r.config_id AND f.origin = r.origin
WHERE r.place = 1""",
    "scored_forecast": """CREATE VIEW scored_forecast (ticker, origin, target, horizon, mode, realised_return, realised_price, q50, abs_error, baseline_abs_error, crps, baseline_crps, pit, inside_50, inside_80, inside_90, revision, config, preset, field, last_price, q05, q10, q25, q75, q90, q95, made_at, model_id) AS
SELECT t.symbol,
    s.origin,
    f.target,
    s.horizon,
    f.mode,
    s.realised_return,
    s.realised_price,
    f.q50,
    s.abs_error,
    s.baseline_abs_error,
    s.crps,
    s.baseline_crps,
    s.pit,
    s.inside_50,
    s.inside_80,
    s.inside_90,
    s.revision,
    s.config_id,
    c.preset,
    f.field,
    f.last_price,
    f.q05,
    f.q10,
    f.q25,
    f.q75,
    f.q90,
    f.q95,
    f.made_at,
    f.model_id
FROM forecasts f
JOIN tickers t ON t.id = f.ticker_id
JOIN configs c ON c.id = f.config_id
JOIN scores s ON s.ticker_id = f.ticker_id AND s.config_id = f.config_id AND s.origin = f.origin
    AND s.horizon = f.horizon AND s.revision = 0""",
    "skill": """CREATE VIEW skill (ticker, horizon, mode, n, first_target, last_target, mae, baseline_mae, crps, baseline_crps, crps_skill, coverage_50, coverage_80, coverage_90, hit_rate, dm_statistic, p_value, p_adjusted, verdict, computed_at, config, preset, field) AS
SELECT coalesce(t.symbol, '*'),
    s.horizon,
    s.mode,
    s.n,
    s.first_target,
    s.last_target,
    s.mae,
    s.baseline_mae,
    s.crps,
    s.baseline_crps,
    s.crps_skill,
    s.coverage_50,
    s.coverage_80,
    s.coverage_90,
    s.hit_rate,
    s.dm_statistic,
    s.p_value,
    s.p_adjusted,
    s.verdict,
    s.computed_at,
    s.config_id,
    c.preset,
    c.field
FROM skill_tests s
JOIN configs c ON c.id = s.config_id
LEFT JOIN tickers t ON t.id = s.ticker_id""",
    "model_lineage": """CREATE VIEW model_lineage (model_id, ticker, origin, role, start, reason, parent_id, depth, cold_ancestor_id, epochs, seconds, checkpoint_sha256, updates, config, preset, field, prior_id) AS
SELECT m.id,
    t.symbol,
    m.origin,
    m.role,
    m.start,
    m.reason,
    m.parent_id,
    m.depth,
    m.cold_ancestor_id,
    m.epochs,
    m.seconds,
    m.checkpoint_sha256,
    m.updates,
    m.config_id,
    c.preset,
    c.field,
    m.prior_id
FROM models m
JOIN configs c ON c.id = m.config_id
LEFT JOIN tickers t ON t.id = m.ticker_id""",
    "run_summary": """CREATE VIEW run_summary (run_id, kind, started_at, finished_at, status, tickers_ok, tickers_failed, forecasts, fingerprint, message, seconds, config) AS
SELECT r.id,
    r.kind,
    r.started_at,
    r.finished_at,
    r.status,
    r.tickers_ok,
    r.tickers_failed,
    r.forecasts,
    r.fingerprint,
    r.message,
    round((julianday(r.finished_at) - julianday(r.started_at)) * 86400, 3),
    r.config_id
FROM runs r""",
    "freshness": """CREATE VIEW freshness (ticker, status, last_bar, last_origin, sessions_behind, last_error, tracked, held_bars, source, source_path) AS
SELECT o.symbol,
    o.status,
    o.last_bar,
    o.last_origin,
    CASE WHEN o.last_origin IS NOT NULL THEN (
        SELECT count(*) FROM sessions s WHERE s.exchange = o.exchange AND s.session > o.last_origin
        AND s.close_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) END,
    o.last_error,
    o.tracked,
    (SELECT count(*) FROM gate_verdicts g WHERE g.ticker_id = o.id AND g.state = 'held'),
    o.source,
    o.source_path
FROM (
    SELECT t.id, t.symbol, t.status, t.exchange, t.last_error, t.tracked, t.source, t.source_path,
        (SELECT p.last_session FROM price_files p WHERE p.ticker_id = t.id AND p.superseded_at IS NULL) AS last_bar,
        (SELECT max((SELECT max(f.origin) FROM forecasts f WHERE f.ticker_id = t.id AND f.config_id = c.id)) FROM configs c) AS last_origin
    FROM tickers t) o""",
    "outcome": """CREATE VIEW outcome (ticker, origin, target, horizon, state, mode, last_price, q05, q10, q25, q50, q75, q90, q95, realised_return, realised_price, inside_50, inside_80, inside_90, crps, baseline_crps, pit, made_at, model_id, config, preset, field) AS
SELECT o.symbol,
    o.origin,
    o.target,
    o.horizon,
    o.state,
    o.mode,
    o.last_price,
    o.q05,
    o.q10,
    o.q25,
    o.q50,
    o.q75,
    o.q90,
    o.q95,
    o.realised_return,
    o.realised_price,
    o.realised_price BETWEEN o.q25 AND o.q75,
    o.realised_price BETWEEN o.q10 AND o.q90,
    o.realised_price BETWEEN o.q05 AND o.q95,
    o.crps,
    o.baseline_crps,
    o.pit,
    o.made_at,
    o.model_id,
    o.config_id,
    o.preset,
    o.field
FROM (
    SELECT r.*, r.last_price * exp(r.realised_return) AS realised_price FROM (
        SELECT f.*, t.symbol, c.preset, s.crps, s.baseline_crps, s.pit,
            CASE WHEN s.origin IS NOT NULL THEN 'settled' WHEN b.session IS NOT NULL THEN 'provisional'
                ELSE 'pending' END AS state,
            CASE WHEN s.origin IS NOT NULL THEN s.realised_return WHEN b.session IS NOT NULL THEN (
        SELECT sum(CASE f.field WHEN 'open' THEN d.adjusted_open_return ELSE d.adjusted_return END) FROM bars d
        WHERE d.ticker_id = f.ticker_id AND d.session > f.origin AND d.session <= f.target) END AS realised_return
        FROM forecasts f
        JOIN tickers t ON t.id = f.ticker_id
        JOIN configs c ON c.id = f.config_id
        LEFT JOIN scores s ON s.ticker_id = f.ticker_id AND s.config_id = f.config_id AND s.origin = f.origin
            AND s.horizon = f.horizon AND s.revision = 0
        LEFT JOIN bars b ON b.ticker_id = f.ticker_id AND b.session = f.target) r) o""",
    "prior": """CREATE VIEW prior (model_id, cutoff, members, kind, member_count, family, diverged, data_sha256, settings, fingerprint, config, preset, field) AS
SELECT p.model_id,
    p.cutoff,
    (SELECT group_concat(m.member, ',') FROM prior_members m WHERE m.model_id = p.model_id),
    p.kind,
    (SELECT count(*) FROM prior_members m WHERE m.model_id = p.model_id),
    p.family,
    p.diverged,
    p.data_sha256,
    p.settings,
    p.fingerprint,
    w.config_id,
    c.preset,
    c.field
FROM priors p
JOIN models w ON w.id = p.model_id
JOIN configs c ON c.id = w.config_id""",
    "prior_member": """CREATE VIEW prior_member (model_id, member, bars, last_session, input_sha256) AS
SELECT m.model_id,
    m.member,
    m.bars,
    m.last_session,
    m.input_sha256
FROM prior_members m""",
    "run_ticker": """CREATE VIEW run_ticker (run_id, ticker, status, origins, message) AS
SELECT r.run_id,
    t.symbol,
    r.status,
    r.origins,
    r.message
FROM run_tickers r
JOIN tickers t ON t.id = r.ticker_id""",
    "config": """CREATE VIEW config (id, preset, field, settings, active, created_at) AS
SELECT c.id,
    c.preset,
    c.field,
    c.settings,
    c.active,
    c.created_at
FROM configs c""",
    "event": """CREATE VIEW event (ticker, at, kind, session, message, run_id) AS
SELECT t.symbol,
    e.at,
    e.kind,
    e.session,
    e.message,
    e.run_id
FROM events e
LEFT JOIN tickers t ON t.id = e.ticker_id""",
    "symbol_history": """CREATE VIEW symbol_history (ticker, symbol, valid_from, valid_to) AS
SELECT t.symbol,
    s.symbol,
    s.valid_from,
    s.valid_to
FROM symbols s
JOIN tickers t ON t.id = s.ticker_id""",
    "bar": """CREATE VIEW bar (ticker, session, open, high, low, close, volume, adjusted_return, settled, dividend, split, currency, price_basis, recorded_at) AS
SELECT t.symbol,
    b.session,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.adjusted_return,
    b.session < (SELECT p.last_session FROM price_files p WHERE p.ticker_id = b.ticker_id AND p.superseded_at IS NULL),
    b.dividend,
    b.split,
    t.currency,
    t.price_basis,
    b.recorded_at
FROM bars b
JOIN tickers t ON t.id = b.ticker_id""",
}
TRIGGERS = (
    "CREATE TRIGGER forecasts_ignore_replace BEFORE INSERT ON forecasts WHEN EXISTS (SELECT 1 FROM forecasts WHERE ticker_id = NEW.ticker_id AND config_id = NEW.config_id AND origin = NEW.origin AND horizon = NEW.horizon) BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER scores_ignore_replace BEFORE INSERT ON scores WHEN EXISTS (SELECT 1 FROM scores WHERE ticker_id = NEW.ticker_id AND config_id = NEW.config_id AND origin = NEW.origin AND horizon = NEW.horizon AND revision = NEW.revision) BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER forecasts_are_unscored AFTER INSERT ON forecasts BEGIN INSERT INTO unscored VALUES (NEW.ticker_id, NEW.config_id, NEW.origin, NEW.horizon, NEW.target); END",
    "CREATE TRIGGER scores_are_not_unscored AFTER INSERT ON scores BEGIN DELETE FROM unscored WHERE ticker_id = NEW.ticker_id AND config_id = NEW.config_id AND origin = NEW.origin AND horizon = NEW.horizon; END",
)


def upgrade() -> None:
    for name in CHANGED_VIEWS:
        op.execute(f"DROP VIEW {name}")
    change_tickers()
    create_priors()
    create_bars()
    create_digests()
    create_unscored()
    rebuild_skill_tests()
    op.create_index("ix_forecasts_target", "forecasts", ["target"])
    for statement in (*VIEWS.values(), *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError(
        "the members of bundled priors have no place in the schema before; restore the copy made at the upgrade"
    )


def change_tickers() -> None:
    """Rename first_symbol to key and make it unique: a later ticker of the same first symbol gets a number."""
    op.execute("ALTER TABLE tickers RENAME COLUMN first_symbol TO key")
    op.execute(
        "UPDATE tickers SET key = key || '#' || (SELECT count(*) FROM tickers o WHERE o.key = tickers.key AND o.id <= tickers.id) "
        "WHERE EXISTS (SELECT 1 FROM tickers o WHERE o.key = tickers.key AND o.id < tickers.id)"
    )
    op.add_column("tickers", sa.Column("source_path", sa.Text(), nullable=False, server_default=""))
    op.add_column("tickers", sa.Column("adjustment", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_tickers_key", "tickers", ["key"], unique=True)
    # Earlier versions could leave revisions of scores out, so every restatement is looked at once more.
    op.add_column("tickers", sa.Column("rescore_from", SESSION, nullable=True))
    op.execute("UPDATE tickers SET rescore_from = (SELECT min(r.session) FROM restatements r WHERE r.ticker_id = tickers.id)")


def create_priors() -> None:
    """Create priors with those of earlier versions, and key their members by name: one of a bundled prior may not be stored."""
    op.create_table(
        "priors",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("cutoff", SESSION, nullable=False),
        sa.Column("diverged", sa.Integer(), nullable=False),
        sa.Column("data_sha256", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('bundled', 'universe', 'run')", name=op.f("ck_priors_kind")),
        sa.CheckConstraint("diverged IN (0, 1)", name=op.f("ck_priors_diverged")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_priors_model_id")),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_priors")),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO priors SELECT m.id, 'run', replace(m.reason, 'prior of ', ''), m.origin, 0, m.input_sha256, c.settings, "
        "r.fingerprint FROM models m JOIN configs c ON c.id = m.config_id JOIN runs r ON r.id = m.run_id WHERE m.role = 'prior'"
    )
    op.rename_table("prior_members", "prior_members_before")
    op.create_table(
        "prior_members",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("bars", sa.Integer(), nullable=False),
        sa.Column("last_session", SESSION, nullable=False),
        sa.Column("input_sha256", sa.Text(), nullable=False),
        sa.CheckConstraint("bars > 0", name=op.f("ck_prior_members_bars")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_prior_members_model_id")),
        sa.PrimaryKeyConstraint("model_id", "member", name=op.f("pk_prior_members")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO prior_members SELECT p.model_id, t.key, p.bars, p.last_session, p.input_sha256 "
        "FROM prior_members_before p JOIN tickers t ON t.id = p.ticker_id"
    )
    op.drop_table("prior_members_before")


def create_bars() -> None:
    """Create the table of bars. The first run or `db upgrade` fills it from the price files."""
    op.create_table(
        "bars",
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("session", SESSION, nullable=False),
        *(sa.Column(name, REAL, nullable=False) for name in ("open", "high", "low", "close")),
        sa.Column("volume", BIG_INTEGER, nullable=False),
        sa.Column("dividend", REAL, nullable=False),
        sa.Column("split", REAL, nullable=False),
        sa.Column("adjusted_return", REAL, nullable=True),
        sa.Column("adjusted_open_return", REAL, nullable=True),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_bars_ticker_id")),
        sa.PrimaryKeyConstraint("ticker_id", "session", name=op.f("pk_bars")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def create_digests() -> None:
    """Create the table of digests. The upgrade that runs this migration fills it from the rows."""
    op.create_table(
        "digests",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("config_id", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "ticker_id", "config_id", name=op.f("pk_digests")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def create_unscored() -> None:
    """Create the list of unscored forecasts, with those of earlier versions."""
    key = ("ticker_id", "config_id", "origin", "horizon")
    op.create_table(
        "unscored",
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("config_id", sa.Text(), nullable=False),
        sa.Column("origin", SESSION, nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("target", SESSION, nullable=False),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_unscored")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO unscored SELECT f.ticker_id, f.config_id, f.origin, f.horizon, f.target FROM forecasts f WHERE NOT EXISTS ("
        "SELECT 1 FROM scores s WHERE s.ticker_id = f.ticker_id AND s.config_id = f.config_id AND s.origin = f.origin "
        "AND s.horizon = f.horizon)"
    )


def rebuild_skill_tests() -> None:
    """Allow mode * in skill_tests."""
    op.rename_table("skill_tests", "skill_tests_before")
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
        sa.CheckConstraint("mode IN ('live', 'catchup', 'backfill', '*')", name=op.f("ck_skill_tests_mode")),
        sa.CheckConstraint("verdict IN ('better', 'worse', 'not distinguishable')", name=op.f("ck_skill_tests_verdict")),
        sa.ForeignKeyConstraint(["config_id"], ["configs.id"], name=op.f("fk_skill_tests_config_id")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_skill_tests_ticker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skill_tests")),
        sa.UniqueConstraint(
            "config_id", "ticker_id", "horizon", "mode", name=op.f("uq_skill_tests_config_id_ticker_id_horizon_mode")
        ),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO skill_tests SELECT * FROM skill_tests_before")
    op.drop_table("skill_tests_before")
