"""Reading from the command line: quick, by closed pipes, into files, and with any query, as one line of error at worst."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.builders import Record
from tests.conftest import Command, clean_environment, command_of
from tests.processes import wait_until
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.place import CHECKED_FILE

pytestmark = pytest.mark.slow

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
MANY_ROWS = f"{ENDLESS} i, 'some text' AS text, i / 7.0 AS x FROM n LIMIT "
INSIDE_ONE_FUNCTION = "SELECT instr(printf('%.*c', 9000000, 'a'), printf('%.*c', 4000000, 'a') || 'b')"
HEAVY_MODULES = {
    "numpy",
    "pandas",
    "scipy",
    "pyarrow",
    "sqlalchemy",
    "alembic",
    "pydantic",
    "pydantic_settings",
    "rich",
}


@pytest.fixture
def home(record: Record, make_home: Callable[[str, str], Home]) -> Path:
    """Return a home with the small record, whose settings a command has found valid before."""
    home = make_home("home", "[training]\nwarm_epochs = 2\n")
    home.database.write_bytes(record.database.read_bytes())
    return home.folder


def piped(folder: Path, arguments: list[object], reader: list[str]) -> tuple[int, str]:
    """Run a command whose stdout goes to another program. Returns its exit code and its stderr."""
    started = subprocess.Popen(
        command_of("--home", folder, *arguments), env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    read = subprocess.Popen(reader, stdin=started.stdout, stdout=subprocess.DEVNULL)
    assert (started.stdout, started.stderr) != (None, None)
    started.stdout.close()  # type: ignore[union-attr]
    read.wait(timeout=60)
    errors = started.stderr.read().decode()  # type: ignore[union-attr]
    started.stderr.close()  # type: ignore[union-attr]
    return started.wait(timeout=60), errors


@pytest.mark.parametrize("reader", [["head", "-1"], ["true"]], ids=["one line", "nothing"])
@pytest.mark.parametrize(
    "arguments",
    [
        *(["sql", MANY_ROWS + "200000", "--format", kind] for kind in ("csv", "json", "ndjson", "parquet")),
        ["sql", MANY_ROWS + "20000"],
        *([command, "--format", kind] for command in ("forecast", "status", "tickers") for kind in ("table", "csv")),
        ["skill"],
        ["verify", "--content-hash"],
        ["--help"],
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-1]}",
)
def test_a_closed_pipe_ends_a_command_silently(home: Path, arguments: list[object], reader: list[str]) -> None:
    code, errors = piped(home, arguments, reader)
    unexpected = [line for line in errors.splitlines() if not line.startswith("no forecasts yet")]  # said if it ends first
    assert (code in (0, 141), unexpected) == (True, [])


@pytest.mark.parametrize(("redirected", "code"), [("tickers >&-", 0), ("tickers 2>&-", 0), ("forecast ZZZ 2>&-", 2)])
def test_a_closed_stream_changes_no_exit_code(home: Path, redirected: str, code: int) -> None:
    command = " ".join(command_of("--home", home, redirected))
    done = subprocess.run(["sh", "-c", command], env=clean_environment(), capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (code, False)


def test_text_that_the_output_cannot_encode_is_escaped(home: Path, tickercast: Command) -> None:
    answer = tickercast("--home", home, "sql", "SELECT 'é' AS x", "--format", "csv", PYTHONIOENCODING="ascii")
    assert (answer.returncode, answer.stdout) == (0, "x\n\\xe9\n")


def test_a_full_disk_is_one_line(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command_of("--home", home, "status"), env=clean_environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr.count(b"\n"), b"No space" in done.stderr) == (5, 1, True)


@pytest.mark.parametrize(
    "arguments", [["status"], ["status", "--check"], ["forecast"], ["skill"], ["tickers"], ["sql", "SELECT 1"], ["--version"]]
)
def test_reading_loads_no_heavy_library(home: Path, tickercast: Command, arguments: list[str]) -> None:
    tickercast("--home", home, "status")  # finds the settings valid
    answer = tickercast("--home", home, *arguments, PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rsplit("|", 1)[1].strip() for line in answer.stderr.splitlines() if "|" in line}
    assert (answer.returncode in (0, 3, 4), loaded & HEAVY_MODULES) == (True, set())


def test_ctrl_c_ends_a_query_that_nothing_interrupts(home: Path) -> None:
    # Where other programs keep the processors busy, one of three times is enough.
    interrupted = [interrupt(home) for _ in range(3)]
    assert {(code, lines) for code, lines, _ in interrupted} == {(130, 1)}
    assert min(seconds for _, _, seconds in interrupted) < 0.3


def interrupt(home: Path) -> tuple[int, int, float]:
    """Send Ctrl-C into a query. Returns the exit code, the lines on stderr, and the seconds until the command ended."""
    command = command_of("--home", home, "sql", INSIDE_ONE_FUNCTION, "--seconds", "60")
    started = subprocess.Popen(command, env=clean_environment(), stderr=subprocess.PIPE)
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    wait_until(lambda: children.read_text() != "")
    time.sleep(0.3)  # it is inside of the function by now
    began = time.monotonic()
    os.kill(started.pid, signal.SIGINT)
    _, errors = started.communicate(timeout=30)
    return started.returncode, errors.count(b"\n"), time.monotonic() - began


def test_a_query_over_its_limit_is_one_line_and_leaves_no_file(home: Path, tmp_path: Path, tickercast: Command) -> None:
    out = tmp_path / "rows.csv"
    answer = tickercast("--home", home, "sql", f"{ENDLESS} i FROM n", "--seconds", "0.5", "--out", out)
    assert (answer.returncode, answer.stderr.count("\n"), "longer than its limit of 0.5 s" in answer.stderr) == (8, 1, True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("rows")] == []


@pytest.mark.parametrize("query", [f"{ENDLESS} i FROM n LIMIT 100001", f"{ENDLESS} printf('%.*c', 900000, 'a') FROM n"])
def test_a_table_holds_so_many_rows_and_bytes(home: Path, tickercast: Command, query: str) -> None:
    answer = tickercast("--home", home, "sql", query)
    assert (answer.returncode, "a table holds no more: add a LIMIT, or --format csv" in answer.stderr) == (8, True)


@pytest.mark.parametrize("output_format", ["csv", "json", "ndjson", "parquet"])
def test_any_value_and_name_can_be_written(home: Path, tmp_path: Path, tickercast: Command, output_format: str) -> None:
    query = "SELECT 1 AS a, 'x' AS a, x'ff' AS b, CAST(x'ff' AS TEXT) AS c, 9e999 AS d UNION ALL SELECT 'y', 2, 3, NULL, NULL"
    answer = tickercast("--home", home, "sql", query, "--format", output_format, "--out", tmp_path / "out")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert b"a_2" in (tmp_path / "out").read_bytes()


def test_a_query_can_come_from_stdin(home: Path) -> None:
    done = subprocess.run(
        command_of("--home", home, "sql", "-", "--format", "csv"), env=clean_environment(), input="SELECT 7 AS n", text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "n\n7\n")


def test_a_file_gets_the_rows_in_the_format_of_its_extension(home: Path, tmp_path: Path, tickercast: Command) -> None:
    shown = tickercast("--home", home, "forecast", "--format", "json").stdout
    assert tickercast("--home", home, "forecast", "--out", tmp_path / "f.parquet").stdout == ""
    table = pq.read_table(tmp_path / "f.parquet")
    assert [table.schema.field(name).type for name in ("target", "made_at", "ticker")] == [
        pa.date32(), pa.timestamp("us", tz="UTC"), pa.string(),
    ]  # fmt: skip
    names = [name for name in table.column_names if name not in ("origin", "target", "made_at")]
    assert table.select(names).to_pylist() == [{name: row[name] for name in names} for row in json.loads(shown)]


def test_bars_and_skill_have_true_types_in_parquet(record: Record, tmp_path: Path, tickercast: Command) -> None:
    home = record.database.parent
    for name, command in (("bars", ("bars", "IBM")), ("skill", ("skill",)), ("status", ("status",))):
        assert tickercast("--home", home, *command, "--out", tmp_path / f"{name}.parquet").returncode == 0
    bars, skill, status = (pq.read_schema(tmp_path / f"{name}.parquet") for name in ("bars", "skill", "status"))
    assert (bars.field("session").type, bars.field("volume").type) == (pa.date32(), pa.int64())
    assert bars.field("recorded_at").type == skill.field("computed_at").type == pa.timestamp("us", tz="UTC")
    assert (skill.field("first_target").type, status.field("tracked").type) == (pa.date32(), pa.bool_())


# Prints the peak memory in MB of a command and of its child. (getrusage of the command itself would count the test's own memory.)
MEASURED = """
import atexit, re, resource, runpy, sys
def show():
    own = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
    print(own // 1024, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr)
atexit.register(show)
sys.argv[0] = "tickercast"
runpy.run_module("tickercast", run_name="__main__")
"""


@pytest.mark.parametrize("output_format", ["csv", "ndjson", "json", "parquet"])
def test_many_rows_need_little_memory(home: Path, tmp_path: Path, output_format: str) -> None:
    query = ["sql", MANY_ROWS + "300000", "--seconds", "60", "--format", output_format, "--out", tmp_path / "out"]
    command = [command_of()[0], "-c", MEASURED, "--home", home, *query]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True)
    assert max(map(int, done.stderr.split())) < 150


def test_a_variable_that_names_no_section_is_ignored_with_a_warning(home: Path, tickercast: Command) -> None:
    answer = tickercast("--home", home, "status", "--format", "csv", TICKERCAST_DEBUG="1")
    assert (answer.returncode, answer.stderr.count("\n"), "TICKERCAST_DEBUG is no setting" in answer.stderr) == (0, 1, True)


@pytest.mark.parametrize("variable", ["TICKERCAST_MODEL__HIDEN", "TICKERCAST_MODEL"])
def test_a_variable_that_names_an_unknown_key_is_refused(home: Path, tickercast: Command, variable: str) -> None:
    answer = tickercast("--home", home, "status", **{variable: "3"})
    assert (answer.returncode, "the nearest known one is 'model." in answer.stderr) == (2, True)


def test_settings_that_became_wrong_are_reported_by_a_command_that_only_reads(home: Path, tickercast: Command) -> None:
    assert tickercast("--home", home, "status").returncode == 0
    assert len((home / "cache" / CHECKED_FILE).read_text().split()) == 1
    (home / "tickercast.toml").write_text("[training]\nwarm_epochs = -2\n")
    answers = [tickercast("--home", home, "status") for _ in range(2)]
    assert [(a.returncode, "training.warm_epochs" in a.stderr) for a in answers] == [(2, True), (2, True)]


def test_the_database_that_the_settings_name_is_read(home: Path, tickercast: Command) -> None:
    (home / "tickercast.db").rename(home / "other.db")
    (home / "tickercast.toml").write_text('[store]\nurl = "sqlite:///other.db"\n')
    assert tickercast("--home", home, "status").returncode == 0
    answer = tickercast("--home", home, "status", TICKERCAST_STORE__URL="sqlite:///none.db")
    assert (answer.returncode, "none.db: no database there" in answer.stderr) == (2, True)


@pytest.mark.parametrize("command", [["status"], ["forecast"], ["sql", "SELECT 1"], ["verify"], ["track", "IBM"]])
def test_garbage_in_place_of_the_database_is_an_integrity_error(home: Path, tickercast: Command, command: list[str]) -> None:
    (home / "tickercast.db").write_bytes(b"\xa5" * 8192)
    answer = tickercast("--home", home, *command)
    assert (answer.returncode, answer.stderr.count("\n"), "not a database" in answer.stderr) == (6, 1, True)


def test_all_queries_of_a_reader_see_one_record(home: Path) -> None:
    from tickercast.storage.database import reading

    with reading(home / "tickercast.db") as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM events").scalar()
        with closing(sqlite3.connect(home / "tickercast.db")) as writer, writer:
            writer.execute("INSERT INTO events (at, kind, message) VALUES ('2026-01-01T00:00:00.000000Z', 'x', 'y')")
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar() == before
