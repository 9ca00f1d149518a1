"""Log lines: programs can parse each one, whatever the facts contain."""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime

import pytest

from tickercast.jobs.terminal.logs import LogFormat, log_event, log_format_for, start_logging

HOSTILE = 'a "b" c=d \\ e\n\r\t\x1b[31m \u202e \x85 ü'


def logfmt_facts(line: str) -> dict[str, str]:
    """Return the facts of a line as any logfmt reader takes them: key=value or key="value" with escaped quotes."""
    pairs = re.findall(r'(\S+?)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line)
    return {key: re.sub(r"\\(.)", r"\1", quoted) or plain for key, quoted, plain in pairs}


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_an_event_is_one_line_without_control_characters(capsys: pytest.CaptureFixture[str], log_format: LogFormat) -> None:
    start_logging(log_format)
    log_event("info", "cycle ended", message=HOSTILE)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert line[:-1].isprintable()


def test_a_json_line_gives_the_facts_back(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json")
    log_event("warning", "cycle ended", message=HOSTILE, tickers=3, seconds=1.5, error=None, home=datetime(2024, 3, 6))
    facts = json.loads(capsys.readouterr().err)
    assert list(facts)[:3] == ["ts", "level", "event"]
    assert facts["message"] == HOSTILE
    assert (facts["level"], facts["event"]) == ("warning", "cycle ended")
    assert (facts["tickers"], facts["seconds"], facts["error"]) == (3, 1.5, None)
    assert facts["home"] == "2024-03-06 00:00:00"


def test_a_logfmt_line_quotes_what_has_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("logfmt")
    log_event("error", "cycle failed", error='it said "no" = no', tickers=3)
    line = capsys.readouterr().err
    assert ' level=error event="cycle failed" ' in line
    facts = logfmt_facts(line)
    assert list(facts) == ["ts", "level", "event", "error", "tickers"]
    assert (facts["error"], facts["tickers"]) == ('it said "no" = no', "3")


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_an_instant_is_iso_in_utc(capsys: pytest.CaptureFixture[str], log_format: LogFormat) -> None:
    start_logging(log_format)
    log_event("info", "daemon started")
    assert re.search(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\b", capsys.readouterr().err)


@pytest.mark.parametrize(("option", "expected"), [(None, "json"), ("json", "json"), ("logfmt", "logfmt")])
def test_programs_get_json_unless_an_option_says_otherwise(option: LogFormat | None, expected: LogFormat) -> None:
    assert log_format_for(option) == expected


def test_a_terminal_gets_logfmt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert log_format_for(None) == "logfmt"


def test_what_a_library_reports_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json")
    logging.getLogger("a.library").warning("two\nlines")
    logging.getLogger("a.library").info("not shown")
    [facts] = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (facts["level"], facts["library"], facts["message"]) == ("warning", "a.library", "two\nlines")


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _: str) -> None:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    start_logging("json")
    log_event("info", "daemon started")
