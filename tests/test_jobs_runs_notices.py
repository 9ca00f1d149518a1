"""Notices reach a real web server: each once when it begins and once when it ends, whatever restarts or fails in between."""

from __future__ import annotations

import json
import re

import pytest

from tests.notice_homes import HOUR, LATE, MINUTE, MONDAY, MONDAY_CLOSE, Followed
from tickercast.jobs.prices.repair import repair
from tickercast.jobs.runs.notices import tell_when_due
from tickercast.jobs.runs.scheduled_backup import back_up_when_due
from tickercast.jobs.runs.upkeep import STEPS
from tickercast.jobs.terminal.logs import start_logging
from tickercast.jobs.workspace.home import open_home
from tickercast.storage.database import open_writer

pytestmark = pytest.mark.slow


def test_a_late_ticker_is_told_once_and_its_end_once_whatever_restarts(followed: Followed) -> None:
    assert STEPS["notices"] is tell_when_due
    before = [followed.tell(at) for at in (MONDAY_CLOSE - HOUR, MONDAY_CLOSE + HOUR, LATE - MINUTE)]
    assert (before, followed.webhook.attempts) == ([None, LATE, LATE], 0)
    for minutes in (0, 1, 300):
        followed.tell(LATE + minutes * MINUTE)
    assert followed.webhook.titles == ["2 tickers late"]
    assert (
        "IBM is late: 1 closed session without forecasts, the first closed at 2012-06-11T20:00Z"
        in (followed.webhook.received[0]["message"])
    )
    followed.write_prices(MONDAY)
    followed.run(LATE + 7 * HOUR)
    for hours in (7, 8):
        followed.tell(LATE + hours * HOUR)
    assert followed.webhook.titles == ["2 tickers late", "2 tickers no longer late"]
    assert followed.rows("SELECT subject, began_at = told_at, ended_at = end_told_at, ended_at > began_at FROM notice") == [
        ("IBM", 1, 1, 1),
        ("MSFT", 1, 1, 1),
    ]


def test_a_ticker_is_told_when_it_has_failed_so_often_in_a_row_and_when_it_works_again(followed: Followed) -> None:
    followed.write_prices(MONDAY)
    (followed.folder / "IBM.csv").write_text("date,close\nyesterday,none\n")
    for hours in (1, 2, 3, 4):
        followed.run(MONDAY_CLOSE + hours * HOUR)
        followed.tell(MONDAY_CLOSE + hours * HOUR)
        assert len(followed.webhook.titles) == (hours > 2)
    followed.write_prices(MONDAY)
    followed.run(MONDAY_CLOSE + 5 * HOUR)
    followed.tell(MONDAY_CLOSE + 5 * HOUR)
    assert followed.webhook.titles == ["IBM failing", "IBM no longer failing"]
    assert "IBM failed 3 times in a row since 2012-06-11T21:00Z: " in followed.webhook.received[0]["message"]


