"""Company events, when the sources of context were asked, the kind of each ticker, and what each forecast knew of events.

Revision: 0006, after 0005
A record on PostgreSQL begins at the newest schema, so this one runs on SQLite alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SESSION = sa.Text()
INSTANT = sa.Text()

CHANGED_VIEWS = ("latest_forecast", "forecast_history", "outcome", "scored_forecast")
VIEWS = {
    "latest_forecast": """CREATE VIEW latest_forecast (ticker, origin, target, horizon, last_price, q05, q10, q25, q50, q75, q90, q95, made_at, mode, model_id, config, preset, field, currency, move_percent, width_percent, sessions_behind, context) AS
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
    r.sessions_behind,
    f.context
FROM ranked r
JOIN forecasts f ON f.ticker_id = r.ticker_id AND f.config_id = r.config_id AND f.origin = r.origin
WHERE r.place = 1""",
    "forecast_history": """CREATE VIEW forecast_history (ticker, origin, target, horizon, last_price, q05, q10, q25, q50, q75, q90, q95, made_at, mode, model_id, location, scale, dof, baseline_location, baseline_scale, baseline_dof, known_at, input_sha256, price_basis, run_id, config, preset, field, context) AS
SELECT t.symbol,
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
    f.location,
    f.scale,
    f.dof,
    f.baseline_location,
    f.baseline_scale,
    f.baseline_dof,
    f.known_at,
    f.input_sha256,
    f.price_basis,
    f.run_id,
    f.config_id,
    c.preset,
    f.field,
    f.context
FROM forecasts f
JOIN tickers t ON t.id = f.ticker_id
JOIN configs c ON c.id = f.config_id""",
    "outcome": """CREATE VIEW outcome (ticker, origin, target, horizon, state, mode, last_price, q05, q10, q25, q50, q75, q90, q95, realised_return, realised_price, inside_50, inside_80, inside_90, crps, baseline_crps, pit, made_at, model_id, config, preset, field, context) AS
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
    o.field,
    o.context
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
    "scored_forecast": """CREATE VIEW scored_forecast (ticker, origin, target, horizon, mode, realised_return, realised_price, q50, abs_error, baseline_abs_error, crps, baseline_crps, pit, inside_50, inside_80, inside_90, revision, config, preset, field, last_price, q05, q10, q25, q75, q90, q95, made_at, model_id, context) AS
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
    f.model_id,
    f.context
FROM forecasts f
JOIN tickers t ON t.id = f.ticker_id
JOIN configs c ON c.id = f.config_id
JOIN scores s ON s.ticker_id = f.ticker_id AND s.config_id = f.config_id AND s.origin = f.origin
    AND s.horizon = f.horizon AND s.revision = 0""",
    "company_event": """CREATE VIEW company_event (ticker, kind, date, recorded_at, source) AS
SELECT t.symbol,
    e.kind,
    e.date,
    e.recorded_at,
    e.source
FROM company_events e
JOIN tickers t ON t.id = e.ticker_id""",
}
TRIGGERS = (
    "CREATE TRIGGER company_events_refuse_update BEFORE UPDATE ON company_events BEGIN SELECT RAISE(ABORT, 'company_events are never changed: UPDATE refused'); END",
    "CREATE TRIGGER company_events_refuse_delete BEFORE DELETE ON company_events WHEN EXISTS (SELECT 1 FROM forecasts WHERE ticker_id = OLD.ticker_id) BEGIN SELECT RAISE(ABORT, 'company_events of a ticker with forecasts are kept: DELETE refused'); END",
    "CREATE TRIGGER company_events_ignore_replace BEFORE INSERT ON company_events WHEN EXISTS (SELECT 1 FROM company_events WHERE ticker_id = NEW.ticker_id AND kind = NEW.kind AND date = NEW.date AND recorded_at = NEW.recorded_at) BEGIN SELECT RAISE(IGNORE); END",
)
# Where a symbol tells the kind. Of the other tickers it stays unknown until their source is read again.
KIND_OF_SYMBOL = """UPDATE tickers SET kind = CASE WHEN exchange = '24/7' THEN 'crypto' WHEN exchange = '24/5' THEN 'currency'
WHEN exchange = 'us_futures' OR symbol LIKE '^%' THEN 'index' END"""


def upgrade() -> None:
    for name in CHANGED_VIEWS:
        op.execute(f"DROP VIEW {name}")
    kinds = sa.CheckConstraint("kind IN ('stock', 'fund', 'index', 'crypto', 'currency')", name=op.f("ck_tickers_kind"))
    op.add_column("tickers", sa.Column("kind", sa.Text(), kinds, nullable=True))
    op.execute(KIND_OF_SYMBOL)
    contexts = sa.CheckConstraint("context IN ('recorded', 'assumed', 'none')", name=op.f("ck_forecasts_context"))
    op.add_column("forecasts", sa.Column("context", sa.Text(), contexts, nullable=True))
    create_company_events()
    create_context_requests()
    for statement in (*VIEWS.values(), *TRIGGERS):
        op.execute(statement)
    # The rows of forecasts have one more column, so their digests are computed anew by the upgrade that runs this migration.
    op.execute("DELETE FROM digests")


def downgrade() -> None:
    raise NotImplementedError("company events have no place in the schema before; restore the copy made at the upgrade")


def create_company_events() -> None:
    op.create_table(
        "company_events",
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("date", SESSION, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('earnings')", name=op.f("ck_company_events_kind")),
        sa.CheckConstraint("source IN ('yahoo', 'file')", name=op.f("ck_company_events_source")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_company_events_ticker_id")),
        sa.PrimaryKeyConstraint("ticker_id", "kind", "date", "recorded_at", name=op.f("pk_company_events")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def create_context_requests() -> None:
    op.create_table(
        "context_requests",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("failing_since", INSTANT, nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('calendar', 'history', 'reference')", name=op.f("ck_context_requests_kind")),
        sa.CheckConstraint("(failing_since IS NULL) = (message IS NULL)", name=op.f("ck_context_requests_failure")),
        sa.PrimaryKeyConstraint("subject", "kind", name=op.f("pk_context_requests")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
