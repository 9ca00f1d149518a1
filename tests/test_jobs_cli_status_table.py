"""The screen of `status`: its summary lines and its table, from states and rows made by hand."""

from __future__ import annotations

from jobs.cli.status_table import status_screen
from storage.notices import NoticeRow
from tests.home_states import EARLIER, FRESH, NOW, state


def test_the_screen_says_what_is_damaged_and_that_backups_fail() -> None:
    notices = (
        NoticeRow("backup", "backup", EARLIER, "the backup failed: no space"),
        NoticeRow("integrity", "IBM", EARLIER, "IBM: its price file is damaged; `tickercast repair IBM` mends it"),
        NoticeRow("integrity", "record", NOW, "runs: 1 row differs"),
    )
    summary = status_screen(state(FRESH, lasting=notices), []).heading.splitlines()
    assert summary[1:3] == [
        "integrity   since 2026-11-26T14:00Z: IBM: its price file is damaged; `tickercast repair IBM` mends it; "
        "1 more: `tickercast notices`",
        "backup      since 2026-11-26T14:00Z: the backup failed: no space",
    ]
    assert not [line for line in status_screen(state(FRESH), []).heading.splitlines() if line.startswith(("integrity", "backup"))]
