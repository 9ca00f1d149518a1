"""Backups by schedule: one for each span, whatever was restarted; the newest stay, and so do the files of others."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tickercast.jobs.errors import UsageError
from tickercast.jobs.monitoring.backups import newest_backup
from tickercast.jobs.runs.restore import restore
from tickercast.jobs.runs.scheduled_backup import BackupState, back_up_to_folder, back_up_when_due, backup_state
from tickercast.jobs.runs.upkeep import STEPS
from tickercast.jobs.terminal.logs import start_logging
from tickercast.jobs.workspace.home import Home, open_home
from tickercast.storage.database import reading

Make = Callable[[str, str], Home]
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def home(make_home: Make) -> Home:
    return make_home("home", '[backup]\nfolder = "../kept"\nevery_hours = 6\nkeep = 3\n')


def names(home: Home) -> list[str]:
    return sorted(path.name for path in (home.folder.parent / "kept").iterdir() if not path.name.startswith("."))


def set_id(home: Home, number: int) -> None:
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute(f"PRAGMA user_version = {number}")


def state_of(home: Home, now: datetime) -> BackupState | None:
    with reading(home.database) as connection:
        return backup_state(home, connection, now)


def test_each_span_gets_one_backup_whenever_the_daemon_was_restarted(home: Home) -> None:
    assert STEPS["backup"] is back_up_when_due
    looks = [HOUR * hours for hours in (1, 2, 5.9, 6, 6.1, 11.9, 30)]
    due = [back_up_when_due(open_home(home.folder), NOON + after) for after in looks]
    assert names(home) == [
        "tickercast-20260102T130000Z.tar",
        "tickercast-20260102T180000Z.tar",
        "tickercast-20260103T180000Z.tar",
    ]
    assert due == [NOON + HOUR * hours for hours in (6, 6, 6, 12, 12, 12, 36)]


def test_a_record_on_a_server_is_left_to_the_tools_of_the_server(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKERCAST_STORE__URL", "postgresql://nobody@127.0.0.1:1/none")
    on_server = open_home(home.folder)
    assert back_up_when_due(on_server, NOON) is None
    with pytest.raises(UsageError, match="with its own tools"):
        back_up_to_folder(on_server, NOON)
    assert state_of(home, NOON) is not None
    with reading(home.database) as connection:
        assert backup_state(on_server, connection, NOON) is None


def test_the_newest_backups_of_this_home_stay_and_all_other_files_too(home: Home, make_home: Make) -> None:
    other = make_home("other", '[backup]\nfolder = "../kept"\n')
    back_up_to_folder(other, NOON - 9 * HOUR)
    kept = home.folder.parent / "kept"
    (kept / "tickercast-20200101T000000Z.tar").write_bytes(b"no backup")
    (kept / "tickercast-old.tar").write_bytes(b"")
    back_up_to_folder(home, NOON + 1000 * HOUR)  # by a clock that was wrong
    for hours in range(5):
        back_up_to_folder(home, NOON + hours * HOUR)
    assert names(home) == [
        "tickercast-20200101T000000Z.tar",
        "tickercast-20260102T030000Z.tar",
        "tickercast-20260102T140000Z.tar",
        "tickercast-20260102T150000Z.tar",
        "tickercast-20260102T160000Z.tar",
        "tickercast-20260213T040000Z.tar",
        "tickercast-old.tar",
    ]


def test_homes_of_one_path_that_share_a_folder_make_their_own_backups_and_keep_those_of_each_other(
    home: Home, make_home: Make
) -> None:
    """As containers do, where each home is /data/home."""
    first = home.folder.with_name("first")
    for days in range(5):
        now = NOON + timedelta(days=days)
        assert back_up_when_due(home, now) == now + 6 * HOUR
        home.folder.rename(first)
        other = make_home("home", (first / "tickercast.toml").read_text())
        assert back_up_when_due(other, now) == now + 6 * HOUR
        shutil.rmtree(other.folder)
        first.rename(home.folder)
    assert sorted(names(home)) == sorted(
        [f"tickercast-2026010{day}T120000Z.tar" for day in (4, 5, 6)]
        + [f"tickercast-2026010{day}T120001Z.tar" for day in (2, 3, 4, 5, 6)]
    )


def test_a_backup_without_an_id_counts_by_its_path_and_is_never_removed(home: Home) -> None:
    kept = home.folder.parent / "kept"
    set_id(home, 0)
    for hours in (-30, -24, -18, -12, 0):
        back_up_to_folder(home, NOON + hours * HOUR)
    assert len(names(home)) == 5
    set_id(home, 5)
    assert back_up_when_due(home, NOON + HOUR) == NOON + 6 * HOUR
    assert newest_backup(home.place, kept, NOON) == NOON
    for hours in range(6, 12):
        back_up_to_folder(home, NOON + hours * HOUR)
    assert len(names(home)) == 5 + 3


def test_a_restored_home_goes_on_with_its_backups(home: Home) -> None:
    for hours in (-12, -6, 0):
        back_up_to_folder(home, NOON + hours * HOUR)
    restore(home.folder, home.folder.parent / "kept" / "tickercast-20260102T060000Z.tar", now=NOON, wait_seconds=0)
    restored = open_home(home.folder)
    assert newest_backup(restored.place, home.folder.parent / "kept", NOON) == NOON
    back_up_to_folder(restored, NOON + 6 * HOUR)
    assert names(home) == [f"tickercast-20260102T{hour}0000Z.tar" for hour in ("06", "12", "18")]


def test_what_a_killed_backup_left_is_removed_by_the_next(home: Home) -> None:
    kept = home.folder.parent / "kept"
    kept.mkdir()
    for name in ("tickercast-20260101T000000Z.tar.partial", "tickercast-20260101T000000Z.tar.db.partial-journal"):
        (kept / name).touch()
    back_up_when_due(home, NOON)
    assert names(home) == ["tickercast-20260102T120000Z.tar"]


def test_a_failure_is_logged_and_entered_and_tried_again_an_hour_later(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json")
    (home.folder.parent / "kept").write_text("in the way")
    assert back_up_when_due(home, NOON) == back_up_when_due(home, NOON + HOUR / 2) == NOON + HOUR
    [line] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["level"]) == ("backup failed", "error")
    failed = state_of(home, NOON)
    assert failed is not None
    assert (failed.newest, failed.failed_at, failed.message) == (None, NOON, line["error"])
    (home.folder.parent / "kept").unlink()
    assert back_up_when_due(home, NOON + HOUR) == NOON + 6 * HOUR
    mended = state_of(home, NOON + 2 * HOUR)
    assert mended == BackupState(NOON + HOUR, None, None)
    assert mended.age(NOON + 2 * HOUR) == HOUR


def test_a_folder_in_the_home_is_refused(make_home: Make) -> None:
    home = make_home("home", '[backup]\nfolder = "backups"\n')
    with pytest.raises(UsageError, match=r"backup\.folder lies in the home"):
        back_up_to_folder(home, NOON)
    assert back_up_when_due(make_home("none", ""), NOON) is None


def test_a_backup_is_for_its_owner_alone(home: Home, tmp_path: Path) -> None:
    back_up_to_folder(home, NOON)
    file = tmp_path / "kept" / "tickercast-20260102T120000Z.tar"
    assert file.stat().st_mode & 0o777 == 0o600
    with tarfile.open(file) as archive:
        assert archive.getmember("tickercast.toml").mode == 0o600
    restore(tmp_path / "new", file, now=NOON, wait_seconds=0)
