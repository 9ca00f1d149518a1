"""Notices as their user has them: from `run`, from a daemon that is killed between a begin and its end, and of a dying child."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.daemons import StartDaemon
from tests.loopback_webhook import LoopbackWebhook
from tests.loopback_yahoo import recent_rows
from tests.processes import wait_until
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs import watch
from tickercast.jobs.runs.child import Look
from tickercast.jobs.runs.watch import Watch
from tickercast.jobs.terminal.logs import LogTarget
from tickercast.jobs.workspace.home import Home, create_home
from tickercast.storage.database import open_writer, upgrade_database

pytestmark = pytest.mark.slow

SETTINGS = """
[training]
cold_epochs = 1
[model]
history_sessions = 140
reference = "none"
events = false
[compute]
workers = 1
[notices]
urls = ["{url}"]
late_hours = 0
failures = 1
disk_free_megabytes = 0
"""


@pytest.fixture
def home(tmp_path: Path, webhook: LoopbackWebhook) -> Home:
    """Return a home that follows IBM in a folder whose bars end two sessions ago."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "tickercast.toml").write_text(SETTINGS.format(url=webhook.url))
    home = create_home(folder)
    upgrade_database(home.database)
    write_prices(home, missing=2)
    engine = open_writer(home.database)
    track(home, engine, ["IBM"], source=f"folder:{tmp_path / 'own'}", adjustment="as_traded")
    engine.dispose()
    return home


def write_prices(home: Home, *, missing: int) -> None:
    """Write the folder's file with all but the newest sessions."""
    rows = recent_rows(160)[: 160 - missing]
    lines = [f"{day},{price},{price},{price},{price},{volume}" for day, price, volume in rows]
    path = home.folder.parent / "own" / "IBM.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["date,open,high,low,close,volume", *lines]))


def told_notices(home: Home) -> int:
    """Return how many notices were told."""
    with closing(sqlite3.connect(f"file:{home.database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(told_at) FROM notice").fetchone()[0])


def test_a_daemon_that_is_killed_while_a_ticker_is_late_tells_the_end_once(
    home: Home, webhook: LoopbackWebhook, start_daemon: StartDaemon
) -> None:
    first = start_daemon(home)
    wait_until(lambda: told_notices(home) == 1)  # the message is sent, and that is noted
    first.send_signal(signal.SIGKILL)
    first.communicate()
    write_prices(home, missing=0)
    (home.folder / "tickercast.toml").touch()  # so that the next attempt need not wait
    second = start_daemon(home)
    wait_until(lambda: len(webhook.titles) > 1)
    second.send_signal(signal.SIGTERM)
    told = second.communicate(timeout=60)[1]
    assert webhook.titles == ["IBM late", "IBM no longer late"]
    assert second.returncode == 0
    assert "token" not in told


def test_run_tells_at_its_end_also_when_it_fails(home: Home, webhook: LoopbackWebhook, tickercast: Command) -> None:
    (home.folder.parent / "own" / "IBM.csv").write_text("date,close\nyesterday,none\n")
    failed = tickercast("--home", home.folder, "run")
    assert (failed.returncode, failed.stderr.splitlines()[0]) == (3, "told: 1 notice")
    assert webhook.titles == ["IBM failing"]


def be_killed(_settings: bytes | None, _folder: Path, _database: Path | None, _stop: threading.Event) -> Look:
    """Be a look that the system kills."""
    os.kill(os.getpid(), signal.SIGKILL)
    return Look()


def test_looks_whose_process_is_killed_are_told_too(
    home: Home, webhook: LoopbackWebhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "look", be_killed)
    watching = Watch(home.folder, home.database, LogTarget("json"))
    watching.check()
    assert watching.failures == 1
    assert webhook.titles == ["daemon failing"]
    assert "was killed by signal 9; what it committed stays" in webhook.received[0]["message"]
