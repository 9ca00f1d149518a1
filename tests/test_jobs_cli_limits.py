"""What the machine refuses: open files, inodes, a disk for reading alone, a process that stands still, a foreign lock."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Command, clean_environment, command_of
from tests.loopback_yahoo import LoopbackYahoo, chart_body, recent_rows
from tests.processes import wait_until
from tests.torture.traces import without_strace
from tickercast.jobs.workspace.home import open_home
from tickercast.storage.database import reading
from tickercast.storage.verify import find_problems

pytestmark = pytest.mark.slow

FAST = {"TICKERCAST_TRAINING__COLD_EPOCHS": "2", "TICKERCAST_MODEL__HISTORY_SESSIONS": "140"}
BACKFILL = ("backfill", "IBM", "AAPL", "--source", "sample", "--start", "2013-02-01", "--workers", "1")
LONG = (*BACKFILL[:6], "2012-08-01", *BACKFILL[7:])
Finish = Callable[..., None]


def behind(limit: tuple[str, ...], home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a new interpreter, behind a program that limits it."""
    return subprocess.run(
        [*limit, *command_of("--home", home, *arguments)], env=clean_environment(**FAST), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def errors(process: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in process.stderr.splitlines() if not line.startswith("plan: ")]


@pytest.fixture
def finish(tickercast: Command) -> Finish:
    """Return a function that does the work which a limit has stopped, and checks what is there then."""

    def finished(home: Path, command: tuple[str, ...] = BACKFILL) -> None:
        assert tickercast("--home", home, *command, **FAST).returncode == 0
        with reading(home / "tickercast.db") as connection:
            assert find_problems(connection, open_home(home).prices) == []
        again = tickercast("--home", home, *command, **FAST)
        assert again.stderr.splitlines()[-1].startswith("2 of 2 tickers, 0 new forecasts")

    return finished


def needs_mounts() -> None:
    if not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")


def test_few_open_files_are_enough_or_one_line(tmp_path: Path, finish: Finish) -> None:
    limited = behind(("prlimit", "--nofile=8"), tmp_path / "home", *BACKFILL)
    assert (limited.returncode in (0, 5), len(errors(limited))) == (True, 1), limited.stderr
    finish(tmp_path / "home")


def test_a_full_disk_is_one_line_that_names_a_file_and_what_to_do(tmp_path: Path, tickercast: Command) -> None:
    needs_mounts()
    home = tmp_path / "disk" / "home"
    assert tickercast("--home", home, "init").returncode == 0
    script = f"""
        mkdir {tmp_path}/small && mount -t tmpfs -o size=4m none {tmp_path}/small && cp -a {home} {tmp_path}/small/home
        head -c 8M /dev/zero > {tmp_path}/small/full 2>/dev/null
        {" ".join(command_of("--home", tmp_path / "small" / "home", "track", "MSFT"))}
    """
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], env=clean_environment(), capture_output=True, text=True, check=False
    )
    [line] = errors(done)
    assert (done.returncode, line.count("No space left on device; what is stored stays; free space")) == (5, 1), line


def test_a_disk_without_inodes_is_one_line_and_loses_nothing(tmp_path: Path, finish: Finish) -> None:
    needs_mounts()
    home, limited = tmp_path / "disk" / "home", " ".join(command_of("--home", tmp_path / "disk" / "home", *BACKFILL))
    (tmp_path / "disk").mkdir()
    script = f"""
        mount -t tmpfs -o size=100m,nr_inodes=12 none {tmp_path}/disk
        {limited}; echo code $?
        mount -o remount,nr_inodes=1000 {tmp_path}/disk
        cp -a {tmp_path}/disk/home {tmp_path}/home
    """
    environment = clean_environment(**FAST, TMPDIR=str(tmp_path))
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["code", "5"]
    assert "No space left on device" in errors(done)[-1]
    assert not home.exists()
    finish(tmp_path / "home")


@pytest.mark.parametrize("command", [BACKFILL, ("daemon",)])
def test_a_disk_for_reading_alone_is_one_line(tmp_path: Path, tickercast: Command, command: tuple[str, ...]) -> None:
    needs_mounts()
    home = tmp_path / "home"
    assert tickercast("--home", home, "init").returncode == 0
    limited = " ".join(command_of("--home", home, *command))
    script = f"mount --bind {home} {home} && mount -o remount,ro,bind {home} && cd {home} && {limited}"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], env=clean_environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, len(errors(done))) == (5, 1), done.stderr


def test_a_process_that_stands_still_keeps_its_lock_and_goes_on(tmp_path: Path, tickercast: Command, finish: Finish) -> None:
    home = tmp_path / "home"
    process = subprocess.Popen(
        command_of("--home", home, *LONG), env=clean_environment(**FAST), stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: forecasts(home) > 0)
    process.send_signal(signal.SIGSTOP)
    stored = forecasts(home)
    other = tickercast("--home", home, *LONG, "--wait", "0.2", **FAST)
    assert (other.returncode, len(errors(other))) == (7, 1)
    assert forecasts(home) == stored
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    finish(home, LONG)


def forecasts(home: Path) -> int:
    try:
        connection = sqlite3.connect(f"file:{home}/tickercast.db?mode=ro", uri=True)
        found: int = connection.execute("SELECT count(*) FROM forecasts").fetchone()[0]
        connection.close()
    except sqlite3.OperationalError:
        return 0
    return found


def test_a_write_lock_of_another_program_is_waited_for(tmp_path: Path, tickercast: Command, finish: Finish) -> None:
    home = tmp_path / "home"
    assert tickercast("--home", home, "init").returncode == 0
    other = sqlite3.connect(home / "tickercast.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    process = subprocess.Popen(command_of("--home", home, *BACKFILL), env=clean_environment(**FAST))
    wait_until((home / "writer.holder").exists)
    time.sleep(1.0)  # it wants to write by now
    assert process.poll() is None
    other.execute("ROLLBACK")
    assert process.wait(60) == 0
    finish(home)


def test_the_settings_are_for_their_owner_and_no_file_is_open_for_all_to_write(tmp_path: Path) -> None:
    home = tmp_path / "home"
    script = f"umask 000; {' '.join(command_of('--home', home, *BACKFILL))}"
    assert subprocess.run(["sh", "-c", script], env=clean_environment(**FAST), check=False, capture_output=True).returncode == 0
    modes = {path.relative_to(home): path.stat().st_mode & 0o777 for path in home.rglob("*")}
    assert modes[Path("tickercast.toml")] == 0o600
    assert [path for path, mode in modes.items() if mode & 0o002] == []
    assert home.stat().st_mode & 0o002 == 0


def test_a_run_connects_to_its_source_alone(tmp_path: Path, server: LoopbackYahoo) -> None:
    if reason := without_strace():
        pytest.skip(reason)
    server.record("IBM", chart_body("IBM", recent_rows(160)))
    own = {"TICKERCAST_YAHOO__BASE_URL": server.url, "TICKERCAST_YAHOO__REQUESTS_PER_SECOND": "1000"}
    environment = clean_environment(**FAST, **own)
    traced = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=connect,sendto,sendmsg"]
    command = command_of("--home", tmp_path / "home", "backfill", "IBM", "--workers", "1")
    found = subprocess.run([*traced, *command], env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stderr
    told = [line for line in (tmp_path / "trace").read_text().splitlines() if "AF_INET" in line]
    port = server.url.rsplit(":", 1)[1]
    assert told
    assert [line for line in told if f"htons({port})" not in line or 'inet_addr("127.0.0.1")' not in line] == []
