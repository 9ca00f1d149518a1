"""What is stored and read for notices: outcomes that are news, and notices that are not finished."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.builders import Record, at_close
from tickercast.storage import writes
from tickercast.storage.notices import NewOutcome, NoticeRow, new_outcomes, unfinished_notices
from tickercast.storage.reader import snapshot

WEDNESDAY, THURSDAY, FRIDAY = date(2024, 3, 6), date(2024, 3, 7), date(2024, 3, 8)
BEGAN = at_close(FRIDAY)


def outcomes(record: Record, since: date) -> list[NewOutcome]:
    with snapshot(record.database) as connection:
        return new_outcomes(connection, at_close(since))


def unfinished(record: Record) -> list[NoticeRow]:
    with snapshot(record.database) as connection:
        return [row for row in unfinished_notices(connection) if row.subject == "MSFT"]


def write(record: Record, function: Any, *arguments: Any) -> None:
    with record.writing() as connection:
        function(connection, *arguments)


def test_an_outcome_is_news_one_session_after_a_live_origin_and_once(record: Record) -> None:
    assert outcomes(record, WEDNESDAY) == []
    record.force("UPDATE origins SET mode = 'live'", "UPDATE tickers SET tracked = 1")
    found = [(o.symbol, o.origin, o.target, o.close_at, round(o.realised_return, 4)) for o in outcomes(record, WEDNESDAY)]
    assert found == [
        ("IBM", WEDNESDAY, THURSDAY, at_close(THURSDAY), 0.01),
        ("IBM", THURSDAY, FRIDAY, at_close(FRIDAY), 0.0097),
    ]
    assert [o.target for o in outcomes(record, FRIDAY)] == [FRIDAY]
    write(record, writes.begin_notices, [NoticeRow("outside", "IBM", BEGAN, "outside", ended_at=BEGAN)])
    assert [o.target for o in outcomes(record, WEDNESDAY)] == [THURSDAY]
    record.force("UPDATE tickers SET tracked = 0")
    assert outcomes(record, WEDNESDAY) == []


def test_a_notice_is_unfinished_until_its_end_is_told(record: Record) -> None:
    row = NoticeRow("late", "MSFT", BEGAN, "MSFT is late")
    later = BEGAN + timedelta(hours=1)
    write(record, writes.begin_notices, [row, row])
    assert unfinished(record) == [row]
    write(record, writes.mark_told, [row], BEGAN)
    (told,) = unfinished(record)
    assert (told.told_at, told.ended_at, told.end_told_at) == (BEGAN, None, None)
    write(record, writes.end_notices, [told], later)
    (ended,) = unfinished(record)
    assert (ended.ended_at, ended.end_told_at) == (later, None)
    write(record, writes.mark_told, [ended], later)
    assert unfinished(record) == []
