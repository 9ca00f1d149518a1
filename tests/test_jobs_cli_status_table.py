"""The screen of `status`: its summary lines and its table, from states and rows made by hand."""

from __future__ import annotations

from dataclasses import replace

from tests.home_states import EARLIER, FAILING, FRESH, HELD, LATE, NOW, state
from tickercast.jobs.cli.status_table import status_screen, status_table
from tickercast.storage.notices import NoticeRow


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


def test_the_table_has_the_conditions_of_the_documentation_and_the_reason_of_a_refused_bar() -> None:
    refused = replace(LATE, refusal="the bar of 2026-11-26 was refused: close above high")
    sample = replace(LATE, symbol="SAMPLE", source="sample", refusal="an old finding")
    tickers = (FRESH, refused, FAILING, HELD, sample)
    rows = [
        {
            "ticker": ticker.symbol, "status": "active", "tracked": 1, "last_bar": None, "last_origin": None,
            "sessions_behind": 1, "held_bars": 0, "last_error": ticker.last_error,
        }
        for ticker in tickers
    ]  # fmt: skip
    assert [(row[0], row[1], row[-1]) for row in status_table(state(*tickers), rows).rows] == [
        ("AAPL", "fresh", ""),
        ("LATE", "late", "the bar of 2026-11-26 was refused: close above high"),
        ("FAIL", "failing", ""),
        ("HELD", "quarantined", ""),
        ("SAMPLE", "ended", ""),
    ]
