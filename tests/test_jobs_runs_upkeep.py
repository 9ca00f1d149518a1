"""What a look does besides its cycle: every step, each for itself, and the next look in time for the first that is due."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tickercast.jobs.runs import upkeep
from tickercast.jobs.runs.child import Look
from tickercast.jobs.runs.cycle import look
from tickercast.jobs.runs.upkeep import keep_up
from tickercast.jobs.runs.watch import Watch
from tickercast.jobs.terminal.logs import LogTarget, start_logging
from tickercast.jobs.workspace.home import Home

MakeHome = Callable[[str, str], Home]
NOW = datetime(2024, 11, 27, 22, tzinfo=UTC)
SOON, LATER = NOW + timedelta(minutes=5), NOW + timedelta(hours=2)


def fail(_home: Home, _now: datetime) -> datetime | None:
    raise RuntimeError("no room")


def test_a_step_that_fails_is_logged_and_stops_no_other(make_home: MakeHome, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json")
    steps = {"first": lambda home, now: LATER, "bad": fail, "last": lambda home, now: SOON, "never": lambda home, now: None}
    assert keep_up(make_home("home", ""), NOW, steps) == SOON
    [line] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["step"], line["error"]) == ("upkeep failed", "bad", "RuntimeError: no room")


def test_without_a_due_step_the_next_look_is_left_to_the_cycle(make_home: MakeHome) -> None:
    assert keep_up(make_home("home", ""), NOW, {"never": lambda home, now: None}) is None


def test_a_look_ends_with_the_upkeep_unless_it_was_stopped(make_home: MakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(upkeep.STEPS, "soon", lambda home, now: SOON)
    home, stopped = make_home("home", ""), threading.Event()
    assert look(home.folder, home.database, threading.Event()).next_upkeep == SOON
    stopped.set()
    assert look(home.folder, home.database, stopped).next_upkeep is None


@pytest.mark.parametrize("failed", [False, True])
def test_the_daemon_looks_in_time_for_the_upkeep(make_home: MakeHome, monkeypatch: pytest.MonkeyPatch, failed: bool) -> None:
    home = make_home("home", "")
    soon = datetime.now(UTC) + timedelta(minutes=5)
    monkeypatch.setattr("tickercast.jobs.runs.watch.look_in_child", lambda *_: Look(failed=failed, tracked=0, next_upkeep=soon))
    watch = Watch(home.folder, home.database, LogTarget("json"))
    watch.check()
    assert watch.look_at == soon
