"""/healthz and /metrics of a real daemon over 127.0.0.1: alongside a cycle and a writer, with slow clients, on a port in use."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Command
from tests.daemons import MOST_IDLE_MEGABYTES, Follow, StartDaemon, megabytes, next_event
from tests.home_states import FRESH, LATE, state
from tests.loopback_yahoo import LoopbackYahoo, Reply
from tests.ports import free_port
from tests.processes import descendants, wait_until
from tickercast.jobs.monitoring.monitor import Endpoint, LatestState
from tickercast.jobs.monitoring.server import MOST_CONNECTIONS, MonitorServer, health
from tickercast.jobs.terminal.logs import start_logging
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.limits import Limits
from tickercast.storage.errors import StorageError

pytestmark = pytest.mark.slow

OPERATIONS = Path(__file__).parents[1] / "docs" / "operations.md"
NO_BACKUP = """
rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series:
      - series: 'tickercast_lasting_notices{kind="backup"}'
        values: '1+0x130'
      - series: 'tickercast_lasting_notices{kind="integrity"}'
        values: '0+0x130'
      - series: 'node_textfile_mtime_seconds{file="/metrics/tickercast.prom"}'
        values: '0+0x130'
      - series: 'node_textfile_mtime_seconds{file="/metrics/other.prom"}'
        values: '0+0x130'
    alert_rule_test:
      - alertname: TickercastBackupOld
        eval_time: 2h
        exp_alerts: [{exp_labels: {kind: backup}, exp_annotations: {summary: SUMMARY}}]
      - alertname: TickercastTextfileOld
        eval_time: 2h
        exp_alerts: [{exp_labels: {file: /metrics/tickercast.prom}, exp_annotations: {summary: OLD_FILE}}]
      - alertname: TickercastDamaged
        eval_time: 2h
        exp_alerts: []
""".replace("SUMMARY", '"Backups fail, or the newest is older than two days; see tickercast notices"').replace(
    "OLD_FILE", '"The metrics are not written any more: is the daemon running?"'
)


def with_monitor(home: Home, port: int, textfile: str = "") -> None:
    """Add a section [monitor] to the settings of a home."""
    with (home.folder / "tickercast.toml").open("a") as file:
        file.write(f'[monitor]\nport = {port}\ntextfile = "{textfile}"\n')


def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    """Return the status, the content type and the body of an answer, which has to come within three seconds."""
    try:
        answer = urlopen(Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=3.0)
    except HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers["Content-Type"], answer.read().decode()


def values_of(text: str) -> dict[str, float]:
    """Return the value of each sample without labels."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: sample.value for sample in samples if not sample.labels}


@contextmanager
def serving(**changes: object) -> Iterator[MonitorServer]:
    """Yield a server of a home with a fresh ticker, which answers in a thread until the end."""
    server = MonitorServer("127.0.0.1", 0, lambda: state(FRESH, **changes))
    stop = threading.Event()

    def answer() -> None:
        while not stop.is_set():
            server.poll()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join()
        server.server_close()


