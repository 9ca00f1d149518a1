"""Progress: a bar on a terminal, a line now and then elsewhere, both with the time left; nothing for what ends at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.forecast_builders import SMALL_SETTINGS, in_one_go, ten_sessions
from tests.processes import wait_until
from tests.terminals import screen_of
from tickercast.jobs.runs import backup
from tickercast.jobs.terminal import progress
from tickercast.jobs.terminal.progress import Work, counted_progress, duration, each_with_progress, progress_bar
from tickercast.jobs.workspace.home import Home

AT_ONCE = 0.0


@pytest.mark.parametrize(
    ("done", "total", "taken", "line"),
    [
        (0, 0, 75.0, "scores: 1 min 15 s so far"), (0, 400, 8.0, "scores: 0 %, 8 s so far"),
        (100, 400, 60.0, "scores: 25 %, about 3 min left"), (399, 400, 60.0, "scores: 99 %, about 0 s left"),
        (1, 1000, 29.0, "scores: 0 %, 29 s so far"), (1, 1000, 30.0, "scores: 0 %, about 8 h 19 min left"),
        (401, 400, 60.0, "scores: 100 %, about 0 s left"),
    ],
)  # fmt: skip
def test_a_line_has_the_share_and_the_time_left_at_the_mean_speed(done: int, total: int, taken: float, line: str) -> None:
    assert Work("scores", done, total, began=100.0).line(100.0 + taken) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (601, "10 min"), (7500, "2 h 5 min")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_off_a_terminal_a_line_is_written_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.01)
    shown = ""

    def has_line() -> bool:
        nonlocal shown
        shown += capsys.readouterr().err
        return shown.count("\n") >= 2

    with progress_bar("forecasts") as show:
        show(10, 40)
        wait_until(has_line)
    assert shown.splitlines()[-1].startswith("forecasts: 25 %, about ")


def test_off_a_terminal_nothing_is_written_within_the_first_minute(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(each_with_progress("sessions", [1, 2])) == [1, 2]
    assert capsys.readouterr().err == ""
    assert progress.LINE_SECONDS == 60


def test_a_terminal_shows_a_bar_with_the_time_left_and_is_clean_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "BAR_AFTER_SECONDS", AT_ONCE)
    monkeypatch.setenv("TERM", "xterm")
    with screen_of(monkeypatch) as read:
        with counted_progress("checking rows", 40) as count:
            count(10)
            wait_until(lambda: "25 % about " in read())
        assert " left" in read()
        assert read().rstrip("\r\n ").endswith("\x1b[2K")  # the bar's line is erased


def test_what_ends_within_a_second_shows_nothing_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with screen_of(monkeypatch) as read:
        with progress_bar("scores") as show:
            show(1, 2)
        assert read() == ""


def test_a_daemons_child_shows_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.001)
    monkeypatch.setattr(progress, "_silent", progress.threading.Event())
    progress.silence_progress()
    with progress_bar("scores") as show:
        show(1, 2)
        assert [thread.name for thread in progress.threading.enumerate() if thread.name == "progress"] == []
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_the_progress_of_a_backup_counts_all_that_is_written(
    make_home: Callable[[str, str], Home], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: dict[str, int] = {}

    @contextmanager
    def counting(title: str, total: int) -> Iterator[Callable[[int], None]]:
        left[title] = total
        yield lambda more: left.update({title: left[title] - more})

    monkeypatch.setattr(backup, "counted_progress", counting)
    home = in_one_go(make_home("home", SMALL_SETTINGS), ten_sessions()[:1])
    backup.back_up(home, tmp_path / "home.tar", now=datetime(2026, 1, 2, 3, tzinfo=UTC))
    assert {title: left[title] for title in left if title.startswith("writing")} == {
        "writing the database": 0, "writing price files": 0,
    }  # fmt: skip
