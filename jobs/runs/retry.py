"""How long a failed cycle waits for its retry. Nothing heavy is imported here: the idle daemon reads it too."""

from __future__ import annotations

from datetime import timedelta

FIRST_RETRY_MINUTES = 15
MOST_DOUBLINGS = 5
LONGEST_WAIT = timedelta(minutes=FIRST_RETRY_MINUTES * 2**MOST_DOUBLINGS)


def retry_wait(attempts: int) -> timedelta:
    """Return the wait after so many failed attempts in a row: 15 minutes, doubled with each further one, up to 8 hours."""
    return timedelta(minutes=FIRST_RETRY_MINUTES * 2 ** min(attempts - 1, MOST_DOUBLINGS))
