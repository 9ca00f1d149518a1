"""Every empty answer says what to do, on stderr, with exit code 0. Its stdout is a header, and for programs that alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import Record
from tests.conftest import Command
from tickercast.jobs.analysis.missing import without_forecasts
from tickercast.jobs.workspace.home import Home

TRACK = "no tickers yet; `tickercast track MSFT` follows one, "
BACKFILL = "`tickercast backfill` makes those of the last year's sessions, `tickercast run` the newest"
SCORED = "is scored once a later session than its target is stored, which `tickercast run` does"
# What is removed from the small record (IBM has forecasts of which one is scored, MSFT has none) to make it an earlier one.
UNSCORED = ("DELETE FROM notices", "DELETE FROM gate_verdicts", "DELETE FROM scores", "DELETE FROM skill_tests")
TRACKED = (*UNSCORED, "DELETE FROM forecasts", "DELETE FROM origins", "DELETE FROM price_files")
EMPTY = (*TRACKED, "DELETE FROM tickers", "DELETE FROM symbols")
RECORD = ("DELETE FROM gate_verdicts",)
SELECT = "SELECT * FROM skill WHERE n > 1000"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("removed", "command", "hint"),
    [
        (EMPTY, ("tickers",), TRACK),
        (EMPTY, ("status",), TRACK),
        (EMPTY, ("forecast",), TRACK),
        (EMPTY, ("skill",), TRACK),
        (EMPTY, ("sql", SELECT), f"no rows: {TRACK}"),
        (EMPTY, ("replay", "--all"), "no session to replay: there are no forecasts yet; `tickercast backfill`"),
        (EMPTY, ("notices",), "nothing is wrong now; `tickercast notices --all`"),
        (EMPTY, ("notices", "--all"), "nothing was ever told"),
        (TRACKED, ("status",), "no bars yet of IBM, MSFT; `tickercast run` fetches them, `tickercast backfill` also "),
        (TRACKED, ("forecast",), f"no forecasts yet; {BACKFILL}"),
        (TRACKED, ("forecast", "MSFT"), "no forecasts yet of MSFT; `tickercast backfill MSFT` makes those of the last year's"),
        (TRACKED, ("skill",), f"no forecasts yet; {BACKFILL}"),
        (TRACKED, ("sql", SELECT), f"no rows: no forecasts yet; {BACKFILL}"),
        (UNSCORED, ("skill",), f"no scores yet: the first forecasts are for 2024-03-07, and a forecast {SCORED}"),
        (UNSCORED, ("skill", "MSFT"), "no forecasts yet of MSFT; `tickercast backfill MSFT`"),
        (RECORD, ("forecast", "MSFT"), "no forecasts yet of MSFT; `tickercast backfill MSFT`"),
        (RECORD, ("forecast", "--horizon", "9"), "no forecasts 9 sessions ahead; --all-horizons shows what there is"),
        (RECORD, ("skill", "IBM", "--mode", "live"), "no scores of IBM of mode live; there are some of mode backfill"),
        (RECORD, ("skill", "IBM", "--horizon", "9"), "no scores of IBM 9 sessions ahead; there are some of mode backfill"),
        (RECORD, ("bars", "IBM", "--start", "2031-01-01"), "no bars are stored for that span; the stored ones are from 2024-"),
        (RECORD, ("sql", SELECT), "no rows fit the query; `tickercast sql --list` shows the views and what is in them"),
    ],
)
def test_an_empty_answer_says_what_to_do(
    tickercast: Command,
    make_home: Callable[[str, str], Home],
    record: Record,
    removed: tuple[str, ...],
    command: tuple[str, ...],
    hint: str,
) -> None:
    home = make_home("home", "")
    record.force(*removed)
    shutil.copy(record.database, home.database)
    shutil.copytree(record.prices, home.prices, dirs_exist_ok=True)
    told = tickercast("--home", home.folder, *command)
    assert (told.returncode, [line for line in told.stderr.splitlines() if line.startswith(hint)] != []) == (0, True), told.stderr
    for_programs = tickercast("--home", home.folder, *command, "--format", "csv")
    assert (for_programs.returncode, hint in for_programs.stderr and command[0] != "replay") == (0, False)


@pytest.mark.parametrize(
    ("statements", "wanted", "hint"),
    [
        ((), ("MSFT",), "`tickercast backfill MSFT` makes"),
        (("UPDATE tickers SET last_error = 'x' WHERE symbol = 'MSFT'",), (), "`tickercast status MSFT` says why"),
        (("UPDATE gate_verdicts SET ticker_id = 2",), (), "MSFT has quarantined bars: `tickercast release MSFT` or"),
        (("UPDATE tickers SET tracked = 0",), ("MSFT",), "`tickercast backfill MSFT` makes those of the last year's sessions"),
    ],
)
def test_a_ticker_without_forecasts_beside_one_that_has_some_is_told(
    record: Record, statements: tuple[str, ...], wanted: tuple[str, ...], hint: str
) -> None:
    record.force(*statements)
    assert without_forecasts(record.database, {"IBM"}, wanted).startswith(f"no forecasts yet of MSFT; {hint}")


def test_nothing_is_told_where_every_tracked_ticker_has_forecasts(record: Record) -> None:
    assert without_forecasts(record.database, {"IBM", "MSFT"}) == ""
    record.force("UPDATE tickers SET tracked = 0 WHERE symbol = 'MSFT'")
    assert without_forecasts(record.database, {"IBM"}) == ""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["forecast", "skill", "status", "tickers", "notices", "bars IBM", "explain IBM", "report"])
def test_without_a_home_each_command_names_the_one_that_makes_it(tickercast: Command, tmp_path: Path, command: str) -> None:
    told = tickercast(*command.split())
    assert told.returncode == 2
    assert told.stderr.endswith(f"create one with `tickercast --home {tmp_path / 'tickercast-home'} init`\n")
