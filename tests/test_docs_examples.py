"""Every code block of the README, the tutorial and the guides runs, and prints what the page shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from tests.command_server import CommandServer
from tests.doc_examples import Block, Shell, blocks_of, is_as_shown, lines_of
from tests.loopback_yahoo import LoopbackYahoo, loopback_yahoo
from tests.object_servers import BUCKET, environment_of, object_server
from tests.postgres_server import PostgresCluster
from tests.price_builders import write_csv
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.workspace.settings import read_settings
from tickercast.storage.bars import Bars, make_bars

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CLUSTER = DOCS / "guides" / "cluster.md"
GUIDES = sorted(page for page in (DOCS / "guides").glob("*.md") if page != CLUSTER)
WITH_SETTINGS = [page for page in sorted(DOCS.rglob("*.md")) if blocks_of(page, "toml")]
SERVED = {
    "MSFT": ("XNYS", "America/New_York"), "AAPL": ("XNYS", "America/New_York"), "^GSPC": ("XNYS", "America/New_York"),
    "^VIX": ("XNYS", "America/New_York"), "BTC-USD": ("24/7", "UTC"), "SAP.DE": ("XETR", "Europe/Berlin"),
}  # fmt: skip


@pytest.fixture(scope="module")
def yahoo() -> Iterator[LoopbackYahoo]:
    """Yield a server in place of Yahoo with the tickers that the pages name, up to their newest session."""
    with loopback_yahoo() as server:
        for symbol, (exchange, zone) in SERVED.items():
            server.serve(symbol, recent_bars(exchange), exchangeTimezoneName=zone)
        yield server


def recent_bars(exchange: str) -> Bars:
    """Return 450 bars of a random walk up to an exchange's newest closed session."""
    calendar = exchange_calendar(exchange)
    last = calendar.last_closed_session(datetime.now(UTC), 45)
    assert last is not None
    days = np.array([calendar.session_offset(last, -i) for i in range(449, -1, -1)], "datetime64[D]")
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).standard_t(5, 450) * 0.01))
    prices = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close}
    return make_bars(days, {**prices, "volume": np.full(450, 1_000_000)})


@pytest.fixture
def shell(command_server: CommandServer, yahoo: LoopbackYahoo, tmp_path: Path) -> Shell:
    """Return a shell in an empty folder, whose programs reach the loopback server in place of Yahoo."""
    settings = {"YAHOO__BASE_URL": yahoo.url, "YAHOO__REQUESTS_PER_SECOND": "1000", "COMPUTE__WORKERS": "1", "WEB__PORT": "0"}
    return Shell(command_server, tmp_path, {f"TICKERCAST_{key}": value for key, value in settings.items()})


def run_page(shell: Shell, page: Path) -> str:
    """Run the blocks of a page and return those that print something else than the page shows."""
    wrong, printed = "", ""
    for block in blocks_of(page, "sh", "python", "text"):
        if block.language == "sh":
            printed = shell.run(block)
        elif block.language == "python":
            printed = run_python(shell, block)
        elif not is_as_shown(block.code, printed):
            wrong += f"{block}--- but printed ---\n{printed}"
    return wrong


def run_python(shell: Shell, block: Block) -> str:
    """Run a block of Python in the shell's folder and return what it printed."""
    code = compile(shell.of_this_machine(block.code), str(block), "exec")
    with chdir(shell.here), patch.dict(os.environ, shell.environment), redirect_stdout(StringIO()) as printed:
        exec(code, {})
    return printed.getvalue()


@pytest.mark.slow
def test_the_tutorial_runs_and_prints_what_it_shows(shell: Shell) -> None:
    if wrong := run_page(shell, DOCS / "tutorial.md"):
        pytest.fail(wrong)


@pytest.mark.slow
def test_the_readme_and_the_guides_run_and_print_what_they_show(shell: Shell) -> None:
    wrong = run_page(shell, ROOT / "README.md")
    write_csv(shell.folder / "prices", "ACME", recent_bars("XNYS"))
    for page in GUIDES:
        wrong += run_page(shell.copy(page.stem), page)
    if wrong:
        pytest.fail(wrong)


@pytest.mark.slow
def test_the_guide_of_several_machines_runs_on_servers_of_this_one(shell: Shell, postgres: PostgresCluster) -> None:
    postgres.sql("CREATE DATABASE forecasts")
    write_csv(shell.folder / "prices", "ACME", recent_bars("XNYS"))
    shell.run(Block("", 0, "sh", "tickercast init --source folder:~/prices --adjustment split --ticker ACME\n"))
    with object_server() as port:
        shell.environment |= environment_of(port)
        shell.hosts = {
            "forecasts@db.example": f"test@127.0.0.1:{postgres.port}",
            "store.example:9000": f"127.0.0.1:{port}",
            "desk.example": BUCKET,
        }
        if wrong := run_page(shell, CLUSTER):
            pytest.fail(wrong)


@pytest.mark.slow
def test_a_command_of_a_page_that_fails_is_noticed(shell: Shell) -> None:
    with pytest.raises(AssertionError, match="exit code 2"):
        shell.run(Block("page.md", 1, "sh", "tickercast nosuch\n"))


@pytest.mark.parametrize("page", WITH_SETTINGS, ids=lambda page: page.stem)
def test_settings_that_a_page_shows_are_valid(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks_of(page, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(block.code)
        read_settings(path, {})


def test_a_block_is_run_line_by_line_without_comments() -> None:
    assert list(lines_of("a b  # comment\n\n# only a comment\nc 'd\n e' f\n")) == ["a b  # comment", "c 'd\n e' f"]


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [("n 1,248 of a", "n  1,248\nof a", True), ("n 1,248", "n 1,249", False), ("0.87 p", "0.88 p", True),
     ("0.87 p", "0.89 p", False), ("a ... z 7", "a b\nc z 7", True), ("a ...", "b", False), ("-1.5", "+1.5", False)],
)  # fmt: skip
def test_what_a_page_shows_is_compared_by_words_and_numbers(expected: str, printed: str, same: bool) -> None:
    assert is_as_shown(expected, printed) == same
