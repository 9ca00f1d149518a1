"""Running sums of scores, so that a run computes skill and risk from its new scores alone.

Models have an index by chain, and view latest_forecast of one ticker computes no other's.

`tickercast db upgrade` computes the sums of what is scored; otherwise the next run does, of the configs marked here.

Revision: 0011, after 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = (
    """CREATE TABLE score_sums (
    config_id TEXT NOT NULL,
    ticker_id INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    mode TEXT NOT NULL,
    n INTEGER NOT NULL,
    sums BLOB NOT NULL,
    CONSTRAINT pk_score_sums PRIMARY KEY (config_id, ticker_id, horizon, mode),
    CONSTRAINT ck_score_sums_n CHECK (n >= 1),
    CONSTRAINT ck_score_sums_mode CHECK (mode IN ('live', 'catchup', 'backfill', '*')),
    CONSTRAINT fk_score_sums_config_id FOREIGN KEY(config_id) REFERENCES configs (id),
    CONSTRAINT fk_score_sums_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 WITHOUT ROWID,
 STRICT""",
    """CREATE TABLE date_sums (
    config_id TEXT NOT NULL,
    horizon INTEGER NOT NULL,
    mode TEXT NOT NULL,
    target TEXT NOT NULL,
    sums BLOB NOT NULL,
    CONSTRAINT pk_date_sums PRIMARY KEY (config_id, horizon, mode, target),
    CONSTRAINT ck_date_sums_mode CHECK (mode IN ('live', 'catchup', 'backfill')),
    CONSTRAINT fk_date_sums_config_id FOREIGN KEY(config_id) REFERENCES configs (id)
)
 WITHOUT ROWID,
 STRICT""",
    """CREATE TABLE unsummed (
    config_id TEXT NOT NULL,
    ticker_id INTEGER NOT NULL,
    CONSTRAINT pk_unsummed PRIMARY KEY (config_id, ticker_id),
    CONSTRAINT fk_unsummed_config_id FOREIGN KEY(config_id) REFERENCES configs (id)
)
 WITHOUT ROWID,
 STRICT""",
)
LATEST_FORECAST = """CREATE VIEW latest_forecast (ticker, origin, target, horizon, last_price, q05, q10, q25, q50, q75, q90, q95, made_at, mode, model_id, config, preset, field, currency, move_percent, width_percent, sessions_behind, context) AS
WITH newest AS (
    SELECT t.id AS ticker_id, t.symbol, t.exchange, t.currency, c.id AS config_id, c.preset, c.active,
        (SELECT max(m.origin) FROM origins m WHERE m.ticker_id = t.id AND m.config_id = c.id) AS origin
    FROM tickers t CROSS JOIN configs c
), ranked AS (
    SELECT n.*,
        row_number() OVER (PARTITION BY n.ticker_id, n.symbol ORDER BY n.active DESC, n.origin DESC, n.config_id) AS place, (
        SELECT count(*) FROM sessions s WHERE s.exchange = n.exchange AND s.session > n.origin
        AND s.close_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) AS sessions_behind
    FROM newest n WHERE n.origin IS NOT NULL
)
SELECT r.symbol,
    o.origin,
    f.target,
    f.horizon,
    o.last_price,
    f.q05,
    f.q10,
    f.q25,
    f.q50,
    f.q75,
    f.q90,
    f.q95,
    o.made_at,
    o.mode,
    (SELECT n.id FROM models n WHERE n.number = o.model_number),
    o.config_id,
    r.preset,
    o.field,
    r.currency,
    100.0 * (f.q50 / o.last_price - 1),
    100.0 * (f.q95 - f.q05) / o.last_price,
    r.sessions_behind,
    o.context
FROM ranked r
JOIN origins o ON o.ticker_id = r.ticker_id AND o.config_id = r.config_id AND o.origin = r.origin
JOIN forecasts f ON f.origin_id = o.id
WHERE r.place = 1"""


def upgrade() -> None:
    for table in TABLES:
        op.execute(table)
    op.execute("CREATE INDEX ix_models_cold_ancestor_number ON models (cold_ancestor_number)")
    op.execute("DROP VIEW latest_forecast")
    op.execute(LATEST_FORECAST)
    op.execute("INSERT INTO unsummed (config_id, ticker_id) SELECT DISTINCT config_id, 0 FROM origins")
    # Of the schema alone: the rows of the other tables stay as they are, and so do their digests.
    op.execute("DELETE FROM digests WHERE table_name = 'sqlite_master'")


def downgrade() -> None:
    raise NotImplementedError("restore the copy made at the upgrade")
