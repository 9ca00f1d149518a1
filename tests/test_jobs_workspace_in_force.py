"""The settings that were valid last serve the daemon's processes while the file is wrong, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tickercast.jobs.errors import SettingsError
from tickercast.jobs.workspace.home import Home, open_home
from tickercast.jobs.workspace.in_force import serve_last_valid

MakeHome = Callable[[str, str], Home]
VALID = "[schedule]\nafter_close_minutes = 30\n"
WRONG = ["[schedule", "[schedule]\nafter_close_minutes = -1\n", '[model]\npreset = "article"\nprior = "bundled"\n']


def home_with(make_home: MakeHome, text: str) -> Path:
    """Return the folder of a home that was opened by a process of the daemon and then got other settings."""
    folder = make_home("home", VALID).folder
    serve_last_valid(folder, None)
    open_home(folder)
    (folder / "tickercast.toml").write_text(text)
    return folder


@pytest.mark.parametrize("text", WRONG, ids=["no TOML", "a wrong value", "a contradiction"])
def test_wrong_settings_leave_those_before_in_force(make_home: MakeHome, text: str) -> None:
    home = open_home(home_with(make_home, text))
    assert home.settings.schedule.after_close_minutes == 30
    assert home.refused
    assert home.retired_settings() == []


def test_other_settings_that_are_valid_serve_at_once(make_home: MakeHome) -> None:
    folder = home_with(make_home, "[schedule]\nafter_close_minutes = 50\n")
    assert (open_home(folder).settings.schedule.after_close_minutes, open_home(folder).refused) == (50, "")
    (folder / "tickercast.toml").write_text(WRONG[0])
    assert open_home(folder).settings.schedule.after_close_minutes == 50


def test_another_command_refuses_wrong_settings(make_home: MakeHome, tmp_path: Path) -> None:
    folder = home_with(make_home, WRONG[0]).rename(tmp_path / "not served")
    with pytest.raises(SettingsError):
        open_home(folder)


def test_wrong_settings_that_none_precede_are_refused(make_home: MakeHome) -> None:
    folder = make_home("home", VALID).folder
    serve_last_valid(folder, None)
    (folder / "tickercast.toml").write_text(WRONG[0])
    with pytest.raises(SettingsError, match="not valid TOML"):
        open_home(folder)


def test_the_settings_are_kept_in_memory_alone(make_home: MakeHome) -> None:
    folder = home_with(make_home, WRONG[0])
    assert [path for path in folder.rglob("*") if path.is_file() and b"after_close_minutes" in path.read_bytes()] == []


def test_another_process_of_the_daemon_is_handed_them(make_home: MakeHome) -> None:
    folder = make_home("home", "").folder
    (folder / "tickercast.toml").write_text(WRONG[0])
    serve_last_valid(folder, VALID.encode())
    assert open_home(folder).settings.schedule.after_close_minutes == 30


def test_a_home_without_a_settings_file_has_the_defaults_in_force(make_home: MakeHome) -> None:
    folder = home_with(make_home, VALID)
    (folder / "tickercast.toml").unlink()
    open_home(folder)
    (folder / "tickercast.toml").write_text(WRONG[0])
    assert open_home(folder).settings.schedule.after_close_minutes == 45
