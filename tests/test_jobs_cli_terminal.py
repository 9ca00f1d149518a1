"""The reading commands on real terminals of several widths: no line is longer, and no number is broken."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.builders import Record
from tests.conftest import Command, clean_environment, command_of
from tickercast.jobs.workspace.home import Home
from tickercast.storage.database import open_writer
from tickercast.storage.schema import Ticker

pytestmark = pytest.mark.slow

ERROR = "MSFT: yahoo returned no bars for 2026-03-02..2026-03-06; stored bars end 2026-02-27 and stay; retry later"


@pytest.fixture
def home(record: Record, make_home: Callable[[str, str], Home]) -> Path:
    """Return a home with the small record, whose tickers have a long error."""
    home = make_home("home", "[training]\nwarm_epochs = 2\n")
    home.database.write_bytes(record.database.read_bytes())
    engine = open_writer(home.database)
    with engine.begin() as connection:
        connection.execute(sa.update(Ticker).values(last_error=ERROR))
    engine.dispose()
    return home.folder


def on_terminal(home: Path, width: int, *arguments: str) -> tuple[int, list[str], str]:
    """Return the exit code of a command on a terminal of a width, the lines that it shows, and its stderr."""
    shown, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {name: value for name, value in clean_environment(NO_COLOR="1", TERM="xterm").items() if name != "COLUMNS"}
    started = subprocess.Popen(
        command_of("--home", home, *arguments), env=environment, stdin=terminal, stdout=terminal, stderr=subprocess.PIPE
    )
    os.close(terminal)
    content = b""
    with suppress(OSError):  # how a terminal says that its other side was closed
        while read := os.read(shown, 65536):
            content += read
    os.close(shown)
    _, errors = started.communicate(timeout=60)
    return started.returncode, [line.rstrip() for line in content.decode().splitlines()], errors.decode()


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("command", ["status", "forecast", "skill", "tickers"])
def test_no_line_is_longer_than_the_terminal(home: Path, command: str, width: int) -> None:
    code, lines, _ = on_terminal(home, width, command)
    assert code == 0
    assert any(line.startswith("ticker ") for line in lines)
    assert max(map(len, lines)) <= width


def test_status_at_80_columns_shows_how_the_error_begins_and_where_the_rest_is(home: Path) -> None:
    _, lines, errors = on_terminal(home, 80, "status")
    line = next(line for line in lines if "  MSFT: yahoo returned no bars" in line)
    assert line.endswith("…")
    assert "SELECT ticker, last_error FROM freshness" in errors


def test_sql_wraps_texts_and_names_the_columns_that_do_not_fit(home: Path) -> None:
    _, lines, errors = on_terminal(
        home, 40, "sql", f"SELECT 1234567.25 AS price, '{ERROR}' AS words, 7654321.5 AS far_away_number"
    )
    assert lines[0].split() == ["price", "words"]
    assert lines[1].split()[0] == "1234567.25"
    assert "left out at a width of 40: far_away_number" in errors


def test_a_closing_line_shows_the_control_characters_of_a_name_escaped(tickercast: Command, tmp_path: Path) -> None:
    assert tickercast("--home", "home", "init").returncode == 0
    told = tickercast("--home", "home", "backup", "a\x1b[31m\u202eb.tar")
    assert told.returncode == 0
    assert r"a\x1b[31m\u202eb.tar" in told.stderr
    assert "\x1b" not in told.stderr + told.stdout


def test_an_id_that_is_not_utf_8_is_no_models(tickercast: Command, tmp_path: Path) -> None:
    assert tickercast("--home", "home", "init").returncode == 0
    told = tickercast("--home", "home", "replay", "\udc98C")
    assert (told.returncode, told.stderr.splitlines()[-1].startswith(r"error: \udc98C: no model")) == (2, True)


def test_standard_output_named_as_a_file_is_written_and_an_endless_id_is_no_models(tickercast: Command) -> None:
    assert tickercast("--home", "home", "init").returncode == 0
    assert tickercast("--home", "home", "tickers", "--format", "csv", "--out", "/dev/stdout").stdout.startswith("ticker,")
    assert tickercast("--home", "home", "replay", "../" * 20_000).returncode == 2
