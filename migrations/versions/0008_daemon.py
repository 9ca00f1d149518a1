"""The daemon's state and the notices, each with its view.

Revision: 0008, after 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = (
    """CREATE TABLE daemon_state (
    id INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    beat_at TEXT NOT NULL,
    state TEXT NOT NULL,
    looked_at TEXT,
    next_look_at TEXT,
    message TEXT,
    CONSTRAINT pk_daemon_state PRIMARY KEY (id),
    CONSTRAINT ck_daemon_state_one CHECK (id = 1),
    CONSTRAINT ck_daemon_state_state CHECK (state IN ('idle', 'cycle', 'waiting', 'stopped'))
)
 STRICT""",
    """CREATE TABLE notices (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    began_at TEXT NOT NULL,
    message TEXT NOT NULL,
    told_at TEXT,
    ended_at TEXT,
    end_told_at TEXT,
    CONSTRAINT pk_notices PRIMARY KEY (kind, subject, began_at),
    CONSTRAINT ck_notices_kind CHECK (kind IN ('late', 'failing', 'quarantined', 'disk', 'integrity', 'outside', 'backup'))
)
 WITHOUT ROWID,
 STRICT""",
)
VIEWS = (
    """CREATE VIEW daemon (pid, started_at, beat_at, state, last_look, next_look, message) AS
SELECT d.pid,
    d.started_at,
    d.beat_at,
    d.state,
    d.looked_at,
    d.next_look_at,
    d.message
FROM daemon_state d""",
    """CREATE VIEW notice (kind, subject, began_at, message, told_at, ended_at, end_told_at) AS
SELECT n.kind,
    n.subject,
    n.began_at,
    n.message,
    n.told_at,
    n.ended_at,
    n.end_told_at
FROM notices n""",
)


def upgrade() -> None:
    for statement in (*TABLES, *VIEWS):
        op.execute(statement)
    # Of the schema alone: the rows of the other tables stay as they are, and so do their digests.
    op.execute("DELETE FROM digests WHERE table_name = 'sqlite_master'")


def downgrade() -> None:
    raise NotImplementedError("restore the copy made at the upgrade")
