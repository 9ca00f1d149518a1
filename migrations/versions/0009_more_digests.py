"""More columns and tables have a digest: the upgrade that runs this migration counts them from the rows.

Revision: 0009, after 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM digests WHERE table_name = 'tickers'")


def downgrade() -> None:
    raise NotImplementedError("restore the copy made at the upgrade")
