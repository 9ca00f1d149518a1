"""The daemon's report: written after each run where the settings name a folder, and never worth a failure of anything else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders import Record, small_record
from tickercast.jobs.runs.kept_report import refresh_report_when_due
from tickercast.jobs.runs.upkeep import STEPS
from tickercast.jobs.terminal.logs import start_logging
from tickercast.jobs.workspace.home import Home

MakeHome = Callable[[str, str], Home]
NOW = datetime(2024, 3, 13, 12, tzinfo=UTC)
SETTINGS = '[web]\nreport = "public"\n'


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    found = small_record(tmp_path_factory.mktemp("record"))
    found.force("UPDATE runs SET finished_at = started_at")
    return found


@pytest.fixture
def home(make_home: MakeHome, record: Record) -> Home:
    found = make_home("home", SETTINGS)
    shutil.copy(record.database, found.database)
    return found


def index_of(home: Home) -> Path:
    return home.folder / "public" / "index.html"


def test_the_daemon_does_it_after_everything_else() -> None:
    assert list(STEPS)[-1] == "report"
    assert STEPS["report"] is refresh_report_when_due


def test_the_pages_are_written_once_for_each_run(home: Home) -> None:
    assert refresh_report_when_due(home, NOW) is None
    assert "2024-03-13 12:00 UTC" in index_of(home).read_text()
    index_of(home).unlink()
    refresh_report_when_due(home, NOW)
    assert not index_of(home).exists()
    Record(home.database, home.prices).force("UPDATE runs SET id = 9")
    refresh_report_when_due(home, NOW)
    assert index_of(home).exists()


def test_without_a_folder_nothing_is_written(make_home: MakeHome, record: Record) -> None:
    home = make_home("other", "")
    shutil.copy(record.database, home.database)
    assert refresh_report_when_due(home, NOW) is None
    assert not (home.cache / "report-made").exists()


def test_before_the_first_forecast_nothing_is_written(make_home: MakeHome) -> None:
    home = make_home("new", SETTINGS)
    assert refresh_report_when_due(home, NOW) is None
    assert not index_of(home).parent.exists()


def test_a_failure_is_one_log_line_and_is_tried_again_in_an_hour(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json")
    index_of(home).parent.write_text("a file in the way")
    assert refresh_report_when_due(home, NOW) == NOW + timedelta(hours=1)
    [line] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["level"]) == ("report failed", "error")
    assert "public" in line["error"]
    index_of(home).parent.unlink()
    assert refresh_report_when_due(home, NOW + timedelta(hours=1)) is None
    assert index_of(home).exists()
