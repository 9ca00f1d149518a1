"""Backups by schedule: one for each span, whatever was restarted; the newest stay, and so do the files of others."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.errors import UsageError
from jobs.runs.restore import restore
from jobs.runs.scheduled_backup import BackupState, back_up_to_folder, back_up_when_due, backup_state
from jobs.runs.upkeep import STEPS
from jobs.terminal.logs import start_logging
from jobs.workspace.home import Home, open_home
from storage.database import reading

Make = Callable[[str, str], Home]
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def home(make_home: Make) -> Home:
    return make_home("home", '[backup]\nfolder = "../kept"\nevery_hours = 6\nkeep = 3\n')


def names(home: Home) -> list[str]:
    return sorted(path.name for path in (home.folder.parent / "kept").iterdir() if not path.name.startswith("."))


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
