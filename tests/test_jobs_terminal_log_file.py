"""The log file: whole lines from several processes, bounded files, and work that goes on where it cannot be written."""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import resource
import stat
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from tickercast.jobs.errors import UsageError
from tickercast.jobs.terminal.log_file import LogFile
from tickercast.jobs.terminal.logs import LogTarget, log_event, log_format_for, start_logging
from tickercast.jobs.workspace.home import Home

LINE = "{} {:05d} " + "x" * 80 + "\n"
MOST_BYTES, KEEP, LINES = 20_000, 4, 400
SMALL_BYTES, MANY = 500, 200


def write_lines(folder: Path, name: str, count: int) -> None:
    """Write numbered lines. A process of its own runs this."""
    log = LogFile(folder / "a.log", MOST_BYTES, KEEP)
    for number in range(count):
        log.write(LINE.format(name, number))


def write_when_both_are_ready(folder: Path, name: str, barrier: Barrier) -> None:
    """Write lines to files so small that they are renamed all the time. A process of its own runs this."""
    log = LogFile(folder / "a.log", SMALL_BYTES, MANY)
    barrier.wait(30)
    for number in range(LINES):
        log.write(LINE.format(name, number))


def lines_of(folder: Path) -> list[str]:
    """Return the lines of all files, oldest file first."""
    files = sorted(folder.iterdir(), key=lambda file: int(file.suffix[1:]) if file.suffix != ".log" else 0, reverse=True)
    return [line for file in files for line in file.read_text().splitlines(keepends=True)]


@pytest.fixture
def no_room() -> Iterator[None]:
    """Refuse to let any file of this process grow beyond 150 bytes, as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.slow
def test_two_processes_lose_and_tear_no_line_while_the_files_rotate(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    writers = [context.Process(target=write_when_both_are_ready, args=(tmp_path, name, barrier)) for name in "ab"]
    [writer.start() for writer in writers]
    [writer.join() for writer in writers]
    lines = lines_of(tmp_path)
    assert [line for line in lines if line.startswith("a")] == [LINE.format("a", number) for number in range(LINES)]
    assert [line for line in lines if line.startswith("b")] == [LINE.format("b", number) for number in range(LINES)]
    assert len(lines) == 2 * LINES
    assert max(file.stat().st_size for file in tmp_path.iterdir()) <= SMALL_BYTES
    assert len(list(tmp_path.iterdir())) == 2 * LINES / (SMALL_BYTES // len(lines[0]))


def test_the_oldest_files_go_and_the_newest_lines_stay(tmp_path: Path) -> None:
    write_lines(tmp_path, "a", 3 * LINES)
    lines = lines_of(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2", "a.log.3", "a.log.4"]
    assert lines == [LINE.format("a", number) for number in range(3 * LINES - len(lines), 3 * LINES)]
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) > KEEP * MOST_BYTES * 0.99


def test_files_kept_under_a_larger_setting_are_removed(tmp_path: Path) -> None:
    write_lines(tmp_path, "a", 3 * LINES)
    log = LogFile(tmp_path / "a.log", MOST_BYTES, keep=1)
    [log.write(LINE.format("a", number)) for number in range(LINES)]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.log", "a.log.1"]


def test_nobody_else_reads_the_files_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LogFile(tmp_path / "logs" / "a.log", MOST_BYTES, KEEP).write("one\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "logs" / "a.log").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700


def test_a_file_that_logrotate_moved_or_deleted_is_made_anew(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", MOST_BYTES, KEEP)
    log.write("one\n")
    log.path.rename(tmp_path / "moved")
    log.write("two\n")
    assert (log.path.read_text(), (tmp_path / "moved").read_text()) == ("two\n", "one\n")
    log.path.unlink()
    log.write("three\n")
    assert log.path.read_text() == "three\n"


@pytest.mark.usefixtures("no_room")
def test_a_line_without_room_goes_to_stderr_and_leaves_no_part_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = LogFile(tmp_path / "a.log", MOST_BYTES, KEEP)
    log.write("x" * 99 + "\n")
    log.write("y" * 99 + "\n")
    log.write("z" * 99 + "\n")
    assert log.path.read_text() == "x" * 99 + "\n"
    warning, *lines = capsys.readouterr().err.splitlines()
    assert lines == ["y" * 99, "z" * 99]
    assert warning.endswith("a.log: No space left on device; log lines go to stderr meanwhile")
    log.write("short\n")
    assert log.path.read_text().endswith("x\nshort\n")


def test_a_line_that_a_killed_process_left_unfinished_is_ended(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("whole\nunfin")
    LogFile(tmp_path / "a.log", MOST_BYTES, KEEP).write("next\n")
    assert (tmp_path / "a.log").read_text() == "whole\nunfin\nnext\n"


def test_a_process_that_stands_still_with_the_lock_stops_no_line(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with path.open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        start = time.monotonic()
        LogFile(path, MOST_BYTES, KEEP).write("one\n")
    assert path.read_text() == "one\n"
    assert 0.5 < time.monotonic() - start < 5


def test_what_is_no_file_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    LogFile(tmp_path / "pipe", MOST_BYTES, KEEP).write("one\n")
    LogFile(tmp_path, MOST_BYTES, KEEP).write("two\n")
    errors = capsys.readouterr().err
    assert "pipe: not a regular file; log lines go to stderr meanwhile\none\n" in errors
    assert "Is a directory; log lines go to stderr meanwhile\ntwo\n" in errors


def test_events_and_what_libraries_report_go_to_the_file_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = LogFile(tmp_path / "a.log", MOST_BYTES, KEEP)
    target = LogTarget(log_format_for(None, file), file)
    start_logging(target.format, target.file)
    log_event("info", "daemon started")
    logging.getLogger("a.library").warning("careful")
    assert ['"event": "daemon started"' in line or '"library": "a.library"' in line for line in lines_of(tmp_path)] == [
        True,
        True,
    ]
    assert capsys.readouterr().err == ""


def test_threads_of_one_process_tear_no_line(tmp_path: Path) -> None:
    threads = [threading.Thread(target=write_lines, args=(tmp_path, name, 100)) for name in "ab"]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(lines_of(tmp_path)) == [LINE.format(name, number) for name in "ab" for number in range(100)]


def test_the_settings_name_the_file_in_the_home_and_its_limits(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("home", '[log]\nfile = "logs/daemon.log"\nmax_megabytes = 2\nkeep = 3\n')
    file = home.log_file()
    assert file is not None
    assert (file.path, file.most_bytes, file.keep) == (home.folder / "logs" / "daemon.log", 2_000_000, 3)


def test_without_a_name_no_file_is_written(make_home: Callable[[str, str], Home]) -> None:
    assert make_home("home", "").log_file() is None


def test_a_file_of_the_store_is_no_log_file(make_home: Callable[[str, str], Home]) -> None:
    with pytest.raises(UsageError, match=r"tickercast\.db is a file of the home"):
        make_home("home", '[log]\nfile = "tickercast.db"\n').log_file()
