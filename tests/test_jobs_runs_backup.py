"""Backup and restore: what comes back is the record that was there, damage is found first, and kills lose nothing."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from tests.conftest import Command
from tests.forecast_builders import SMALL_SETTINGS, in_one_go, ten_sessions
from tests.postgres_server import PostgresCluster
from tests.processes import wait_until
from tickercast.jobs.analysis.replay import replay_sample, summary_of
from tickercast.jobs.errors import LockHeld, UsageError
from tickercast.jobs.runs.backup import back_up
from tickercast.jobs.runs.restore import restore
from tickercast.jobs.workspace.home import Home, open_home
from tickercast.jobs.workspace.locks import daemon_lock, try_lock, writer_lock
from tickercast.storage.database import reading
from tickercast.storage.errors import Corrupt, SchemaOlder
from tickercast.storage.postgres.locks import advisory_lock
from tickercast.storage.verify import content_hash, find_deep_problems, find_problems

pytestmark = pytest.mark.slow
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to another account")
Make = Callable[[str, str], Home]
NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)


@pytest.fixture
def home(make_home: Make) -> Home:
    return in_one_go(make_home("home", SMALL_SETTINGS), ten_sessions()[:2])


def hash_of(folder: Path) -> str:
    with reading(open_home(folder).database) as connection:
        return content_hash(connection)


def origins_of(home: Home) -> int:
    with reading(home.database) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM origins").scalar_one())


def put_back(folder: Path, file: Path) -> str:
    return restore(folder, file, now=NOW, wait_seconds=0)


def rewritten(file: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> Path:
    """Return another tar file with each member as a function of its name and content gives it."""
    target = file.with_name("changed.tar")
    with tarfile.open(file) as source, tarfile.open(target, "w") as archive:
        for member in source.getmembers():
            name, content = change(member.name, source.extractfile(member).read())  # type: ignore[union-attr]
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target


def test_a_restored_home_has_the_record_the_files_and_the_settings(home: Home, tmp_path: Path) -> None:
    told = back_up(home, tmp_path / "kept" / "home.tar", now=NOW)
    assert told.startswith("5 files, ")
    new = tmp_path / "elsewhere"
    assert "5 files of 2026-01-02T03:00:00Z are back" in put_back(new, tmp_path / "kept" / "home.tar")
    restored = open_home(new)
    assert hash_of(new) == hash_of(home.folder)
    assert (new / "tickercast.toml").read_bytes() == (home.folder / "tickercast.toml").read_bytes()
    with reading(restored.database) as connection:
        problems = find_problems(connection, restored.prices) + find_deep_problems(connection, restored.prices)
    assert problems == []
    assert summary_of(replay_sample(restored, None, 0)) == "6 sessions replayed: 6 equal"
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["home.tar"]


def test_the_home_before_stays_beside_the_restored_one(home: Home, tmp_path: Path) -> None:
    before = hash_of(home.folder)
    back_up(home, tmp_path / "home.tar", now=NOW)
    in_one_go(home, ten_sessions()[:4])
    after = hash_of(home.folder)
    kept = home.folder.with_name("home.before-20260102T030000Z")
    assert f"the home before is in {kept}" in put_back(home.folder, tmp_path / "home.tar")
    assert (hash_of(home.folder), hash_of(kept)) == (before, after) != (after, before)


def test_a_backup_while_another_process_writes_is_a_record_as_of_one_instant(home: Home, tmp_path: Path) -> None:
    days, files = ten_sessions(), [tmp_path / f"{i}.tar" for i in range(3)]
    span = ["--start", str(days[0] - timedelta(days=200)), "--end", str(days[-1]), "--workers", "1"]
    command = [
        sys.executable,
        "-m",
        "tickercast",
        "--home",
        str(home.folder),
        "backfill",
        "AAPL",
        "IBM",
        "--source",
        "sample",
        *span,
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as writer:
        wait_until(lambda: origins_of(home) > 50)
        for file in files:
            back_up(home, file, now=NOW)
        assert writer.poll() is None
        writer.terminate()
    for file in files:
        put_back(file.with_suffix(""), file)
        restored = open_home(file.with_suffix(""))
        with reading(restored.database) as connection:
            assert find_problems(connection, restored.prices) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda name, content: (name, content[:-1] + b"x" if name == "tickercast.db" else content), "tickercast.db is damaged"),
        (lambda name, content: (name, content[: len(content) // 2] if name.startswith("prices") else content), "is damaged"),
        (lambda name, content: ("../evil" if name == "tickercast.toml" else name, content), "not those of its manifest"),
        (lambda name, content: (name, b"{}" if name == "manifest.json" else content), "not a backup"),
        (lambda name, content: (name, content.replace(b'"made_at": "', b'"made_at": 5, "x": "')), "manifest is damaged"),
        (lambda name, content: (name, content.replace(b'"revision": "0', b'"revision": "9')), "another schema than its manifest"),
        (
            lambda name, content: (name, b"\xff" if name == "tickercast.toml" else content),
            "settings of the backup cannot be read",
        ),
    ],
)
def test_a_damaged_backup_is_refused_and_the_home_stays(
    home: Home, tmp_path: Path, change: Callable[[str, bytes], tuple[str, bytes]], said: str
) -> None:
    back_up(home, tmp_path / "home.tar", now=NOW)
    before = hash_of(home.folder)
    with pytest.raises(Corrupt, match=said):
        put_back(home.folder, rewritten(tmp_path / "home.tar", change))
    assert hash_of(home.folder) == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["home"]


def test_a_damaged_home_makes_no_backup(home: Home, tmp_path: Path) -> None:
    next(home.prices.rglob("*.parquet")).write_bytes(b"x")
    with pytest.raises(Corrupt):
        back_up(home, tmp_path / "home.tar", now=NOW)
    assert not list(tmp_path.glob("*.tar*"))


def test_a_damaged_database_and_not_its_copy_is_named_by_the_backup_that_finds_the_damage(home: Home, tmp_path: Path) -> None:
    size = home.database.stat().st_size
    with home.database.open("r+b") as file:
        file.seek(size // 2)
        file.write(bytes(range(256)) * 64)
    with pytest.raises(Corrupt) as caught:
        back_up(home, tmp_path / "home.tar", now=NOW)
    assert str(caught.value).startswith(f"{home.database}: ")
    assert ".partial" not in str(caught.value)


def test_nothing_is_restored_while_another_process_writes_the_record_of_the_home_on_a_server(
    home: Home, tmp_path: Path, postgres: PostgresCluster
) -> None:
    back_up(home, tmp_path / "home.tar", now=NOW)
    server = postgres.new_database()
    (home.folder / "tickercast.toml").write_text(f'[store]\nurl = "{server.url}"\n')
    with (
        advisory_lock(server, "writer", command="run", wait_seconds=1),
        pytest.raises(LockHeld, match=r"writer lock of postgresql://.* is held by .?tickercast run"),
    ):
        put_back(home.folder, tmp_path / "home.tar")


def test_nothing_is_restored_while_another_process_writes_or_a_daemon_runs(home: Home, tmp_path: Path) -> None:
    back_up(home, tmp_path / "home.tar", now=NOW)
    with writer_lock(home.folder, command="backfill", wait_seconds=0), pytest.raises(LockHeld):
        put_back(home.folder, tmp_path / "home.tar")
    with daemon_lock(home.folder), pytest.raises(LockHeld):
        put_back(home.folder, tmp_path / "home.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "home.tar"]


def test_a_lock_that_was_got_in_a_home_replaced_meanwhile_is_got_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer opens the lock's file, and a restore that ends meanwhile has put another home in the place."""
    moved, acquire = home.folder.with_name("before"), FileLock.acquire

    def late(self: FileLock, **limits: float) -> object:
        got = acquire(self, **limits)
        if not moved.exists():
            home.folder.rename(moved)
            shutil.copytree(moved, home.folder)
        return got

    monkeypatch.setattr(FileLock, "acquire", late)
    with writer_lock(home.folder, command="track", wait_seconds=0):
        monkeypatch.undo()
        with try_lock(home.folder / "writer.lock") as is_free:
            assert not is_free


