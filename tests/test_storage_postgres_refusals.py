"""A server, a database or a login that cannot hold the record is refused with one line and the right exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ports import free_port
from tests.postgres_server import PostgresCluster
from tickercast.jobs.cli.exit_codes import report_failure
from tickercast.jobs.workspace.home import create_home
from tickercast.jobs.workspace.writer import open_for_writing
from tickercast.storage.address import PostgresServer
from tickercast.storage.postgres import record
from tickercast.storage.postgres.connections import connected

pytestmark = pytest.mark.slow
PASSWORD = "sesame-of-the-test"


@pytest.fixture(scope="module")
def logins(postgres: PostgresCluster) -> PostgresCluster:
    """Return the server with a login that needs a password, and one that may do nothing."""
    hba = postgres.data / "pg_hba.conf"
    hba.write_text(f"host all locked 127.0.0.1/32 scram-sha-256\n{hba.read_text()}")
    postgres.sql("SELECT pg_reload_conf()")
    postgres.sql("CREATE ROLE locked LOGIN PASSWORD 'another'")
    postgres.sql("CREATE ROLE plain LOGIN")
    return postgres


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """Return what gives the exit code of a command that writes and its line, for a URL of the record."""

    def refused(url: str) -> tuple[int, str]:
        monkeypatch.setenv("TICKERCAST_STORE__URL", url)
        try:
            create_home(tmp_path)
            with open_for_writing(tmp_path, command="test", wait_seconds=0, create="density"):
                return 0, ""
        except Exception as error:
            code = report_failure(error)
        return code, capsys.readouterr().err

    return refused


@pytest.mark.parametrize(
    ("url", "code", "reason"),
    [
        ("postgresql://test@127.0.0.1:{closed}/test", 5, "Connection refused"),
        ("postgresql://test@127.0.0.1:{port}/none", 2, 'database "none" does not exist'),
        (f"postgresql://locked:{PASSWORD}@127.0.0.1:{{port}}/postgres", 2, "password authentication failed"),
        ("postgresql://locked@127.0.0.1:{port}/postgres", 2, "no password supplied"),
        ("postgresql://nobody@127.0.0.1:{port}/postgres", 2, 'role "***" does not exist'),
        ("postgresql://plain@127.0.0.1:{port}/postgres", 5, "permission denied for schema public"),
        ("postgresql://test@127.0.0.1:{port}/postgres?options=-csearch_path%3Dnone", 2, "no schema of its search_path exists"),
        ("postgresql://test@127.0.0.1:{port}/postgres?options=-cdefault_transaction_read_only%3Don", 5, "read-only transaction"),
        ("postgresql://test@127.0.0.1:{port}/", 2, "write it like postgresql://HOST:5432/DATABASE"),
        ("postgresql://test@127.0.0.1:none/test", 2, "write it like postgresql://HOST:5432/DATABASE"),
        (f"postgresql+psycopg://locked:{PASSWORD}@127.0.0.1/test", 2, "not 'postgresql+psycopg'"),
        ("postgresql://test@127.0.0.1:{port}/test?nonsense=1", 2, 'invalid URI query parameter: "nonsense"'),
    ],
)
def test_a_place_that_cannot_hold_the_record_is_one_line(
    logins: PostgresCluster, refusal: object, url: str, code: int, reason: str
) -> None:
    found, line = refusal(url.format(port=logins.port, closed=free_port()))  # type: ignore[operator]
    assert (found, line.count("\n")) == (code, 1), line
    assert line.startswith("error: ")
    assert reason in line
    assert PASSWORD not in line


def test_a_database_of_another_encoding_is_refused(logins: PostgresCluster, refusal: object) -> None:
    logins.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    code, line = refusal(logins.url("latin"))  # type: ignore[operator]
    assert (code, "its encoding is LATIN1" in line) == (2, True), line


def test_a_server_that_is_too_old_is_refused(postgres: PostgresCluster, refusal: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "OLDEST", 999)
    code, line = refusal(postgres.new_database().url)  # type: ignore[operator]
    assert (code, "needs PostgreSQL 999 or newer" in line) == (2, True), line


def test_a_limit_of_time_that_a_login_has_on_the_server_does_not_end_our_work(postgres: PostgresCluster) -> None:
    url = f"{postgres.url('postgres')}?options=-cstatement_timeout%3D500%20-clock_timeout%3D500"
    with connected(PostgresServer(url)) as connection:
        assert connection.execute("SELECT 1 FROM pg_sleep(0.6)").fetchone() == (1,)
        assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)
