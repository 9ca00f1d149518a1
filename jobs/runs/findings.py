"""What `verify` finds becomes a notice, which lasts until the same check is content. The daemon or the next run tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from tickercast.jobs import clock
from tickercast.jobs.errors import JobError
from tickercast.jobs.monitoring.conditions import FINDINGS
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.writer import open_for_writing
from tickercast.storage import writes
from tickercast.storage.errors import Corrupt, StorageError
from tickercast.storage.notices import NoticeRow, unfinished_notices
from tickercast.storage.reader import snapshot

RECORD, DEEP = FINDINGS
WRITER_WAIT_SECONDS = 1.0


@contextmanager
def finding_noted(home: Home, *, is_deep: bool) -> Iterator[None]:
    """Note what a check of the record finds, also that it finds nothing. A deep check includes the other one.

    A home that cannot be written stays as it is: the check itself only reads.
    """
    try:
        yield
    except Corrupt as error:
        _note(home, DEEP if is_deep else RECORD, str(error))
        raise
    _note(home, DEEP if is_deep else RECORD, None)


def _note(home: Home, subject: str, message: str | None) -> None:
    with suppress(JobError, StorageError, OSError):
        begun, ended = _changes(home, subject, message, clock.now())
        if begun or ended:
            with (
                open_for_writing(home.folder, command="verify", wait_seconds=WRITER_WAIT_SECONDS) as (_, engine),
                engine.begin() as connection,
            ):
                writes.begin_notices(connection, begun)
                writes.end_notices(connection, ended, clock.now())


def _changes(home: Home, subject: str, message: str | None, now: datetime) -> tuple[list[NoticeRow], list[NoticeRow]]:
    """Return the notices that begin and end by what a check found. message: the finding, None for none."""
    with snapshot(home.database) as connection:
        lasting = [row for row in unfinished_notices(connection) if row.kind == "integrity" and row.ended_at is None]
    if message is not None:
        is_known = any(row.subject == subject for row in lasting)
        return ([] if is_known else [NoticeRow("integrity", subject, now, message)]), []
    return [], [row for row in lasting if row.subject != DEEP or subject == DEEP]  # both checks read every price file
