"""The exceedances of each ticker's value at risk with their tests, and its newest risk, with the view.

The next run computes the rows; so does `tickercast db upgrade`.

Revision: 0010, after 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLE = """CREATE TABLE risk_tests (
    id INTEGER NOT NULL,
    config_id TEXT NOT NULL,
    ticker_id INTEGER,
    horizon INTEGER NOT NULL,
    mode TEXT NOT NULL,
    level REAL NOT NULL,
    n INTEGER NOT NULL,
    exceedances INTEGER NOT NULL,
    first_target TEXT,
    last_target TEXT,
    kupiec_statistic REAL,
    kupiec_p REAL,
    independence_statistic REAL,
    independence_p REAL,
    conditional_statistic REAL,
    conditional_p REAL,
    date_statistic REAL,
    date_p REAL,
    p_adjusted REAL,
    verdict TEXT NOT NULL,
    mean_exceedance REAL,
    mean_shortfall REAL,
    origin TEXT,
    target TEXT,
    var_return REAL,
    es_return REAL,
    es_percent REAL,
    computed_at TEXT NOT NULL,
    CONSTRAINT pk_risk_tests PRIMARY KEY (id),
    CONSTRAINT ck_risk_tests_mode CHECK (mode IN ('live', 'catchup', 'backfill', '*')),
    CONSTRAINT ck_risk_tests_verdict CHECK (verdict IN ('too many', 'too few', 'dependent', 'not distinguishable')),
    CONSTRAINT ck_risk_tests_level CHECK (level > 0 AND level < 1),
    CONSTRAINT ck_risk_tests_exceedances CHECK (n >= 0 AND exceedances BETWEEN 0 AND n),
    CONSTRAINT ck_risk_tests_shortfall CHECK (es_return <= var_return),
    CONSTRAINT uq_risk_tests_config_id_ticker_id_horizon_mode_level UNIQUE (config_id, ticker_id, horizon, mode, level),
    CONSTRAINT fk_risk_tests_config_id FOREIGN KEY(config_id) REFERENCES configs (id),
    CONSTRAINT fk_risk_tests_ticker_id FOREIGN KEY(ticker_id) REFERENCES tickers (id)
)
 STRICT"""
VIEW = """CREATE VIEW risk (ticker, horizon, mode, level, n, exceedances, expected, rate, first_target, last_target, kupiec_statistic, kupiec_p, independence_statistic, independence_p, conditional_statistic, conditional_p, date_statistic, date_p, p_adjusted, verdict, mean_exceedance, mean_shortfall, origin, target, last_price, var_return, var_price, var_percent, es_return, es_percent, computed_at, config, preset, field) AS
SELECT coalesce(t.symbol, '*'),
    s.horizon,
    s.mode,
    s.level,
    s.n,
    s.exceedances,
    s.n * s.level,
    CASE WHEN s.n > 0 THEN 1.0 * s.exceedances / s.n END,
    s.first_target,
    s.last_target,
    s.kupiec_statistic,
    s.kupiec_p,
    s.independence_statistic,
    s.independence_p,
    s.conditional_statistic,
    s.conditional_p,
    s.date_statistic,
    s.date_p,
    s.p_adjusted,
    s.verdict,
    s.mean_exceedance,
    s.mean_shortfall,
    s.origin,
    s.target,
    o.last_price,
    s.var_return,
    o.last_price * exp(s.var_return),
    100.0 * (exp(s.var_return) - 1),
    s.es_return,
    s.es_percent,
    s.computed_at,
    s.config_id,
    c.preset,
    c.field
FROM risk_tests s
JOIN configs c ON c.id = s.config_id
LEFT JOIN tickers t ON t.id = s.ticker_id
LEFT JOIN origins o ON o.ticker_id = s.ticker_id AND o.config_id = s.config_id AND o.origin = s.origin"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(VIEW)
    # Of the schema alone: the rows of the other tables stay as they are, and so do their digests.
    op.execute("DELETE FROM digests WHERE table_name = 'sqlite_master'")


def downgrade() -> None:
    raise NotImplementedError("restore the copy made at the upgrade")
