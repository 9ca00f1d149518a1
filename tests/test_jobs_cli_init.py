"""`init`: what it asks on a terminal, what its options say, what the home begins with and which commands it names next."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.terminals import Dialogue, typed
from tickercast.jobs.cli.first_questions import ask_beginning
from tickercast.jobs.cli.init_command import next_steps
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices.first_home import Beginning
from tickercast.jobs.workspace.settings_template import settings_template

CSV = "date,open,high,low,close,volume\n2024-01-02,1,1,1,1,10\n"
TAKES_ALL = ("", "", "", "")


@pytest.fixture
def prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return ./prices with two tickers, a reference and a name that is no ticker."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "prices"
    folder.mkdir()
    for name in ("ACME", "SAP", "^VIX", "no ticker"):
        (folder / f"{name}.csv").write_text(CSV)
    return folder


def asked(monkeypatch: pytest.MonkeyPatch, answers: Sequence[str]) -> Beginning:
    with typed(monkeypatch, answers):
        return ask_beginning(Path("home"))


@pytest.mark.parametrize(
    ("answers", "beginning"),
    [
        (TAKES_ALL, Beginning("yahoo", None, ("MSFT", "AAPL", "^GSPC"))),
        (("sample", "ibm, FB ibm"), Beginning("sample", None, ("IBM", "FB"))),
        (("folder", *TAKES_ALL), Beginning("folder:prices", "split", ("ACME", "SAP"))),
        (("folder", "'prices'", "full", "sap"), Beginning("folder:prices", "full", ("SAP",))),
        (("yaho", "YAHOO", "a/b", "msft"), Beginning("yahoo", None, ("MSFT",))),
        (("folder", "nowhere", "prices", "all", "split", "XX", "SAP"), Beginning("folder:prices", "split", ("SAP",))),
    ],
)
def test_answers_are_taken_and_wrong_ones_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, prices: Path, answers: Sequence[str], beginning: Beginning
) -> None:
    assert asked(monkeypatch, answers) == beginning


def test_the_end_of_input_is_no_answer(monkeypatch: pytest.MonkeyPatch, prices: Path) -> None:
    with pytest.raises(UsageError, match="nothing was created"):
        asked(monkeypatch, ("folder", "prices", "\x04"))


@pytest.mark.parametrize(
    ("beginning", "commands"),
    [
        (Beginning("yahoo", None, ("MSFT",)), ["backfill", "forecast", "daemon"]),
        (Beginning("sample", None, ("IBM",)), ["backfill", "forecast", "skill"]),
        (Beginning(), ["track MSFT AAPL", "backfill", "forecast"]),
    ],
)
def test_the_next_commands_fit_what_was_chosen(beginning: Beginning, commands: list[str]) -> None:
    assert [command for command, _ in next_steps(beginning, ())] == commands


def test_a_folder_without_chosen_tickers_has_its_own_in_the_next_command() -> None:
    assert next_steps(Beginning("folder:prices", "split"), ["ACME", "SAP"])[0][0] == "track ACME SAP"


def test_what_follows_the_kind_of_a_source_without_a_path_is_no_part_of_the_setting() -> None:
    assert Beginning("yahoo:x").settings() == {"source.kind": "yahoo"}


def test_a_chosen_setting_is_no_comment_and_any_path_is_read_back() -> None:
    path = 'C:\\a "b" \x7f#]'
    text = settings_template(settings={"source.path": path, "prior.universe": ("A", "B")})
    assert tomllib.loads(text)["source"] == {"path": path}
    assert tomllib.loads(text)["prior"] == {"universe": ["A", "B"]}


@pytest.mark.slow
def test_a_dialogue_makes_a_home_and_names_commands_that_work(tmp_path: Path, prices: Path) -> None:
    there = Dialogue(tmp_path, "--home", "my home", "init")
    for question, answer in (("source [yahoo]: ", "folder\n"), ("folder [prices]: ", "\n"), ("adjustment [split]: ", "\n")):
        there.answer(question, answer)
    there.answer("tickers [all]: ", "\n")
    assert there.end() == 0
    assert "no ticker.csv is not read" in there.shown
    assert "\nHow are the files' prices adjusted?\n  as_traded " in there.shown
    assert "is ready and follows ACME, SAP; next:" in there.shown
    assert f"  tickercast --home '{tmp_path}/my home' backfill  # " in there.shown
    told = tomllib.loads((tmp_path / "my home" / "tickercast.toml").read_text())["source"]
    assert told == {"kind": "folder", "path": str(prices), "adjustment": "split"}


@pytest.mark.slow
def test_ctrl_c_at_a_question_leaves_nothing(tmp_path: Path) -> None:
    there = Dialogue(tmp_path, "init")
    there.answer("source [yahoo]: ", "\n")
    there.answer("tickers [MSFT AAPL ^GSPC]: ", "\x03")
    assert there.end() == 130
    assert there.shown.endswith("error: interrupted; nothing was created\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_options_answer_and_repeating_them_changes_nothing(tickercast: Command, tmp_path: Path) -> None:
    options = ("init", "--source", "sample", "--ticker", "IBM")
    told = tickercast(*options)
    assert (told.returncode, told.stdout) == (0, "")
    assert "  tickercast skill" in told.stderr
    content = (tmp_path / "tickercast-home" / "tickercast.toml").read_bytes()
    assert tickercast(*options).stderr == told.stderr
    assert (tmp_path / "tickercast-home" / "tickercast.toml").read_bytes() == content
    assert tickercast("tickers", "--format", "csv").stdout.splitlines()[1].startswith("IBM,1,")
    refused = tickercast("init", "--source", "yahoo")
    assert (refused.returncode, "its settings stay" in refused.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--source", "folder:nowhere", "--adjustment", "split"), ("--source", "sample", "--ticker", "XX"),
        ("--source", "sample", "--adjustment", "split"), ("--ticker", "a/b"), ("--source", "yaho"),
    ],
)  # fmt: skip
def test_a_wrong_option_creates_nothing(tickercast: Command, tmp_path: Path, options: tuple[str, ...]) -> None:
    told = tickercast("init", *options)
    assert (told.returncode, len(told.stderr.splitlines())) == (2, 1)
    assert list(tmp_path.iterdir()) == []
