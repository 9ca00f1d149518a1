"""The command line in processes of its own: bad input is one line and the right exit code, and nothing is lost."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.command_server import CommandServer
from tests.conftest import Command, run_tickercast
from tests.server_homes import copy_home, database_of
from tickercast.jobs.workspace.locks import daemon_lock, writer_lock
from tickercast.storage.database import reading
from tickercast.storage.verify import content_hash

pytestmark = pytest.mark.slow

FAST = {"TICKERCAST_TRAINING__COLD_EPOCHS": "1", "TICKERCAST_MODEL__HISTORY_SESSIONS": "140"}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, command_server: CommandServer) -> Path:
    """Return a home with ten sessions of IBM, made once by the command line."""
    folder = tmp_path_factory.mktemp("template") / "home"
    done = run_tickercast(
        command_server, folder.parent, "--home", folder, "backfill", "IBM", "--source", "sample", "--start", "2013-02-15", **FAST
    )
    created, plan, told = done.stderr.splitlines()
    assert (done.returncode, created) == (0, f"home {folder} is created")
    assert plan == "plan: 1 ticker x 10 sessions, 50 forecasts, about 3 s"
    assert told.startswith("1 of 1 tickers, 50 new forecasts")
    return folder


@pytest.fixture
def home(template: Path, tmp_path: Path, command_server: CommandServer) -> Path:
    """Return a copy of that home."""
    return copy_home(template, tmp_path / "home", command_server.homes)


def hash_of(home: Path) -> str:
    with reading(database_of(home)) as connection:
        return content_hash(connection)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["backfill", "XXXX", "--source", "sample"], 3, "XXXX: not in the sample"),
        (["backfill", "../../x", "--source", "sample"], 2, "not a ticker symbol"),
        (["backfill", "A" * 10_000, "--source", "sample"], 2, "10000 characters"),
        (["track", "\u0410APL"], 2, r"'\u0410APL' is not a ticker symbol"),
        (["backfill", "IBM", "--source", "sample", "--start", "2013-02-01", "--end", "2013-01-01"], 2, "before --start"),
        (["backfill", "IBM", "--source", "sample", "--start", "2013-02-30"], 2, "is not a date"),
        (["backfill", "IBM", "--source", "folder:/nowhere", "--adjustment", "split"], 2, "does not exist"),
        (["backfill", "IBM", "--source", "folder:."], 2, "--adjustment"),
        (["backfill", "IBM", "--source", "ftp"], 2, "is not a source"),
        (["backfill", "IBM", "--source", "yahoo"], 2, "keeps its source sample for life"),
        (["backfill", "--nosuch"], 2, "--nosuch"),
        (["nosuch"], 2, "nosuch"),
        (["run"], 2, "no ticker is tracked"),
        (["run", "--now", "tomorrow"], 2, "is not an instant"),
        (["run", "--now", "2001-01-01"], 2, "before the last run"),
        (["forecast", "ZZZ"], 2, "nothing is stored"),
        (["untrack", "ZZZ"], 2, "nothing is stored"),
        (["rename", "IBM", "IBM"], 2, "is already stored"),
        (["sql"], 2, "give one of"),
        (["sql", "DELETE FROM forecasts"], 8, "only reading"),
        (["sql", "ATTACH 'x.db' AS x"], 8, "only reading"),
        (["sql", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n", "--seconds", "0.2"],
         8, "longer than"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_with_its_exit_code(
    home: Path, tickercast: Command, arguments: list[str], code: int, message: str
) -> None:
    before = hash_of(home)
    answer = tickercast("--home", home, *arguments)
    assert (answer.returncode, answer.stderr.count("\n"), answer.stdout) == (code, 1, "")
    assert message in answer.stderr
    assert answer.stderr.startswith("error: ")
    assert hash_of(home) == before


def test_a_missing_home_is_named_and_not_made(tmp_path: Path, tickercast: Command) -> None:
    answer = tickercast("--home", tmp_path / "none", "status")
    assert (answer.returncode, "is not a Tickercast home" in answer.stderr) == (2, True)
    assert not (tmp_path / "none").exists()


def test_a_home_behind_a_file_is_refused(tmp_path: Path, tickercast: Command) -> None:
    (tmp_path / "file").write_text("mine")
    answer = tickercast("--home", tmp_path / "file", "init")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)


def test_a_home_that_cannot_be_made_is_a_storage_error(tickercast: Command) -> None:
    answer = tickercast("--home", "/proc/nothing/here", "init")
    assert (answer.returncode, answer.stderr.count("\n")) == (5, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\nhiden = 3\n", "'model.hidden'"),
        ("[modl]\nhidden = 3\n", "model.hidden"),
        ('[model]\nhidden = "many"\n', "model.hidden"),
        ("[model]\nhorizons = 0\n", "model.horizons"),
        ("[model\n", "not valid TOML"),
    ],
)
def test_a_bad_setting_is_named(home: Path, tickercast: Command, text: str, message: str) -> None:
    (home / "tickercast.toml").write_text(text)
    answer = tickercast("--home", home, "status")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert message in answer.stderr


def test_a_bad_setting_of_the_environment_is_named(home: Path, tickercast: Command) -> None:
    answer = tickercast("--home", home, "status", TICKERCAST_MODEL__HIDEN="3")
    assert (answer.returncode, "'model.hidden'" in answer.stderr) == (2, True)


def test_a_bad_file_fails_its_ticker_alone(home: Path, tmp_path: Path, tickercast: Command) -> None:
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "BAD.csv").write_text("a,b\n1,2\n")
    rows = [f"2013-{1 + i // 28:02d}-{1 + i % 28:02d},{100 + i % 7},120,90,{100 + i % 5},1000" for i in range(300)]
    (folder / "GOOD.csv").write_text("\n".join(["date,open,high,low,close,volume", *rows]))
    answer = tickercast(
        "--home", home, "backfill", "BAD", "GOOD", "--source", f"folder:{folder}", "--adjustment", "split",
        "--start", "2013-10-01", **FAST,
    )  # fmt: skip
    assert (answer.returncode, answer.stderr.count("\n"), answer.stderr.startswith("plan: 1 ticker")) == (3, 2, True)
    assert "BAD.csv: no column date" in answer.stderr
    listed = json.loads(tickercast("--home", home, "status", "GOOD", "--format", "json").stdout)
    assert listed[0]["last_origin"] is not None


@pytest.mark.sqlite_file
@pytest.mark.parametrize(
    ("version", "message"),
    [("9999", "newer than this program's"), ("0001", "older than this program's; run `tickercast db upgrade`")],
)
def test_a_database_of_another_version_is_left_alone(home: Path, tickercast: Command, version: str, message: str) -> None:
    connection = sqlite3.connect(home / "tickercast.db")
    connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    connection.commit()
    connection.close()
    answer = tickercast("--home", home, "backfill", "IBM", "--source", "sample")
    assert (answer.returncode, answer.stderr.count("\n"), message in answer.stderr) == (2, 1, True)


def test_a_second_writer_learns_who_holds_the_lock(home: Path, tickercast: Command) -> None:
    with writer_lock(home, command="backfill", wait_seconds=0, database=database_of(home)):
        answer = tickercast("--home", home, "track", "IBM", "--wait", "0.2")
    assert (answer.returncode, answer.stderr.count("\n")) == (7, 1)
    assert "tickercast backfill" in answer.stderr


def test_a_second_daemon_is_refused(home: Path, tickercast: Command) -> None:
    with daemon_lock(home, database_of(home)):
        answer = tickercast("--home", home, "daemon")
    assert (answer.returncode, answer.stderr.count("\n")) == (7, 1)


@pytest.mark.parametrize("command", [("verify",), ("verify", "--deep"), ("bars", "IBM")])
def test_a_damaged_price_file_is_an_integrity_error(home: Path, tickercast: Command, command: tuple[str, ...]) -> None:
    path = next((home / "prices" / "IBM").glob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    answer = tickercast("--home", home, *command)
    assert (answer.returncode, answer.stderr.count("\n")) == (6, 1)
    assert "sha256" in answer.stderr
    assert "tickercast repair" in answer.stderr


def test_reading_commands_answer_while_a_writer_holds_the_lock(home: Path, tickercast: Command) -> None:
    with writer_lock(home, command="backfill", wait_seconds=0, database=database_of(home)):
        answers = [tickercast("--home", home, c, "--format", "csv") for c in ("forecast", "skill", "status", "tickers")]
    assert [a.returncode for a in answers] == [0, 0, 0, 0]
    assert answers[0].stdout.splitlines()[0].startswith("ticker,origin,target,horizon,last_price,q05")


def test_the_forecast_table_has_a_row_a_ticker_and_other_formats_have_every_horizon(home: Path, tickercast: Command) -> None:
    table = tickercast("--home", home, "forecast", "ibm")
    assert [line.split()[0] for line in table.stdout.splitlines()] == ["ticker", "IBM"]
    assert table.stderr == ""
    every = tickercast("--home", home, "forecast", "ibm", "--all-horizons").stdout.splitlines()
    assert [line.split()[2] for line in every[1:]] == ["1", "2", "3", "4", "5"]
    rows = json.loads(tickercast("--home", home, "forecast", "ibm", "--format", "json").stdout)
    assert [row["horizon"] for row in rows] == [1, 2, 3, 4, 5]
    third = json.loads(tickercast("--home", home, "forecast", "--horizon", "3", "--format", "json").stdout)
    assert third == [rows[2]]


def test_bars_show_the_last_twenty_in_a_table_and_all_in_other_formats(home: Path, tickercast: Command) -> None:
    table = tickercast("--home", home, "bars", "IBM")
    assert (table.stdout.count("\n"), table.stderr) == (
        21, "the last 20 of 3270 bars; --tail N shows more, --format csv has all\n",
    )  # fmt: skip
    assert tickercast("--home", home, "bars", "IBM", "--tail", "30").stdout.count("\n") == 31
    week = tickercast("--home", home, "bars", "IBM", "--start", "2013-02-04", "--end", "2013-02-08", "--format", "csv").stdout
    assert [line[:10] for line in week.splitlines()[1:]] == [f"2013-02-0{day}" for day in (4, 5, 6, 7, 8)]


def test_home_may_stand_after_the_command(home: Path, tickercast: Command) -> None:
    before = tickercast("--home", home, "status", "--format", "csv")
    after = tickercast("status", "--format", "csv", "--home", home)
    assert (before.returncode, after.returncode) == (0, 0)
    assert "IBM" in after.stdout
    assert (before.stdout, tickercast("status", f"--home={home}", "--format=csv").stdout) == (after.stdout, after.stdout)


def test_an_empty_answer_is_its_header_and_exit_0(home: Path, tickercast: Command) -> None:
    answer = tickercast("--home", home, "sql", "SELECT * FROM restatement", "--format", "csv")
    assert (answer.returncode, answer.stdout.count("\n")) == (0, 1)


def test_bars_can_be_read_as_they_were_known(home: Path, tickercast: Command) -> None:
    now = tickercast("--home", home, "bars", "IBM", "--format", "csv").stdout
    then = tickercast("--home", home, "bars", "IBM", "--known-at", "2001-01-01", "--format", "csv").stdout
    assert (now.count("\n"), then.count("\n")) == (3271, 1)


def test_a_renamed_ticker_keeps_its_record(home: Path, tickercast: Command) -> None:
    before = hash_of(home)
    assert tickercast("--home", home, "rename", "IBM", "BIG").returncode == 0
    assert tickercast("--home", home, "forecast", "BIG", "--all-horizons").stdout.count("BIG") == 5
    assert hash_of(home) == before


def test_help_imports_nothing_heavy(tickercast: Command) -> None:
    answer = tickercast("--help", PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rsplit("|", 1)[1].strip() for line in answer.stderr.splitlines() if "|" in line}
    assert answer.returncode == 0
    assert not loaded & {"pandas", "yfinance", "numpy", "sqlalchemy", "pyarrow", "exchange_calendars"}
