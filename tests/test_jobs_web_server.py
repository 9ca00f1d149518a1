"""`tickercast serve` as a process: what it answers, to whom, what it refuses, and how it begins and ends."""

from __future__ import annotations

import csv
import html
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.builders import Record
from tests.conftest import Command, clean_environment
from tests.processes import wait_until
from tests.web_servers import WebServer, served
from tickercast.storage.versions import known_revisions
from tickercast.storage.views import VIEWS

pytestmark = pytest.mark.slow
pytest.importorskip("datasette", reason="the extra web is not installed")

TOKEN = "a token of a test"
ENDLESS = "WITH+RECURSIVE+c(x)+AS+(SELECT+1+UNION+ALL+SELECT+x%2B1+FROM+c)+SELECT+count(*)+FROM+c"


def busy_parents() -> set[int]:
    """Return the processes that have started one for queries."""
    listed = subprocess.run(["ps", "-ww", "-eo", "ppid=,args="], capture_output=True, text=True, check=True).stdout
    return {int(line.split()[0]) for line in listed.splitlines() if "query_process.py --pool" in line}


@pytest.fixture(scope="module")
def server(sound_record: Record, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    record = sound_record.copy_to(tmp_path_factory.mktemp("served"))
    with served(record.database.parent) as server:
        yield server


def test_the_list_of_the_record_names_every_view_and_its_purpose(server: WebServer) -> None:
    body = html.unescape(server.get("/record").body)
    assert [view.name for view in VIEWS if f">{view.name}</a>" not in body or view.purpose[:20] not in body] == []


@pytest.mark.parametrize("view", [view.name for view in VIEWS])
def test_every_view_has_a_page(server: WebServer, view: str) -> None:
    assert server.get(f"/record/{view}").status == 200


def test_a_ticker_has_a_page_under_its_symbol_however_it_is_escaped(server: WebServer) -> None:
    answers = [server.get(path) for path in ("/ticker/IBM", "/ticker/%49BM", "/ticker/%5EGSPC")]
    assert [answer.status for answer in answers] == [200, 200, 404]
    assert "IBM" in answers[1].body
    assert "No ticker of this symbol" in answers[2].body


def test_a_page_of_a_view_tells_the_unit_of_a_column(server: WebServer) -> None:
    assert "natural-log return; lower is better" in server.get("/record/scored_forecast").body


def test_a_page_rounds_what_csv_has_whole(server: WebServer) -> None:
    query = "/record{}?sql=select+1.23456789+as+crps"
    assert ">1.235</span>" in server.get(query.format("")).body
    assert server.get(query.format(".csv")).body == "crps\r\n1.23456789\r\n"


def test_a_whole_view_is_one_file_with_the_filters_of_its_page(server: WebServer, sound_record: Record) -> None:
    answer = server.get("/record/bar.csv?ticker=IBM&close__gt=101&_sort_desc=session&_stream=1")
    with closing(sqlite3.connect(sound_record.database)) as connection:
        rows = connection.execute("SELECT * FROM bar WHERE ticker = 'IBM' AND close > 101 ORDER BY session DESC").fetchall()
    found = list(csv.reader(answer.body.splitlines()))
    assert len(rows) > 1
    assert found[0] == list(next(view.names for view in VIEWS if view.name == "bar"))
    assert found[1:] == [["" if value is None else str(value) for value in row] for row in rows]
    assert answer.headers["content-disposition"] == 'attachment; filename="bar.csv"'


def test_the_head_of_a_whole_view_has_no_rows(server: WebServer) -> None:
    answer = server.get("/record/bar.csv?_stream=1", method="HEAD")
    assert (answer.status, answer.headers["content-disposition"], answer.body) == (200, 'attachment; filename="bar.csv"', "")


@pytest.mark.parametrize("filters", ["nosuch=1", "_where=close+%3E+101", "_search=IBM"])
def test_a_file_with_a_filter_that_it_cannot_keep_is_refused(server: WebServer, filters: str) -> None:
    assert server.get(f"/record/bar.csv?{filters}&_stream=1").status == 400


def test_a_named_query_gets_defaults_for_what_it_asks_for(server: WebServer) -> None:
    answer = server.get("/record/prices")
    assert (answer.status, answer.headers["location"]) == (302, "/record/prices?ticker=IBM")


@pytest.mark.parametrize(
    "path", ["/record/forecasts", "/record/tickers.json", "/record/forecasts/1", "/_internal", "/-/settings"]
)
def test_base_tables_and_what_datasette_tells_of_itself_have_no_page(server: WebServer, path: str) -> None:
    assert server.get(path).status == 404


def test_a_page_that_has_not_changed_is_not_sent_again(server: WebServer) -> None:
    first = server.get("/")
    again = server.get("/", {"If-None-Match": first.headers["etag"]})
    assert (first.status, again.status, again.body) == (200, 304, "")


def test_a_page_of_ours_lets_no_script_of_its_own_text_run(server: WebServer) -> None:
    policy = server.get("/").headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy


def test_the_chart_library_comes_from_this_server_and_is_compressed(server: WebServer) -> None:
    answer = server.get("/assets/plotly.min.js", {"Accept-Encoding": "gzip"})
    assert (answer.status, answer.headers["content-encoding"]) == (200, "gzip")


def test_a_database_that_is_restored_or_upgraded_meanwhile_is_told_and_served_again(record: Record) -> None:
    aside = record.database.with_name("aside")
    with served(record.database.parent) as server:
        before = server.get("/record/bar")
        record.database.rename(aside)
        missing = server.get("/record/skill")
        shutil.copy(aside, record.database)  # another file, as after a restore
        with closing(sqlite3.connect(record.database)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '0001'")
        older = server.get("/ticker/IBM")
        with closing(sqlite3.connect(record.database)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (known_revisions()[0],))
        after = [server.get(path).status for path in ("/ticker/IBM", "/record/skill", "/record/price_file")]
    assert [before.status, missing.status, older.status, *after] == [200, 503, 503, 200, 200, 200]
    assert "no database in this home" in missing.body
    assert "schema of an older version" in older.body
    assert str(record.database.parent) not in missing.body + older.body


def test_a_visitor_signs_in_once_with_the_token_which_is_never_logged(record: Record) -> None:
    with served(record.database.parent, TICKERCAST_WEB__TOKEN=TOKEN) as server:
        refused = server.get("/record/skill")
        assert server.get("/healthz").body == "ok\n"
        wrong = server.get("/sign-in", method="POST", body="token=a+wrong+token")
        form = server.get("/sign-in", method="POST", body="token=a+token+of+a+test")
        address = server.get("/record/skill?token=a+token+of+a+test&_size=1")
        allowed = server.get("/record/skill", {"Cookie": form.headers["set-cookie"].partition(";")[0]})
        server.process.terminate()
        _, log = server.process.communicate(timeout=10)
    assert [refused.status, wrong.status, form.status, address.status, allowed.status] == [401, 401, 303, 303, 200]
    assert address.headers["location"] == "/record/skill?_size=1"
    assert "sign-in refused" in log
    assert "token" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_within_two_seconds_also_while_a_query_runs(record: Record, number: signal.Signals) -> None:
    with served(record.database.parent) as server, socket.create_connection(("127.0.0.1", server.port)) as visitor:
        assert server.get("/record").status == 200
        visitor.sendall(f"GET /record?sql={ENDLESS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        wait_until(lambda: server.process.pid in busy_parents())
        began = time.monotonic()
        server.process.send_signal(number)
        code = server.process.wait(10)
        seconds = time.monotonic() - began
    assert code == 0
    assert seconds < 2


def test_a_port_in_use_is_one_line(server: WebServer, sound_record: Record, tickercast: Command) -> None:
    ended = tickercast("--home", sound_record.database.parent, "serve", "--port", server.port)
    assert (ended.returncode, ended.stderr.count("\n")) == (7, 1)
    assert f"port {server.port} of 127.0.0.1 is in use" in ended.stderr


def test_without_the_extra_the_command_names_it(sound_record: Record) -> None:
    program = "import sys; sys.modules['datasette'] = None; from tickercast.jobs.cli.app import main; main()"
    command = [sys.executable, "-c", program, "--home", str(sound_record.database.parent), "serve"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
    assert (ended.returncode, ended.stderr) == (2, "error: the server needs further libraries: pip install 'tickercast[web]'\n")


def test_beyond_loopback_without_a_sign_in_is_one_line(sound_record: Record, tickercast: Command) -> None:
    ended = tickercast("--home", sound_record.database.parent, "serve", "--host", "0.0.0.0")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "set web.token" in ended.stderr
