"""Temporary folders: one that stays for its reader is gone at the next command of its kind, and never before."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tickercast.jobs.workspace.home import create_home
from tickercast.jobs.workspace.temporary import replaced_folder, store_variables_ignored


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_at_most_one_folder_of_a_kind_stays(tmp_path: Path) -> None:
    for _ in range(3):
        with replaced_folder("demo") as folder:
            (folder / "tickercast.db").touch()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert (folder / "tickercast.db").exists()


def test_a_folder_in_use_is_not_replaced(tmp_path: Path) -> None:
    with replaced_folder("demo") as first, replaced_folder("demo") as second:
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([first.name, second.name])


def test_a_home_of_one_command_has_a_store_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKERCAST_STORE__PRICES", "s3://bars/desk")
    with store_variables_ignored():
        assert create_home(tmp_path / "home").prices == tmp_path / "home" / "prices"
    assert os.environ["TICKERCAST_STORE__PRICES"] == "s3://bars/desk"
