"""The folder of an export: whose it is, what is refused, and what is there after an export that ended early."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import Record
from tests.conftest import Command
from tests.exports import NOW, data_of, export_of
from tickercast.jobs.analysis import export_folder
from tickercast.jobs.analysis.export import export
from tickercast.jobs.errors import LockHeld, UsageError
from tickercast.jobs.workspace.locks import try_lock
from tickercast.storage.errors import StoreUnwritable
from tickercast.storage.versions import database_id

OF_IBM = "ticker=IBM"


@pytest.fixture(scope="module")
def exported(sound_record: Record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the export of the small record. Tests share it and must not change it."""
    export_of(sound_record, folder := tmp_path_factory.mktemp("export") / "new")
    return folder


def test_an_export_that_ends_early_is_resumed(sound_record: Record, exported: Path, tmp_path: Path) -> None:
    def end_at_ten(done: int, _total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        export(sound_record.database, folder, (), now=NOW, show=end_at_ten)
    kept = len(data_of(folder))
    assert export_of(sound_record, folder).unchanged == kept > 0
    assert data_of(folder) == data_of(exported)


def test_a_file_that_was_damaged_is_written_again(sound_record: Record, exported: Path, tmp_path: Path) -> None:
    export_of(sound_record, folder := tmp_path / "out")
    for path in (folder / "bar" / OF_IBM / "data.parquet", folder / "config" / "data.parquet"):
        path.write_bytes(path.read_bytes()[:-5])
    assert export_of(sound_record, folder).written == 2
    assert data_of(folder) == data_of(exported)


def test_the_note_says_whose_record_it_is_and_when_all_of_it_was_written(
    sound_record: Record, exported: Path, tmp_path: Path
) -> None:
    assert json.loads((exported / export_folder.NOTE).read_text()) == {
        "format": 1, "database": database_id(sound_record.database), "exported_at": "2024-03-12T23:00:00.000000Z",
    }  # fmt: skip
    export_of(sound_record, folder := tmp_path / "out", "bar")
    assert "exported_at" not in json.loads((folder / export_folder.NOTE).read_text())


def occupied(folder: Path) -> None:
    (folder / "holiday.jpg").write_text("mine")


def anothers(folder: Path) -> None:
    (folder / export_folder.NOTE).write_text('{"format": 1, "database": "another"}')


def newer(folder: Path) -> None:
    (folder / export_folder.NOTE).write_text('{"format": 2}')


def damaged(folder: Path) -> None:
    (folder / export_folder.NOTE).write_text("[]")


def settings(folder: Path) -> None:
    """Make the folder that of the prices of a home."""
    (folder.parent / "tickercast.toml").write_text("")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (occupied, "is not empty and not an export"),
        (anothers, "is the export of another record"),
        (newer, "by another version"),
        (damaged, "cannot be read"),
        (settings, "is a file of the home"),
    ],
)
def test_a_folder_that_is_something_else_is_left_as_it_is(
    sound_record: Record, tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "prices"
    folder.mkdir()
    make(folder)
    before = sorted(folder.iterdir())
    with pytest.raises(UsageError, match=message):
        export_of(sound_record, folder)
    assert sorted(folder.iterdir()) == before


def test_an_unknown_view_is_refused_with_the_nearest_one(sound_record: Record, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean outcome"):
        export_of(sound_record, tmp_path / "out", "outcomes")
    assert list(tmp_path.iterdir()) == []


def test_two_exports_do_not_write_at_once(sound_record: Record, tmp_path: Path) -> None:
    export_of(sound_record, folder := tmp_path / "out", "bar")
    with try_lock(folder / export_folder.LOCK), pytest.raises(LockHeld, match="another export"):
        export_of(sound_record, folder)


def test_a_full_disk_is_told_and_finished_files_stay(
    sound_record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_of(sound_record, folder := tmp_path / "out", "bar")
    before = data_of(folder)
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(export_folder, "rename_durably", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(StoreUnwritable, match="No space left on device; finished files stay"):
        export_of(sound_record, folder)
    assert data_of(folder) == before


@pytest.mark.parametrize("name", ["\udcd4", "a b'\n", "=x=%2A"])
def test_a_folder_has_any_name_that_the_system_takes(sound_record: Record, tmp_path: Path, name: str) -> None:
    export_of(sound_record, tmp_path / name, "bar")
    assert export_of(sound_record, tmp_path / name, "bar").unchanged == 3


def test_a_name_that_the_system_does_not_take_is_told(sound_record: Record, tmp_path: Path) -> None:
    with pytest.raises(StoreUnwritable, match="File name too long"):
        export_of(sound_record, tmp_path / ("x" * 300), "bar")


def test_a_file_or_a_device_in_the_place_of_the_folder_is_refused(sound_record: Record, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for path in (tmp_path / "mine", Path("/dev/null"), Path("/dev/stdout")):
        with pytest.raises(UsageError, match="is not a folder; nothing was written"):
            export_of(sound_record, path)
    assert (tmp_path / "mine").read_text() == "mine"


def test_progress_reaches_its_total(sound_record: Record, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    export(sound_record.database, tmp_path / "out", ("bar", "config"), now=NOW, show=lambda *step: seen.append(step))
    assert seen == [(step, 4) for step in range(5)]  # two tickers and the rows of none, and one view


@pytest.mark.slow
def test_the_command_says_what_it_wrote_and_ends_with_its_code(tickercast: Command, record: Record, tmp_path: Path) -> None:
    home = record.database.parent
    first, again = (tickercast("--home", home, "export", "out", "--view", "bar") for _ in range(2))
    assert (first.returncode, first.stdout) == (0, "")
    assert first.stderr.startswith("export: out: 3 files written")
    assert again.stderr == "export: out: 0 files written (0 bytes), 3 unchanged\n"
    assert len(list((tmp_path / "out").rglob("data.parquet"))) == 3
    assert tickercast("--home", home, "export", "out", "--view", "outcom").returncode == 2
    assert tickercast("--home", home, "export", home / "prices" / "out").returncode == 2
    assert tickercast("--home", tmp_path / "none", "export", "out").returncode == 2