def test_a_home_whose_store_lies_outside_of_it_is_not_backed_up(make_home: Make, tmp_path: Path) -> None:
    home = make_home("other", f'[store]\nprices = "{tmp_path / "outside"}"\n')
    with pytest.raises(UsageError, match=r"store\.prices lies outside of the home"):
        back_up(home, tmp_path / "home.tar", now=NOW)


@pytest.mark.parametrize(
    "name", ["home/tickercast.db", "home/tickercast.toml", "home/prices/x.tar", "home/x.tar", "own.csv", "copy.sqlite", "."]
)
def test_no_backup_replaces_a_file_that_is_none(home: Home, tmp_path: Path, name: str) -> None:
    (tmp_path / "own.csv").write_text("a,b\n")
    shutil.copy(home.database, tmp_path / "copy.sqlite")
    before = hash_of(home.folder)
    with pytest.raises(UsageError, match="nothing was written"):
        back_up(home, tmp_path / name, now=NOW)
    assert hash_of(home.folder) == before
    assert (tmp_path / "own.csv").read_text() == "a,b\n"


def test_a_row_that_was_changed_in_a_backup_is_found_before_it_is_restored(home: Home, tmp_path: Path) -> None:
    copied = tmp_path / "forged"
    shutil.copytree(home.folder, copied)
    connection = sqlite3.connect(copied / "tickercast.db")
    connection.executescript("DROP TRIGGER forecasts_refuse_update; UPDATE forecasts SET q95 = q95 * 1.01;")
    connection.close()
    back_up(open_home(copied), tmp_path / "forged.tar", now=NOW)
    with pytest.raises(Corrupt, match="the backup is damaged"):
        put_back(home.folder, tmp_path / "forged.tar")