def test_a_daemon_answers_during_a_cycle_and_beside_a_writer_stays_small_and_says_when_it_has_stopped(
    follow: Follow, start_daemon: StartDaemon, server: LoopbackYahoo
) -> None:
    home, port = follow("AAPL"), free_port()
    with_monitor(home, port, "tickercast.prom")
    textfile = home.folder / "tickercast.prom"
    server.always = Reply(wait=3.0)  # so that the cycle lasts
    process = start_daemon(home)
    next_event(process, "cycle started")
    server.always = None
    with closing(sqlite3.connect(home.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        status, kind, line = get(port, "/healthz")
        metrics = values_of(get(port, "/metrics")[2])
        writer.execute("ROLLBACK")
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    assert line.startswith("OK: 0 of 1 tracked ticker fresh")
    assert (metrics["tickercast_daemon_up"], metrics["tickercast_database_readable"]) == (1, 1)
    next_event(process, "cycle skipped")
    wait_until(lambda: not any("spawn_main" in text for text in descendants(process.pid).values()))
    assert megabytes(process.pid) < MOST_IDLE_MEGABYTES - 15  # multiprocessing's helper has the rest
    assert values_of(textfile.read_text())["tickercast_daemon_up"] == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert values_of(textfile.read_text())["tickercast_daemon_up"] == 0


def test_a_port_in_use_is_one_log_line_and_the_daemon_looks_for_its_cycles(follow: Follow, start_daemon: StartDaemon) -> None:
    home = follow()
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with_monitor(home, port)
        process = start_daemon(home)
        assert process.stderr is not None
        lines = [json.loads(process.stderr.readline()) for _ in range(3)]
    assert sorted(line["event"] for line in lines) == ["cycle skipped", "daemon started", "monitor not served"]
    told = next(line for line in lines if line["event"] == "monitor not served")
    assert (told["level"], told["host"], told["port"]) == ("error", "127.0.0.1", port)
    assert told["error"] == "Address already in use; retried every minute"


def test_a_run_writes_the_textfile_also_when_it_fails(follow: Follow, server: LoopbackYahoo, tickercast: Command) -> None:
    home = follow("AAPL", "MSFT")
    with_monitor(home, 0, "tickercast.prom")
    del server.bodies["MSFT"]
    assert tickercast("--home", home.folder, "run").returncode == 3
    found = (home.folder / "tickercast.prom").read_text()
    assert values_of(found)["tickercast_forecasts"] == 5
    assert 'tickercast_failed_runs_in_a_row{ticker="MSFT"} 1.0' in found


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Prometheus")
def test_promtool_finds_nothing_to_complain_about() -> None:
    with serving() as server:
        text = get(server.server_port, "/metrics")[2]
    told = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Prometheus")
def test_the_documented_rules_fire_for_a_home_without_any_backup_and_for_an_old_textfile(tmp_path: Path) -> None:
    (rules,) = re.findall(r"```yaml\n(groups:.*?)```", OPERATIONS.read_text(), re.DOTALL)
    (tmp_path / "rules.yml").write_text(rules)
    (tmp_path / "test.yml").write_text(NO_BACKUP)
    command = ["promtool", "test", "rules", "test.yml"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_health_is_503_where_nothing_works_or_the_database_cannot_be_read() -> None:
    def unreadable() -> None:
        raise StorageError("tickercast.db: disk I/O error")

    status, line = health(lambda: state(LATE))
    assert (status, line.startswith(b"CRITICAL: 1 late (LATE")) == (503, True)
    assert health(lambda: state(FRESH, LATE))[0] == 200
    assert health(unreadable) == (503, b"CRITICAL: tickercast.db: disk I/O error\n")  # type: ignore[arg-type]


def test_other_paths_are_404_and_open_metrics_is_spoken() -> None:
    with serving() as server:
        assert get(server.server_port, "/other")[0] == 404
        kind, body = get(server.server_port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")[1:]
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_silent_and_slow_clients_keep_nobody_waiting_and_leave_no_thread() -> None:
    before = threading.active_count()
    with serving() as server:
        address = ("127.0.0.1", server.server_port)
        clients = [socket.create_connection(address) for _ in range(3 * MOST_CONNECTIONS)]
        assert get(server.server_port, "/healthz")[0] == 200
        wait_until(lambda: threading.active_count() <= before + 1 + MOST_CONNECTIONS, seconds=2)
        clients[-1].sendall(b"GET /metrics HTTP/1.1\r\nX: ")  # and never ends
        with server._changing:
            server._began = {connection: time.monotonic() - 60 for connection in server._began}
        wait_until(lambda: threading.active_count() == before + 1, seconds=5)
    [client.close() for client in clients]


def test_a_request_that_fails_is_one_log_line(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json")
    with serving(tickers=None) as server, pytest.raises(OSError, match=r"closed|reset"):
        get(server.server_port, "/metrics")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "monitor failed"


def test_an_endpoint_follows_the_settings(make_home: Callable[[str, str], Home], capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json")
    endpoint = Endpoint(LatestState(make_home("home", "").place, is_daemon=True))
    first, second = free_port(), free_port()
    endpoint.follow(Limits(port=first))
    endpoint.follow(Limits(port=first))
    endpoint.follow(Limits(port=second))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first))
    socket.create_connection(("127.0.0.1", second)).close()
    endpoint.follow(Limits(port=0))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", second))
    served = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["port"]) for line in served] == [("monitor served", first), ("monitor served", second)]


def test_an_endpoint_serves_a_port_once_it_is_free_and_complains_once(
    make_home: Callable[[str, str], Home], capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging("json")
    endpoint = Endpoint(LatestState(make_home("home", "").place, is_daemon=True))
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        limits = Limits(port=taken.getsockname()[1])
        endpoint.follow(limits)
        endpoint.follow(limits)
    endpoint.follow(limits)
    endpoint.close()
    events = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert events == ["monitor not served", "monitor served"]


def test_only_the_named_address_is_bound() -> None:
    with MonitorServer("127.0.0.1", 0, lambda: state(FRESH)) as server:
        assert server.server_address[0] == "127.0.0.1"
    with MonitorServer("0.0.0.0", 0, lambda: state(FRESH)) as server:
        assert server.server_address[0] == "0.0.0.0"


def test_reading_for_a_scrape_leaves_no_transaction_open(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("home", "")
    LatestState(home.place, is_daemon=True)()
    opened = [name.resolve() for name in Path("/proc/self/fd").iterdir()]
    assert home.database not in opened
