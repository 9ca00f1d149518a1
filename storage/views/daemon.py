"""The views of the daemon: whether it lives, and what it has told about."""

from __future__ import annotations

from tickercast.storage.views.definition import Column, View

DAEMON = View(
    "daemon",
    "The daemon of this home, at most one row. A beat_at of more than a few minutes ago: it is dead, or another command writes.",
    (
        Column("pid", "its process id", "d.pid", "int"),
        Column("started_at", "UTC", "d.started_at", "instant"),
        Column(
            "beat_at",
            "when it last wrote that it lives, UTC; about each minute, unless another command writes",
            "d.beat_at",
            "instant",
        ),
        Column("state", "idle, cycle, waiting (another command writes) or stopped", "d.state"),
        Column(
            "last_look",
            "when it last looked for a due cycle, UTC; NULL before the first look has ended",
            "d.looked_at",
            "instant",
        ),
        Column(
            "next_look", "when it will look next, UTC; earlier when the settings or a ticker change", "d.next_look_at", "instant"
        ),
        Column("message", "what the last look found, in a sentence; NULL when there is nothing to say", "d.message"),
    ),
    "FROM daemon_state d",
)

NOTICE = View(
    "notice",
    "What the daemon tells its user about: each once when it begins and once when it ends.",
    (
        Column("kind", "late, failing, quarantined, disk, integrity, outside or backup", "n.kind"),
        Column("subject", "the ticker, or what else it is about", "n.subject"),
        Column("began_at", "UTC", "n.began_at", "instant"),
        Column("message", "what happened, in a sentence", "n.message"),
        Column("told_at", "when its beginning was delivered, UTC; NULL until then", "n.told_at", "instant"),
        Column("ended_at", "UTC; NULL while it lasts", "n.ended_at", "instant"),
        Column("end_told_at", "when its end was delivered, UTC; NULL until then", "n.end_told_at", "instant"),
    ),
    "FROM notices n",
)
