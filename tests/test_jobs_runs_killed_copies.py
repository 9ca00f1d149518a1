"""Backup and restore killed before each step that they do with files: nothing is lost, and the same command finishes the work."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.forecast_builders import SMALL_SETTINGS, in_one_go, ten_sessions
from tickercast.jobs.runs.backup import back_up
from tickercast.jobs.runs.restore import restore
from tickercast.jobs.workspace import replacement
from tickercast.jobs.workspace.home import Home, create_home, open_home
from tickercast.storage.database import reading
from tickercast.storage.verify import content_hash, find_problems

pytestmark = pytest.mark.slow
Make = Callable[[str, str], Home]
NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)
STEPS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree", "sqlite3.connect"}


def ended_by_kill(work: Callable[[], object], step: int) -> bool:
    """Do some work in a process of its own that is killed before one of its steps, and return whether it came so far."""

    def killed_before_step() -> None:
        left = [step]

        def count(event: str, _arguments: object) -> None:
            if event in STEPS:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work()

    process = multiprocessing.get_context("fork").Process(target=killed_before_step)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def hash_of(folder: Path) -> str:
    """Return the content hash of a home that is whole."""
    home = open_home(folder)
    with reading(home.database) as connection:
        assert find_problems(connection, home.prices) == []
        return content_hash(connection)


@pytest.fixture
def home(make_home: Make) -> Home:
    return in_one_go(make_home("home", SMALL_SETTINGS), ten_sessions()[:1])


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_restore_killed_before_any_step_leaves_a_whole_home_and_is_finished_by_another(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    back_up(home, tmp_path / "home.tar", now=NOW)
    backed_up = hash_of(home.folder)
    in_one_go(home, ten_sessions()[:2])
    later = hash_of(home.folder)
    if not can_exchange:
        monkeypatch.setattr(replacement, "_exchanged", lambda _folder, _other: False)
    step, seen = 0, set()
    while ended_by_kill(lambda: restore(home.folder, tmp_path / "home.tar", now=NOW, wait_seconds=0), step):
        assert home.folder.exists() or not can_exchange
        seen.add(hash_of(home.folder))
        before = [hash_of(path) for path in tmp_path.glob("home.before-*")]
        assert set(before) <= {backed_up, later}
        step += 1
    assert step > 10
    assert seen == {backed_up, later}
    assert hash_of(home.folder) == backed_up
    assert later in [hash_of(path) for path in tmp_path.glob("home.before-*")]
    assert not list(tmp_path.glob("*.restoring"))


def test_init_finds_the_home_that_a_killed_restore_left_beside(home: Home, tmp_path: Path) -> None:
    """Where two names cannot be exchanged, a kill between the two renames leaves the new home under its first name."""
    known = hash_of(home.folder)
    staging = home.folder.rename(tmp_path / "home.restoring")
    (staging / replacement.MARK).touch()
    (staging / replacement.FINISHED).touch()
    create_home(home.folder)
    assert hash_of(home.folder) == known
    assert not staging.exists()


def test_an_unfinished_home_is_never_put_in_place(tmp_path: Path) -> None:
    (tmp_path / "home.restoring").mkdir()
    (tmp_path / "home.restoring" / replacement.MARK).touch()
    replacement.finish_replacement(tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_a_backup_killed_before_any_step_leaves_the_older_one_and_is_finished_by_another(home: Home, tmp_path: Path) -> None:
    target = tmp_path / "kept" / "home.tar"
    back_up(home, target, now=NOW)
    older = target.read_bytes()
    in_one_go(home, ten_sessions()[:2])
    step = 0
    while ended_by_kill(lambda: back_up(home, target, now=NOW), step):
        assert target.read_bytes() == older or step > 5
        step += 1
    assert step > 5
    restore(tmp_path / "new", target, now=NOW, wait_seconds=0)
    assert hash_of(tmp_path / "new") == hash_of(home.folder)
    assert [path.name for path in target.parent.iterdir()] == ["home.tar"]
