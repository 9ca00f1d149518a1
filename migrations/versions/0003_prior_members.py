"""The members of a pooled prior, with the number and the hash of the bars of each.

Revision: 0003, after 0002
A record on PostgreSQL begins at the newest schema, so this one runs on SQLite alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SESSION = sa.Text()


def upgrade() -> None:
    op.create_table(
        "prior_members",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("ticker_id", sa.Integer(), nullable=False),
        sa.Column("bars", sa.Integer(), nullable=False),
        sa.Column("last_session", SESSION, nullable=False),
        sa.Column("input_sha256", sa.Text(), nullable=False),
        sa.CheckConstraint("bars > 0", name=op.f("ck_prior_members_bars")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_prior_members_model_id")),
        sa.ForeignKeyConstraint(["ticker_id"], ["tickers.id"], name=op.f("fk_prior_members_ticker_id")),
        sa.PrimaryKeyConstraint("model_id", "ticker_id", name=op.f("pk_prior_members")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("prior_members")