def test_what_could_not_be_delivered_is_recorded_and_sent_later_with_growing_pauses(
    followed: Followed, capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging("json")
    followed.webhook.status = 503
    after = [5 * MINUTE, 5 * MINUTE, 10 * MINUTE]
    due = LATE
    for pause in after:
        again = followed.tell(due)
        assert again == due + pause
        assert followed.tell(due + pause - MINUTE) == again  # a look before its time sends nothing
        due = again
    assert (followed.webhook.attempts, followed.webhook.titles) == (3, [])
    assert followed.rows("SELECT kind, message, count(*) FROM event WHERE kind = 'notice'") == [
        ("notice", "not delivered: notices.urls, URL 1 (json): HTTP status 503", 3)
    ]
    followed.webhook.status = 200
    followed.tell(due)
    followed.tell(due + HOUR)
    assert followed.webhook.titles == ["2 tickers late"]
    told = capsys.readouterr().err
    assert [json.loads(line)["event"] for line in told.splitlines()] == [*["notice not delivered"] * 3, "notice delivered"]
    assert "token" not in told


def test_what_began_and_ended_while_nothing_could_be_sent_is_one_message(followed: Followed) -> None:
    followed.webhook.status = 500
    followed.tell(LATE)
    followed.write_prices(MONDAY)
    followed.run(LATE + HOUR)
    followed.tell(LATE + HOUR)
    followed.webhook.status = 200
    followed.tell(LATE + 3 * HOUR)
    followed.tell(LATE + 9 * HOUR)
    assert followed.webhook.titles == ["2 tickers late, 2 tickers no longer late"]


def test_a_damaged_price_file_is_told_until_it_is_repaired(followed: Followed) -> None:
    [(path,)] = followed.rows("SELECT path FROM price_file WHERE ticker = 'IBM'")
    file = followed.home.prices / path
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    followed.run(MONDAY_CLOSE + HOUR)
    followed.tell(MONDAY_CLOSE + HOUR)
    engine = open_writer(followed.home.database)
    repair(open_home(followed.home.folder), engine, "IBM")
    engine.dispose()
    followed.tell(MONDAY_CLOSE + 2 * HOUR)
    assert followed.webhook.titles == ["IBM damaged", "IBM no longer damaged"]
    assert "`tickercast repair IBM` mends it" in followed.webhook.received[0]["message"]


def test_a_short_disk_is_told_until_there_is_room(followed: Followed) -> None:
    followed.set("late_hours = 1000\n")
    settings = followed.home.folder / "tickercast.toml"
    settings.write_text(settings.read_text().replace("megabytes = 0", "megabytes = 10000000"))
    followed.tell(MONDAY_CLOSE)
    followed.tell(MONDAY_CLOSE + HOUR)
    followed.set()
    followed.tell(MONDAY_CLOSE + 2 * HOUR)
    assert followed.webhook.titles == ["disk short", "disk no longer short"]


def test_a_price_outside_of_its_98_percent_interval_is_told_once_by_those_who_want_it(followed: Followed) -> None:
    followed.write_prices(MONDAY)
    path = followed.folder / "IBM.csv"
    *before, last = path.read_text().splitlines()
    day, *prices, volume = last.split(",")
    path.write_text("\n".join([*before, ",".join([day, *(str(float(price) * 1.08) for price in prices), volume])]))
    followed.run(MONDAY_CLOSE + HOUR)
    followed.tell(MONDAY_CLOSE + HOUR)
    followed.set("outside_interval = true\n")
    for hours in (1, 2):
        followed.tell(MONDAY_CLOSE + hours * HOUR)
    assert followed.webhook.titles == ["IBM outside its 98 % interval"]
    told = followed.webhook.received[0]["message"]
    assert re.match(
        r"IBM: the close of 2012-06-11 is 207\.91, outside the 98 % interval 1\d\d\.\d\d to 200\.\d\d, forecast from", told
    )
    assert followed.rows("SELECT began_at, ended_at = began_at, end_told_at IS NOT NULL FROM notice") == [
        ("2012-06-11T20:00:00.000000Z", 1, 1)
    ]


def test_a_backup_that_fails_or_is_overdue_is_told_until_one_is_made(followed: Followed) -> None:
    kept = followed.home.folder.parent / "kept"
    kept.write_text("a file is in the way")
    followed.set('late_hours = 1000\n[backup]\nfolder = "../kept"\nevery_hours = 6\n')
    home = open_home(followed.home.folder)
    for hours in (0, 1):
        back_up_when_due(home, MONDAY_CLOSE + hours * HOUR)
        followed.tell(MONDAY_CLOSE + hours * HOUR)
    kept.unlink()
    back_up_when_due(home, MONDAY_CLOSE + 2 * HOUR)
    for hours in (2, 14, 15):
        followed.tell(MONDAY_CLOSE + hours * HOUR)
    assert followed.webhook.titles == ["no backup", "backups work again", "no backup"]
    assert ["failed: " in message["message"] for message in followed.webhook.received[::2]] == [True, False]
