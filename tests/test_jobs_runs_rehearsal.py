"""A rehearsal says what a cycle would do at any instant, and leaves no byte changed in the home and nothing elsewhere."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Command, clean_environment, command_of
from tests.processes import wait_until
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.daily import run_cycle
from tickercast.jobs.runs.rehearsal import Rehearsal, rehearse
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.locks import daemon_lock, writer_lock
from tickercast.storage.copies import copy_database
from tickercast.storage.database import open_writer
from tickercast.storage.errors import DatabaseMissing

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_file]  # a rehearsal refuses a record on a server

SETTINGS = '[source]\nkind = "sample"\n[model]\nhistory_sessions = 140\n[training]\ncold_epochs = 1\nwarm_epochs = 0\n'
SETTINGS += "[compute]\nworkers = 1\n"
MONDAY = datetime(2013, 2, 4, 23, tzinfo=UTC)
FUTURE = datetime(2150, 3, 1, tzinfo=UTC)


@pytest.fixture
def home(make_home: Callable[[str, str], Home]) -> Home:
    """Return a home with two tracked tickers of the sample, after a run."""
    home = make_home("home", SETTINGS)
    engine = open_writer(home.database)
    track(home, engine, ["IBM", "MSFT"])
    run_cycle(home, engine, MONDAY, workers=1)
    engine.dispose()
    return home


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Return the hash and the time of change of each file in a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(f.relative_to(folder)): (hashlib.sha256(f.read_bytes()).hexdigest(), f.stat().st_mtime_ns) for f in files}


def rehearsals_left() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("tickercast-rehearsal-*"))


@pytest.mark.parametrize("now", [datetime(2013, 2, 6, 23, tzinfo=UTC), FUTURE], ids=["past", "future"])
def test_a_rehearsal_says_what_a_cycle_would_do_and_changes_no_byte_of_the_home(home: Home, now: datetime) -> None:
    before = fingerprint(home.folder)
    found = rehearse(home, now, workers=1)
    assert fingerprint(home.folder) == before
    assert [(row[0], row[1], row[2]) for row in found.outcome.rows] == [
        ("IBM", "ok", "2013-02-05"), ("MSFT", "ok", "2013-02-05"),
    ]  # fmt: skip
    assert all(row[4] >= 10 for row in found.outcome.rows)
    assert "2 of 2 tickers" in found.message


def test_a_rehearsal_works_while_a_daemon_and_a_writer_hold_their_locks(home: Home) -> None:
    with daemon_lock(home.folder), writer_lock(home.folder, command="test", wait_seconds=0):
        engine = open_writer(home.database)
        with engine.connect():  # the database is open, so its log is there
            found: Rehearsal = rehearse(home, datetime(2013, 2, 5, 23, tzinfo=UTC), workers=1)
        engine.dispose()
    assert [row[4] for row in found.outcome.rows] == [5, 5]


def test_a_ticker_that_would_fail_is_shown_with_its_reason(home: Home) -> None:
    engine = open_writer(home.database)
    with engine.connect() as connection:
        path = connection.exec_driver_sql("SELECT path FROM price_files WHERE superseded_at IS NULL").scalars().first()
    engine.dispose()
    (home.prices / path).write_bytes(b"PAR1")
    found = rehearse(home, datetime(2013, 2, 5, 23, tzinfo=UTC), workers=1)
    assert sorted((row[1], row[4]) for row in found.outcome.rows) == [("failed", 0), ("ok", 5)]
    assert found.error is not None
    assert found.error.exit_code == 3


def test_the_command_prints_a_row_for_each_ticker_and_leaves_no_folder(tickercast: Command, home: Home) -> None:
    before, left = fingerprint(home.folder), rehearsals_left()
    done = tickercast("--home", home.folder, "run", "--rehearse", "2199-12-31T00:00:00Z")
    assert (done.returncode, fingerprint(home.folder), rehearsals_left()) == (0, before, left)
    assert [line.split()[0] for line in done.stdout.splitlines() if line.strip()][-2:] == ["IBM", "MSFT"]
    assert done.stderr.startswith("rehearsed at 2199-12-31T00:00:00Z, nothing was stored: 2 of 2 tickers")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rehearse", "9999-12-31"], "error: 9999-12-31 is outside the years 1900 to 2200\n"),
        (["--rehearse", "tomorrow"], "error: 'tomorrow' is not an instant; write it like 2026-03-06T22:00:00Z\n"),
        (["--rehearse", "2027-01-01", "--now", "2026-01-01"], "error: --now acts and --rehearse does not; give one of them\n"),
    ],
)
def test_an_instant_that_cannot_be_rehearsed_is_one_line(
    tickercast: Command, home: Home, arguments: list[str], said: str
) -> None:
    done = tickercast("--home", home.folder, "run", *arguments)
    assert (done.returncode, done.stderr) == (2, said)


def test_ctrl_c_removes_the_copy_and_leaves_the_home(home: Home) -> None:
    before, left = fingerprint(home.folder), set(rehearsals_left())
    process = subprocess.Popen(
        command_of("--home", home.folder, "run", "--rehearse", "2150-01-01"), env=clean_environment(), stderr=subprocess.PIPE
    )
    wait_until(lambda: bool(set(rehearsals_left()) - left) or process.poll() is not None)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert (set(rehearsals_left()) - left, fingerprint(home.folder)) == (set(), before)


def test_a_home_without_a_database_cannot_be_copied(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing, match="no database there"):
        copy_database(tmp_path / "tickercast.db", tmp_path / "copy.db")


def test_a_ticker_whose_calendar_cannot_be_built_fails_alone(home: Home) -> None:
    engine = open_writer(home.database)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE tickers SET exchange = 'XTAE' WHERE symbol = 'MSFT'")
    with pytest.raises(SomeTickersFailed, match=r"1 failed, first MSFT: XTAE: .* cannot build the calendar of this exchange"):
        run_cycle(home, engine, datetime(2013, 2, 5, 23, tzinfo=UTC), workers=1)
    with engine.connect() as connection:
        made = connection.exec_driver_sql("SELECT count(*) FROM forecast_history WHERE origin = '2013-02-05'").scalar_one()
    engine.dispose()
    assert made == 5
