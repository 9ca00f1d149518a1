"""A daemon that cannot work, or works by older settings, tells its user; and so does what `verify` found."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.notice_homes import HOUR, MONDAY_CLOSE, Followed
from tickercast.jobs.analysis.answers import check, check_deeply
from tickercast.jobs.runs.cycle import look
from tickercast.jobs.runs.failing_looks import FILE, count_failing_look, forget_failing_looks, read_failing_looks
from tickercast.jobs.runs.findings import finding_noted
from tickercast.jobs.workspace.in_force import serve_last_valid
from tickercast.storage import writes
from tickercast.storage.database import open_writer
from tickercast.storage.errors import Corrupt
from tickercast.storage.notices import NoticeRow

pytestmark = pytest.mark.slow


def test_what_verify_finds_is_told_until_the_same_check_finds_nothing(followed: Followed, tickercast: Command) -> None:
    home, now = followed.home, datetime.now(UTC)
    lasting = "SELECT subject FROM notice WHERE kind = 'integrity' AND ended_at IS NULL ORDER BY 1"
    [(path,)] = followed.rows("SELECT path FROM price_file WHERE ticker = 'IBM'")
    content = (home.prices / path).read_bytes()
    (home.prices / path).write_bytes(content[:-9])
    assert tickercast("--home", home.folder, "verify", "--deep").returncode == 6
    with pytest.raises(Corrupt), finding_noted(home, is_deep=False):
        check(home)
    (home.prices / path).write_bytes(content)
    assert followed.rows(lasting) == [("record",), ("record (deep check)",)]
    with finding_noted(home, is_deep=False):
        check(home)
    followed.tell(now)
    assert followed.rows(lasting) == [("record (deep check)",)]
    assert "; still damaged: record (deep check)" in followed.webhook.received[-1]["message"]
    with finding_noted(home, is_deep=True):
        check_deeply(home)
    followed.tell(now + HOUR)
    assert followed.rows(lasting) == []
    assert followed.webhook.titles[-1] == "record (deep check) no longer damaged"


def test_a_verify_that_finds_nothing_ends_the_notice_of_a_price_file(followed: Followed) -> None:
    engine = open_writer(followed.home.database)
    with engine.begin() as connection:
        writes.begin_notices(connection, [NoticeRow("integrity", "IBM", MONDAY_CLOSE, "IBM: its price file is damaged")])
    engine.dispose()
    with finding_noted(followed.home, is_deep=False):
        check(followed.home)
    assert followed.rows("SELECT subject FROM notice WHERE ended_at IS NULL") == []


def test_a_daemon_that_cannot_work_is_told_after_some_looks_and_when_it_works_again(followed: Followed) -> None:
    settings = followed.home.folder / "tickercast.toml"
    good = settings.read_text()
    settings.write_text(good.replace("cold_epochs", "cold_epoch"))
    for _ in range(4):
        look(followed.home.folder, None, threading.Event())
    settings.write_text(good)
    assert followed.webhook.titles == ["daemon failing"]
    assert "unknown setting 'training.cold_epoch'" in followed.webhook.received[0]["message"]
    for _ in range(2):
        followed.tell(datetime.now(UTC))
    assert followed.webhook.titles[1:] == ["2 tickers late, daemon no longer failing"]
    assert followed.rows("SELECT subject, told_at < ended_at FROM notice WHERE kind = 'failing'") == [("daemon", 1)]


def test_a_settings_file_that_is_no_longer_valid_is_told_by_the_settings_before(followed: Followed) -> None:
    settings = followed.home.folder / "tickercast.toml"
    good = settings.read_text()
    serve_last_valid(followed.home.folder, None)  # as the daemon's processes do
    for text in (good, "[notices\n", "[notices\n", good):
        settings.write_text(text)
        followed.tell(MONDAY_CLOSE)
    assert followed.webhook.titles == ["settings failing", "settings no longer failing"]
    assert "/tickercast.toml: not valid TOML" in followed.webhook.received[0]["message"]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0 of another program" + bytes(9999)], ids=["missing", "damaged"])
def test_a_daemon_without_a_readable_database_is_told_too(followed: Followed, content: bytes) -> None:
    database = followed.home.database
    database.rename(database.with_name("kept"))
    if content:
        database.write_bytes(content)
    for _ in range(4):
        look(followed.home.folder, database, threading.Event())
    assert followed.webhook.titles == ["daemon failing"]
    database.unlink(missing_ok=True)
    database.with_name("kept").rename(database)
    followed.tell(datetime.now(UTC))
    assert followed.webhook.titles[1:] == ["2 tickers late, daemon no longer failing"]


def test_the_file_that_counts_looks_keeps_its_place_on_the_disk(tmp_path: Path) -> None:
    forget_failing_looks(tmp_path)
    path = tmp_path / FILE
    before = path.stat()
    for reason in ("\U0001f4a5" * 9999, "short"):
        count_failing_look(tmp_path, reason, MONDAY_CLOSE)
    known = read_failing_looks(tmp_path)
    after = path.stat()
    assert known is not None
    assert (known.count, known.message) == (2, "the daemon cannot work: short")
    assert (after.st_size, after.st_ino, after.st_blocks) == (before.st_size, before.st_ino, before.st_blocks)
    forget_failing_looks(tmp_path)
    assert read_failing_looks(tmp_path) is None