def test_restored_settings_are_for_their_owner_alone(home: Home, tmp_path: Path) -> None:
    back_up(home, tmp_path / "home.tar", now=NOW)
    put_back(tmp_path / "new", tmp_path / "home.tar")
    assert (tmp_path / "new" / "tickercast.toml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("account", [(None, None), pytest.param((1234, 2345), marks=needs_root)])
def test_a_restored_home_stays_readable_and_writable_for_whom_it_was(
    home: Home, tmp_path: Path, account: tuple[int | None, int | None]
) -> None:
    back_up(home, tmp_path / "home.tar", now=NOW)
    uid, gid = (number if given is None else given for number, given in zip((os.getuid(), os.getgid()), account, strict=True))
    for path in (home.folder, *home.folder.rglob("*")):
        os.chown(path, uid, gid)
    home.folder.chmod(0o2771)
    home.database.chmod(0o664)
    put_back(home.folder, tmp_path / "home.tar")
    modes = {path.name: path.stat().st_mode & 0o7777 for path in (home.folder, home.database, home.folder / "tickercast.toml")}
    assert modes == {"home": 0o2771, "tickercast.db": 0o664, "tickercast.toml": 0o600}
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (home.folder, *home.folder.rglob("*"))} == {(uid, gid)}


@needs_root
def test_a_restored_database_belongs_to_whom_the_one_before_did(home: Home, tmp_path: Path) -> None:
    back_up(home, tmp_path / "home.tar", now=NOW)
    os.chown(home.database, 1234, 2345)
    put_back(home.folder, tmp_path / "home.tar")
    assert (home.database.stat().st_uid, home.database.stat().st_gid) == (1234, 2345)
    assert home.folder.stat().st_uid == os.getuid()


def test_a_file_that_is_no_backup_is_named(home: Home, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"")
    with pytest.raises(Corrupt, match=r"x.tar: not a backup of Tickercast"):
        put_back(home.folder, tmp_path / "x.tar")


def test_rows_are_not_written_over_the_store(tickercast: Command) -> None:
    assert tickercast("init").returncode == 0
    for name in ("tickercast-home/tickercast.db", "tickercast-home/tickercast.toml", "tickercast-home/prices/x.csv"):
        done = tickercast("tickers", "--out", name, "--format", "csv")
        assert (done.returncode, "nothing was written" in done.stderr) == (2, True)
    assert tickercast("verify").returncode == 0


def test_the_commands_back_up_and_restore(tickercast: Command, tmp_path: Path) -> None:
    assert tickercast("init").returncode == 0
    assert tickercast("backup", tmp_path / "home.tar").returncode == 0
    done = tickercast("restore", tmp_path / "home.tar")
    assert (done.returncode, done.stdout) == (0, "")
    assert tickercast("restore", tmp_path / "none.tar").returncode == 2
    assert tickercast("status").returncode == 0


def test_a_backup_of_a_home_of_an_older_version_names_its_database(home: Home, tmp_path: Path) -> None:
    with sqlite3.connect(home.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    with pytest.raises(SchemaOlder, match=f"^{home.database}: its schema 0001 is older"):
        back_up(home, tmp_path / "home.tar", now=NOW)
