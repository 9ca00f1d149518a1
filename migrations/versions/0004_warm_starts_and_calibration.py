"""Views of warm starts against cold twins, of other models against ours, and of calibration by month.

Revision: 0004, after 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

VIEWS = {
    "warm_start": """CREATE VIEW warm_start (ticker, horizon, n, crps, twin_crps, gain, seconds, twin_seconds, config, preset, field) AS
SELECT t.symbol, b.horizon, count(*), avg(s.crps), avg(b.crps), 1 - avg(s.crps) / avg(b.crps), avg(m.seconds),
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
    "baseline_skill": """CREATE VIEW baseline_skill (ticker, horizon, name, n, crps, other_crps, ratio, config, preset, field) AS
SELECT t.symbol, b.horizon, b.name, count(*), avg(o.crps), avg(b.crps), avg(o.crps) / avg(b.crps), b.config_id,
    c.preset, c.field
FROM baseline_forecasts b
JOIN baseline_forecasts o ON o.ticker_id = b.ticker_id AND o.config_id = b.config_id AND o.origin = b.origin
    AND o.horizon = b.horizon AND o.name = 'tickercast'
JOIN tickers t ON t.id = b.ticker_id
JOIN configs c ON c.id = b.config_id
WHERE b.name NOT IN ('tickercast', 'cold twin')
GROUP BY t.symbol, b.horizon, b.name, b.config_id, c.preset, c.field""",
    "calibration": """CREATE VIEW calibration (ticker, horizon, mode, month, n, coverage_50, coverage_80, coverage_90, pit_0, pit_1, pit_2, pit_3, pit_4, pit_5, pit_6, pit_7, pit_8, pit_9, config, preset, field) AS
SELECT t.symbol, s.horizon, f.mode, substr(CAST(f.target AS TEXT), 1, 7), count(*), avg(s.inside_50),
    avg(s.inside_80), avg(s.inside_90),
    avg(CASE WHEN s.pit >= 0.0 AND s.pit <= 0.1 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.1 AND s.pit <= 0.2 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.2 AND s.pit <= 0.3 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.3 AND s.pit <= 0.4 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.4 AND s.pit <= 0.5 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.5 AND s.pit <= 0.6 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.6 AND s.pit <= 0.7 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.7 AND s.pit <= 0.8 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.8 AND s.pit <= 0.9 THEN 1.0 ELSE 0.0 END),
    avg(CASE WHEN s.pit > 0.9 AND s.pit <= 1.0 THEN 1.0 ELSE 0.0 END),
    s.config_id, c.preset, c.field
FROM scores s
JOIN forecasts f ON f.ticker_id = s.ticker_id AND f.config_id = s.config_id AND f.origin = s.origin AND f.horizon = s.horizon
JOIN tickers t ON t.id = s.ticker_id
JOIN configs c ON c.id = s.config_id
WHERE s.revision = 0
GROUP BY t.symbol, s.horizon, f.mode, substr(CAST(f.target AS TEXT), 1, 7), s.config_id, c.preset, c.field""",
}


def upgrade() -> None:
    for statement in VIEWS.values():
        op.execute(statement)


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
