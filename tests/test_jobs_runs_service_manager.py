"""What a service manager hears of the daemon on its socket: ready, alive while it makes progress, settings read, stopping."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemons import Process, StartDaemon, next_event
from tickercast.jobs.runs.service_manager import ServiceManager
from tickercast.jobs.runs.watch import LONGEST_STALL_SECONDS, Watch
from tickercast.jobs.terminal.logs import LogTarget
from tickercast.jobs.workspace.home import Home

MakeHome = Callable[[str, str], Home]
HEARD_SECONDS = 60.0
WATCHDOG_SECONDS = 4.0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Yield a socket without a file, as systemd may use."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0tickercast-test-{os.getpid()}-{time.monotonic_ns()}")
        heard.settimeout(HEARD_SECONDS)
        yield heard


def name_of(listener: socket.socket) -> str:
    name = listener.getsockname()
    return "@" + name[1:].decode() if isinstance(name, bytes) else str(name)


def manager_of(**environment: str) -> ServiceManager:
    return ServiceManager.of_environment(environment)


def heard_until(listener: socket.socket, line: str) -> list[str]:
    """Return the messages up to the first that has a line."""
    messages = [listener.recv(4096).decode()]
    while line not in messages[-1].splitlines():
        messages.append(listener.recv(4096).decode())
    return messages


def test_a_message_reaches_a_socket_without_a_file(listener: socket.socket) -> None:
    manager_of(NOTIFY_SOCKET=name_of(listener)).tell("READY=1", "STATUS=well")
    assert listener.recv(4096) == b"READY=1\nSTATUS=well"


def test_a_message_reaches_a_socket_with_a_path(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        manager_of(NOTIFY_SOCKET=str(tmp_path / "notify")).tell("READY=1")
        assert heard.recv(4096) == b"READY=1"


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "/no/socket/there", "@nobody-listens-here"])
def test_without_a_listener_nothing_happens(name: str) -> None:
    manager_of(NOTIFY_SOCKET=name).tell("READY=1")


def test_a_status_is_sent_once_until_it_changes_and_is_one_line(listener: socket.socket) -> None:
    manager = manager_of(NOTIFY_SOCKET=name_of(listener))
    manager.tell_status("a\nREADY=1")
    manager.tell_status("a\nREADY=1")
    manager.tell_status("b")
    assert [listener.recv(4096), listener.recv(4096)] == [b"STATUS=a READY=1", b"STATUS=b"]


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "180000000"}, 90.0),
        ({"WATCHDOG_USEC": "180000000", "WATCHDOG_PID": str(os.getpid())}, 90.0),
        ({"WATCHDOG_USEC": "180000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_told_twice_in_its_time(variables: dict[str, str], seconds: float | None) -> None:
    assert manager_of(**variables).alive_every == seconds


def test_the_daemons_processes_do_not_inherit_the_socket() -> None:
    environment = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    ServiceManager.of_environment(environment)
    assert environment == {"HOME": "/"}


def test_a_daemon_whose_looks_stand_still_makes_no_progress(tmp_path: Path) -> None:
    watch = Watch(tmp_path, tmp_path / "none.db", LogTarget("json"))
    assert watch.makes_progress()
    watch.control.polled_at -= LONGEST_STALL_SECONDS
    assert not watch.makes_progress()


@pytest.fixture
def daemon(make_home: MakeHome, listener: socket.socket, start_daemon: StartDaemon) -> tuple[Home, Process]:
    """Return a home and its daemon, which a service manager started."""
    home = make_home("home", "[schedule]\nafter_close_minutes = 30\n")
    watchdog = str(int(WATCHDOG_SECONDS * 1e6))
    return home, start_daemon(home, NOTIFY_SOCKET=name_of(listener), WATCHDOG_USEC=watchdog)


@pytest.mark.slow
def test_a_service_manager_hears_that_the_daemon_is_ready_alive_and_stopping(
    daemon: tuple[Home, Process], listener: socket.socket
) -> None:
    process = daemon[1]
    assert heard_until(listener, "READY=1") == ["READY=1"]
    assert "STATUS=no ticker is tracked" in heard_until(listener, "STATUS=no ticker is tracked")
    heard_until(listener, "WATCHDOG=1")
    before = time.monotonic()
    heard_until(listener, "WATCHDOG=1")
    assert time.monotonic() - before < WATCHDOG_SECONDS
    process.send_signal(signal.SIGTERM)
    heard_until(listener, "STOPPING=1")
    assert process.wait() == 0


@pytest.mark.slow
def test_a_hang_up_reads_the_settings_and_wrong_ones_leave_those_before_in_force(
    daemon: tuple[Home, Process], listener: socket.socket
) -> None:
    home, process = daemon
    heard_until(listener, "STATUS=no ticker is tracked")
    process.send_signal(signal.SIGHUP)
    reloading = heard_until(listener, "RELOADING=1")[-1].splitlines()
    assert reloading[1].startswith("MONOTONIC_USEC=")
    heard_until(listener, "READY=1")
    next_event(process, "settings read")
    (home.folder / "tickercast.toml").write_text("[schedule]\nafter_close_minute = 30\n")
    process.send_signal(signal.SIGHUP)
    refused = next_event(process, "settings refused")
    assert "schedule.after_close_minutes" in refused["error"]
    assert refused["kept"] == "the settings before stay in force"
    heard_until(listener, "READY=1")
    (home.folder / "tickercast.toml").write_text("")
    process.send_signal(signal.SIGHUP)
    next_event(process, "settings read")
    assert process.poll() is None
