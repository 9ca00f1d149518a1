"""Gate verdicts: bars that are held or refused and why, and when a suspended ticker is retried.

Revision: 0002, after 0001
A record on PostgreSQL begins at the newest schema, so this one runs on SQLite alone.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SESSION = sa.Text()
INSTANT = sa.Text()
REAL = sa.Double().with_variant(sqlite.REAL(), "sqlite")
LARGE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

VIEWS = {
    "freshness": """CREATE VIEW freshness (ticker, status, last_bar, last_origin, sessions_behind, last_error, tracked, held_bars) AS
SELECT o.symbol, o.status, o.last_bar, o.last_origin,
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
    "gate": """CREATE VIEW gate (ticker, session, code, state, message, open, high, low, close, volume, dividend, split, recorded_at, decided_at) AS
SELECT t.symbol, g.session, g.code, g.state, g.message, g.open, g.high, g.low, g.close, g.volume, g.dividend,
    g.split, g.recorded_at, g.decided_at
FROM gate_verdicts g
JOIN tickers t ON t.id = g.ticker_id""",
}


def upgrade() -> None:
    op.create_table(
        "gate_verdicts",
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("session", SESSION, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        *(sa.Column(name, REAL, nullable=True) for name in ("open", "high", "low", "close")),
        sa.Column("volume", LARGE, nullable=True),
        *(sa.Column(name, REAL, nullable=True) for name in ("dividend", "split")),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.CheckConstraint("state IN ('ok', 'held', 'refused')", name=op.f("ck_gate_verdicts_state")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_gate_verdicts_ticker_id")),
        sa.PrimaryKeyConstraint("ticker_id", "session", "code", name=op.f("pk_gate_verdicts")),
        sqlite_strict=True,
    )
    op.add_column("tickers", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("tickers", sa.Column("probe_at", INSTANT, nullable=True))
    op.execute("DROP VIEW freshness")
    for statement in VIEWS.values():
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("verdicts would be lost; restore a backup instead")
